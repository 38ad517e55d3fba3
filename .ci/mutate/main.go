// Mutate makes small mistakes in the project's code, one at a time, and counts those
// that the tests notice. It never writes to the tree: each mistake is an overlay.
//
//	cd .ci/mutate && go run . -n 100 -seed 7 ../../agent ../../transport
//	cd .ci/mutate && go run . -cases
//	cd .ci/mutate && go run . -from mistakes.json
//	cd .ci/mutate && go run . -reach ../..
//
// With -cases, it makes the mistakes of caselist.go instead, each of which a named test
// is to notice; -only takes those whose description it matches.
//
// With -from, it makes the mistakes of a file, as somebody has written them: a JSON
// array of objects with hurt (how much), what (goes wrong), file, old and new, where
// old stands once in the file. With -own a file's other packages may be named in
// "also", separated by spaces, whose tests run as well. "by" names the test that noticed
// last, as "Test" or "./package Test": it runs first, and the others only if it passes.
// "stays" says why no test has to notice; without it one that goes unnoticed is an
// error. mistakes.json is such a list.
//
// The arguments are folders; all Go files in and below them that belong to the root's
// module are taken. A mistake that doesn't compile is replaced by another. The tests
// of the mistake's own package run first, then those of all packages, so that one
// that is said to be unnoticed was not seen by go test -short ./... at all.
//
// With -reach, it runs the tests once and lists the assertions that were never
// reached: those in loops over nothing, and in functions that nobody calls.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	n := flag.Int("n", 100, "how many mistakes to make")
	seed := flag.Uint64("seed", 1, "which ones: the same seed makes the same mistakes of the same files")
	since := flag.String("since", "", "take only lines that changed since this commit")
	own := flag.Bool("own", false, "run the tests of the mistake's own package only")
	limit := flag.Duration("timeout", 5*time.Minute, "for the tests under one mistake; one that makes them hang is noticed")
	reach := flag.Bool("reach", false, "list assertions that are never reached")
	list := flag.Bool("list", false, "print the mistakes and run nothing")
	listed := flag.Bool("cases", false, "make the mistakes of the list in caselist.go")
	from := flag.String("from", "", "make the mistakes of this JSON file")
	only := flag.String("only", "", "with -cases: those whose description this regular expression matches")
	flag.Parse()
	if flag.NArg() == 0 && !*listed && *from == "" {
		log.Fatal("which folders? See the comment at the top of main.go")
	}
	root, err := output(".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		log.Fatal(err)
	}
	if *listed {
		matching, err := regexp.Compile(*only)
		if err == nil {
			err = judgeKnown(root, matching, *limit)
		}
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	if *from != "" {
		mistakes, gone, err := written(root, *from)
		if err == nil {
			for _, err := range gone {
				fmt.Println("gone:", err)
			}
			err = judge(root, mistakes, len(mistakes), *own, *limit)
		}
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	files, err := goFiles(root, flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	if *reach {
		if err := reached(root, files); err != nil {
			log.Fatal(err)
		}
		return
	}
	mistakes, err := mistakesIn(root, files, *since)
	if err != nil {
		log.Fatal(err)
	}
	mistakes = mixed(mistakes, *seed)
	fmt.Printf("%d mistakes can be made in %d files\n", len(mistakes), len(files))
	if *list {
		for _, m := range mistakes[:min(*n, len(mistakes))] {
			fmt.Println(m)
		}
		return
	}
	if err := judge(root, mistakes, *n, *own, *limit); err != nil {
		log.Fatal(err)
	}
}

// mixed puts the mistakes in an order in which each kind comes as often as another.
func mixed(mistakes []mistake, seed uint64) []mistake {
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(mistakes), func(i, j int) { mistakes[i], mistakes[j] = mistakes[j], mistakes[i] })
	kinds := map[string][]mistake{}
	for _, m := range mistakes {
		kinds[m.what] = append(kinds[m.what], m)
	}
	names := slices.Sorted(maps.Keys(kinds))
	list := make([]mistake, 0, len(mistakes))
	for len(list) < len(mistakes) {
		for _, name := range names {
			if of := kinds[name]; len(of) > 0 {
				list, kinds[name] = append(list, of[0]), of[1:]
			}
		}
	}
	return list
}

// judge makes mistakes until n of them could be compiled. It fails if one that somebody
// has written down is not noticed, without a reason why it may stay so.
func judge(root string, mistakes []mistake, n int, own bool, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	made, noticed := map[string]int{}, map[string]int{}
	all, seen, missed := 0, 0, 0
	for _, m := range mistakes {
		if all == n {
			break
		}
		overlay, err := m.overlay(dir)
		if err != nil {
			return err
		}
		module, in := packageOf(root, m.file)
		pkg := "./" + filepath.ToSlash(filepath.Join(module, in))
		if _, err := output(filepath.Join(root, module), "go", "vet", "-overlay", overlay, in); err != nil {
			if m.written {
				fmt.Printf("    doesn't compile, or vet sees it: %s\n", m)
			}
			continue
		}
		all++
		made[pkg]++
		start := time.Now()
		verdict, where := "unnoticed", ""
		tests := append([]string{in}, m.also...)
		if !own {
			tests = append(tests, "./...")
		}
		runs := make([][]string, 0, 1+len(tests))
		if m.by != nil {
			runs = append(runs, m.by)
		}
		for _, pkg := range tests {
			runs = append(runs, []string{pkg})
		}
		for _, args := range runs {
			if failed, hung := fails(filepath.Join(root, module), limit, append([]string{"-overlay", overlay}, args...)...); failed {
				verdict, where = "noticed", " by "+strings.Join(args, " ")
				if hung {
					where += ", which hung"
				}
				noticed[pkg]++
				seen++
				break
			}
		}
		switch {
		case verdict == "noticed":
		case m.stays != "":
			verdict = "unnoticed, which may stay (" + m.stays + "),"
		case m.written:
			verdict = "UNNOTICED"
			missed++
		}
		fmt.Printf("%3d %s%s in %.0fs: %s\n", all, verdict, where, time.Since(start).Seconds(), m)
	}
	fmt.Println()
	for _, pkg := range slices.Sorted(maps.Keys(made)) {
		fmt.Printf("%3d of %3d noticed in %s\n", noticed[pkg], made[pkg], pkg)
	}
	fmt.Printf("%d of %d noticed\n", seen, all)
	if missed > 0 {
		return fmt.Errorf("%d mistakes that are written down are not noticed", missed)
	}
	return nil
}

// packageOf finds the package that a file belongs to, or that embeds it: the folder of
// its module, and the package in there as go test takes it.
func packageOf(root, file string) (module, pkg string) {
	has := func(dir, name string) bool {
		in, _ := filepath.Glob(filepath.Join(root, dir, name))
		return len(in) > 0
	}
	dir := filepath.Dir(file)
	for dir != "." && !has(dir, "*.go") {
		dir = filepath.Dir(dir)
	}
	for module = dir; module != "." && !has(module, "go.mod"); {
		module = filepath.Dir(module)
	}
	rel, err := filepath.Rel(module, dir)
	if err != nil {
		rel = "." // both are below the root
	}
	return module, "./" + strings.TrimPrefix(filepath.ToSlash(rel), ".")
}

// fails reports whether the tests of a module fail, and whether they had to be ended.
func fails(module string, limit time.Duration, args ...string) (failed, hung bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-short", "-failfast", "-timeout", limit.String()}, args...)...)
	cmd.Dir, cmd.WaitDelay = module, 10*time.Second
	out, err := cmd.CombinedOutput()
	return err != nil, ctx.Err() != nil || strings.Contains(string(out), "panic: test timed out")
}

// goFiles lists the Go files of the root's module in the folders, relative to the root.
func goFiles(root string, folders []string) ([]string, error) {
	var files []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			abs, err := filepath.Abs(path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				_, err := os.Stat(filepath.Join(path, "go.mod"))
				name := d.Name()
				if err == nil && abs != root || name == "testdata" || strings.HasSuffix(name, "test") && name != "agenttest" && name != "storetest" || strings.HasPrefix(name, ".") && name != "." && name != ".." {
					return fs.SkipDir
				}
				return nil
			}
			rel, err := filepath.Rel(root, abs)
			if err == nil && strings.HasSuffix(rel, ".go") {
				files = append(files, rel)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// writeOverlay writes what stands in the place of files, and returns the path of the
// file that go's -overlay wants. Files are named by their path from the root.
func writeOverlay(dir, root string, replaced map[string][]byte) (string, error) {
	to := map[string]string{}
	for name, text := range replaced {
		path := filepath.Join(dir, fmt.Sprintf("%d.go", len(to)))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return "", err
		}
		to[filepath.Join(root, name)] = path
	}
	data, err := json.Marshal(map[string]any{"Replace": to})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o644)
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w: %s", cmd, err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
