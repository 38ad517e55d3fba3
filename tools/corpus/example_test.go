package corpus_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/whorl-go/whorl/tools/corpus"
)

func Example() {
	dir, err := os.MkdirTemp("", "corpus")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	note := "Snails\n\nA shell grows by laying each whorl on the ones before it.\n"
	if err := os.WriteFile(filepath.Join(dir, "shells.txt"), []byte(note), 0o644); err != nil {
		log.Fatal(err)
	}

	c, err := corpus.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	found, err := c.Search(context.Background(), "How does a shell grow?", "", 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range found.Hits[0].Lines {
		fmt.Printf("%s:%d: %s\n", found.Hits[0].Path, line.Number, line.Text)
	}
	// Output:
	// shells.txt:3: A shell grows by laying each whorl on the ones before it.
}
