package rewind

import (
	"os"
	"strings"
)

// A oneName gives each file one name, where the folder's disk takes names that differ in
// case only for the same: the one by which a change named it first.
type oneName struct {
	root  *os.Root
	names map[string][]string // by the name in lower case
}

func (o *oneName) of(name string) string {
	if o.names == nil {
		o.names = map[string][]string{}
	}
	lower := strings.ToLower(name)
	for _, known := range o.names[lower] {
		if known == name || o.same(known, name) {
			return known
		}
	}
	o.names[lower] = append(o.names[lower], name)
	return name
}

func (o *oneName) same(a, b string) bool {
	x, err := o.root.Lstat(a)
	if err != nil {
		return false
	}
	y, err := o.root.Lstat(b)
	return err == nil && os.SameFile(x, y)
}
