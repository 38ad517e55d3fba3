// Command moduleproxy writes the modules of a repository as a module proxy in a
// folder, as if each had been tagged with a version. It shows what somebody gets
// who has no checkout:
//
//	moduleproxy -version v0.2.0 -out DIR [repository]
//	GOPROXY=file://DIR,$(go env GOPROXY) GONOSUMDB='*' go get example.com/module@v0.2.0
//
// What is committed counts, not the work tree. Replace directives are left as
// they are: they have no effect in a dependency.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	version := flag.String("version", "", "the version of all modules, such as v0.2.0")
	out := flag.String("out", "", "the folder to write to")
	flag.Parse()
	repo := "."
	if flag.NArg() > 0 {
		repo = flag.Arg(0)
	}
	if *version == "" || *out == "" {
		log.Fatal("moduleproxy: -version and -out are needed")
	}
	list, err := exec.Command("git", "-C", repo, "ls-files", "go.mod", "*/go.mod").Output()
	if err != nil {
		log.Fatalf("moduleproxy: git ls-files: %v", err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "examples/") {
			continue // nobody depends on a program
		}
		if err := write(repo, path.Dir(name), *version, *out); err != nil {
			log.Fatalf("moduleproxy: %s: %v", name, err)
		}
	}
}

// write writes one module: its list of versions, .info, .mod and .zip.
func write(repo, dir, version, out string) error {
	mod, err := os.ReadFile(filepath.Join(repo, dir, "go.mod"))
	if err != nil {
		return err
	}
	name := modfile.ModulePath(mod)
	escaped, err := module.EscapePath(name)
	if err != nil {
		return err
	}
	at := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":%q}`, version, time.Now().UTC().Format(time.RFC3339))
	for file, data := range map[string]string{"list": version + "\n", version + ".info": info, version + ".mod": string(mod)} {
		if err := os.WriteFile(filepath.Join(at, file), []byte(data), 0o644); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		return err
	}
	defer f.Close()
	if dir == "." {
		dir = ""
	}
	if err := zip.CreateFromVCS(f, module.Version{Path: name, Version: version}, repo, "HEAD", dir); err != nil {
		return err
	}
	fmt.Println(name, version)
	return f.Close()
}
