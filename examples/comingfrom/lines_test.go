package comingfrom

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// The guide tells how many lines each of the programs has, without blank lines and
// comments.
func TestLinesOfThePrograms(t *testing.T) {
	checkLines(t, "testdata/lines.txt",
		"whorl/main.go", "genkit/main.go", "anthropicsdk/main.go", "fantasy/main.go", "langchaingo/main.go", "aisdk/main.mjs", "pydanticai/main.py")
	checkLines(t, "testdata/server.txt", "../server/least/main.go")
}

func checkLines(t *testing.T, golden string, names ...string) {
	t.Helper()
	var got strings.Builder
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		comment := "//"
		if filepath.Ext(name) == ".py" {
			comment = "#"
		}
		n := 0
		for line := range strings.Lines(string(src)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, comment) {
				n++
			}
		}
		fmt.Fprintf(&got, "%-23s%d\n", strings.TrimPrefix(name, "../"), n)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != got.String() {
		t.Errorf("%v; got\n%swant\n%s", err, &got, want)
	}
}
