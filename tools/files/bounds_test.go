package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"time"
)

func TestProgramIsBoundedBeforeItIsCompiled(t *testing.T) {
	for _, expression := range []string{
		`foo`, `^\s*func (\w+)\(`, `[a-z]{3,17}`, `(a|b|cd)*x`, `.{0,100}`, `(ab){5}`, `(?i)straße`, `a??b+?c*?`, `()`, `x{0}`, `(x{2,}){3}`, `\pL\b\d$`, `((a{10}){10}){10}`,
	} {
		size, err := bounded(expression, maxProgram)
		if err != nil {
			t.Errorf("%s is refused: %v", expression, err)
			continue
		}
		tree, err := syntax.Parse(expression, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(tree.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if real := len(program.Inst); size < real/2 || size > 8*real {
			t.Errorf("%s has %d instructions, estimated at %d", expression, real, size)
		}
	}
	for _, expression := range []string{
		strings.Repeat("(a?){1000}", 90), strings.Repeat(`(\w?){1000}`, 90), `((a?){100}){10}((a?){100}){10}((a?){100}){10}`, strings.Repeat(".{1000}", 9),
		"(?:" + strings.Repeat("(?:x|y?){500}", 9) + ")", strings.Repeat(`\pL{999}`, 99),
	} {
		if size, err := bounded(expression, maxProgram); err == nil || !strings.Contains(err.Error(), "too costly") || size > maxProgram+1 {
			t.Errorf("%.40s is accepted: size %d, %v", expression, size, err)
		}
	}
}

// started makes a search over a folder with one file.
func started(t *testing.T, ctx context.Context, expression, content string) *search {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.txt"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	program, err := bounded(expression, maxProgram)
	if err != nil {
		t.Fatal(err)
	}
	return &search{folder: &folder{Options: Options{}.withDefaults(), root: root}, ctx: ctx, re: regexp.MustCompile(expression), program: int64(program)}
}

func TestSearchCountsItsSteps(t *testing.T) {
	s := started(t, t.Context(), "(?:a?){900}b", strings.Repeat(strings.Repeat("a", 99)+"\n", 20_000)) // 2 MB at thousands of steps a byte
	err := s.file("f.txt")
	if !errors.Is(err, errStopped) || s.steps > 0 {
		t.Errorf("error is %v after %d steps", err, s.steps)
	}
	s = started(t, t.Context(), "b", strings.Repeat("a\n", 100))
	for range 3 {
		if err := s.file("f.txt"); err != nil {
			t.Fatal(err)
		}
	}
	if s.steps < 3*200 || s.bytes != 3*200 || s.files != 3 {
		t.Errorf("%d steps, %d bytes, %d files", s.steps, s.bytes, s.files)
	}
	s.bytes = maxSearched - 100
	if err := s.file("f.txt"); !errors.Is(err, errStopped) {
		t.Errorf("more than the bytes of a search: %v", err)
	}
}

// ending is a context that ends after it was looked at some times.
type ending struct {
	context.Context
	left int
}

func (e *ending) Err() error {
	if e.left--; e.left < 0 {
		return context.Canceled
	}
	return nil
}

func (e *ending) Done() <-chan struct{}       { return nil }
func (e *ending) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestSearchEndsWithItsContext(t *testing.T) {
	long := strings.Repeat("a", 300_000)
	for name, content := range map[string]string{
		"between lines":     strings.Repeat(strings.Repeat("a", 100)+"\n", 3_000),
		"inside of a line":  long + "\n" + long,
		"in the first line": long,
	} {
		left := 3
		if name == "in the first line" {
			left = 0
		}
		s := started(t, &ending{t.Context(), left}, "(?:a?){100}c", content)
		err := s.file("f.txt")
		if err == nil || errors.Is(err, errStopped) {
			t.Errorf("%s: error is %v", name, err)
		}
		if most := int64(left+2) * 2 * restSteps; s.steps > max(most, int64(len(long)+1)*s.program) {
			t.Errorf("%s: %d steps were begun", name, s.steps)
		}
	}
}

func TestLineThatEnds(t *testing.T) {
	line := &cancelled{ctx: &ending{context.Background(), 2}, Reader: strings.NewReader(strings.Repeat("a", 1000)), every: 10}
	n := 0
	for ; n < 1000; n++ {
		if _, _, err := line.ReadRune(); err != nil {
			break
		}
	}
	if n != 29 {
		t.Errorf("%d characters were read after the context had ended; want 29", n)
	}
}

func TestPatternsAreBounded(t *testing.T) {
	f := &folder{Options: Options{}.withDefaults()}
	for _, pattern := range []string{strings.Repeat("*a", 240), strings.Repeat("{ab,cd}", 99), strings.Repeat("**/a/", 99), strings.Repeat("x", 501)} {
		if _, err := f.glob(pattern); err == nil {
			t.Errorf("%.20s… is accepted", pattern)
		}
	}
	if g, err := f.glob(strings.Repeat("**/", 160) + "x"); err != nil || !g.match(".", "a/x") {
		t.Errorf("repeated **/ : %v", err)
	}
}

func TestNearlyIsBounded(t *testing.T) {
	line := strings.Repeat("x ", 1000) + "\n"
	text := strings.Repeat(line, 1000)
	if got := nearly(text, strings.Repeat(line, 500)+" y"); got != "" {
		t.Errorf("%s", got)
	}
	if got := nearly("a\n  b\nc\n", "a\nb"); got != ", but lines 1 to 2 differ from it in white space only" {
		t.Errorf("%q", got)
	}
}
