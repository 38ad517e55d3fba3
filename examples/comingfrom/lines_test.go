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

// The guide tells how many lines each of the programs has that compile and run here,
// without blank lines and comments.
func TestLinesOfThePrograms(t *testing.T) {
	var got strings.Builder
	for _, name := range []string{"whorl", "genkit", "anthropicsdk", "fantasy", "langchaingo"} {
		src, err := os.ReadFile(filepath.Join(name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(src)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				n++
			}
		}
		fmt.Fprintf(&got, "%-19s%d\n", name, n)
	}
	const golden = "testdata/lines.txt"
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
