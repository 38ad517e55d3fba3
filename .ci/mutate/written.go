package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// written reads mistakes that somebody has written down. Those whose place isn't found
// any more, because the code has changed, are gone.
func written(root, path string) (all []mistake, gone []error, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	var list []struct{ Hurt, What, File, Old, New, Also, Stays, By string }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, w := range list {
		m, err := known{hurt: w.Hurt, what: w.What, file: w.File, old: w.Old, new: w.New}.mistake(root)
		if err != nil {
			gone = append(gone, err)
			continue
		}
		m.what, m.written, m.also, m.stays = w.Hurt+": "+w.What, true, strings.Fields(w.Also), w.Stays
		if w.By != "" {
			_, in := packageOf(root, w.File)
			test := w.By
			if pkg, name, ok := strings.Cut(w.By, " "); ok {
				in, test = pkg, name
			}
			m.by = []string{"-run", "^" + test + "$", in}
		}
		all = append(all, m)
	}
	return all, gone, nil
}
