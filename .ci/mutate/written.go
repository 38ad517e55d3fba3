package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// written reads mistakes that somebody has written down. One whose place isn't found is
// an error.
func written(root, path string) ([]mistake, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []struct{ Hurt, What, File, Old, New, Also string }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []mistake
	for _, w := range list {
		m, err := known{hurt: w.Hurt, what: w.What, file: w.File, old: w.Old, new: w.New}.mistake(root)
		if err != nil {
			return nil, err
		}
		m.what, m.written, m.also = w.Hurt+": "+w.What, true, strings.Fields(w.Also)
		all = append(all, m)
	}
	return all, nil
}
