package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// asserts are the methods of testing.TB that fail a test.
var asserts = []string{"Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow"}

// The function that test files call in front of an assertion. It appends to a file,
// so that a process that ends without a word loses nothing.
const hitSource = `
import (
	zzos "os"
	zzsync "sync"
)

var zzseen zzsync.Map

func zzhit(where string) bool {
	if _, old := zzseen.LoadOrStore(where, true); !old {
		if f, err := zzos.OpenFile(zzos.Getenv("MUTATE_REACHED"), zzos.O_APPEND|zzos.O_WRONLY|zzos.O_CREATE, 0o644); err == nil {
			f.WriteString(where + "\n")
			f.Close()
		}
	}
	return true
}
`

// reached runs the tests once, and lists the assertions whose condition was never
// looked at.
func reached(root string, files []string) error {
	dir, err := os.MkdirTemp("", "reach")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	replaced := map[string][]byte{}
	var all []string
	var folders []string
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		text, pkg, points, err := withHits(file, src)
		if err != nil {
			return err
		}
		if len(points) == 0 {
			continue
		}
		all = append(all, points...)
		replaced[file] = text
		helper := filepath.Join(filepath.Dir(file), "zz_"+pkg+"_reach_test.go")
		replaced[helper] = []byte("package " + pkg + "\n" + hitSource)
		folders = append(folders, "./"+filepath.ToSlash(filepath.Dir(file)))
	}
	overlay, err := writeOverlay(dir, root, replaced)
	if err != nil {
		return err
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	log := filepath.Join(dir, "reached")
	cmd := exec.Command("go", append([]string{"test", "-count=1", "-vet=off", "-overlay", overlay}, folders...)...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "MUTATE_REACHED="+log)
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Printf("the tests failed:\n%s\n", out)
	}
	data, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	hit := strings.Fields(string(data))
	slices.Sort(hit)
	n := 0
	for _, p := range all {
		if _, ok := slices.BinarySearch(hit, p); !ok {
			fmt.Println("never reached:", p)
			n++
		}
	}
	fmt.Printf("%d of %d assertions in %d packages were never reached\n", n, len(all), len(folders))
	return nil
}

// withHits puts a call in front of the condition of each if that can fail a test. It
// returns the text, the package's name, and the places.
func withHits(file string, src []byte) (text []byte, pkg string, points []string, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, "", nil, err
	}
	type insert struct {
		at   int
		text string
	}
	var inserts []insert
	ast.Inspect(f, func(n ast.Node) bool {
		i, ok := n.(*ast.IfStmt)
		if !ok || !failsTest(i.Body) {
			return true
		}
		where := fmt.Sprintf("%s:%d", filepath.ToSlash(file), fset.Position(i.Pos()).Line)
		points = append(points, where)
		inserts = append(inserts,
			insert{fset.Position(i.Cond.Pos()).Offset, fmt.Sprintf("zzhit(%q) && (", where)},
			insert{fset.Position(i.Cond.End()).Offset, ")"})
		return true
	})
	slices.SortStableFunc(inserts, func(a, b insert) int { return a.at - b.at })
	last := 0
	for _, in := range inserts {
		text = append(append(text, src[last:in.at]...), in.text...)
		last = in.at
	}
	return append(text, src[last:]...), f.Name.Name, points, nil
}

// failsTest reports whether a block has an assertion of its own.
func failsTest(b *ast.BlockStmt) bool {
	for _, s := range b.List {
		e, ok := s.(*ast.ExprStmt)
		if !ok {
			continue
		}
		c, ok := e.X.(*ast.CallExpr)
		if !ok {
			continue
		}
		if f, ok := c.Fun.(*ast.SelectorExpr); ok && slices.Contains(asserts, f.Sel.Name) {
			return true
		}
	}
	return false
}
