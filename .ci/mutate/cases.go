package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A known mistake is one that tests once didn't notice, or that would hurt much. The
// list of them is for all to run again.
type known struct {
	hurt     string // critical, high, medium, low
	what     string // goes wrong
	file     string // from the root
	old, new string // old stands once in the file
	pkg      string // whose tests notice
	run      string // the test that does, or several as -run takes them
	open     bool   // no test notices
}

func (k known) String() string { return fmt.Sprintf("%s: %s (%s)", k.hurt, k.what, k.file) }

// mistake finds the place in the file.
func (k known) mistake(root string) (mistake, error) {
	src, err := os.ReadFile(filepath.Join(root, k.file))
	if err != nil {
		return mistake{}, err
	}
	if n := bytes.Count(src, []byte(k.old)); n != 1 {
		return mistake{}, fmt.Errorf("%s holds the text %d times, not once, that is to be replaced; change its place in the list:\n%s", k, n, k.old)
	}
	at := bytes.Index(src, []byte(k.old))
	return mistake{
		root: root, file: k.file, line: 1 + bytes.Count(src[:at], []byte("\n")),
		from: at, to: at + len(k.old), what: k.what, was: k.old, is: k.new,
	}, nil
}

// judgeKnown makes the known mistakes one by one, those whose text matches only, and
// runs the tests that are to notice. It fails if one isn't noticed.
func judgeKnown(root string, only *regexp.Regexp, limit time.Duration) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	made, noticed, missed := 0, 0, 0
	for _, k := range cases {
		if !only.MatchString(k.String()) {
			continue
		}
		m, err := k.mistake(root)
		if err != nil {
			return err
		}
		overlay, err := m.overlay(dir)
		if err != nil {
			return err
		}
		if strings.HasSuffix(k.file, ".go") {
			build := exec.Command("go", "build", "-overlay", overlay, "./"+filepath.ToSlash(filepath.Dir(k.file)))
			build.Dir = root
			if out, err := build.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: the mistake doesn't compile: %w: %s", k, err, out)
			}
		}
		made++
		start := time.Now()
		failed, _ := fails(root, limit, "-count", "1", "-overlay", overlay, "-run", k.run, k.pkg)
		verdict := "noticed"
		switch {
		case failed:
			noticed++
		case k.open:
			verdict = "unnoticed, as the list says"
		default:
			verdict = "UNNOTICED"
			missed++
		}
		fmt.Printf("%3d %s in %.0fs: %s\n", made, verdict, time.Since(start).Seconds(), k)
	}
	fmt.Printf("%d of %d noticed\n", noticed, made)
	if missed > 0 {
		return fmt.Errorf("%d mistakes are not noticed any more", missed)
	}
	return nil
}
