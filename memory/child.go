package memory

import (
	"iter"
	"maps"
	"slices"
)

// Child is a log that belongs to this one, such as that of a sub-agent, where
// neither has a store. begin makes it when it is asked for the first time; what it
// makes is kept for as long as the log. A [Log.Fork] has no children. If a log has
// a store, its children are the sessions that have it as their [Start.Parent].
func (l *Log) Child(name string, begin func() (*Log, error)) (*Log, error) {
	l.mu.RLock()
	child := l.children[name]
	l.mu.RUnlock()
	if child != nil {
		return child, nil
	}
	made, err := begin() // may read the log
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if child := l.children[name]; child != nil {
		return child, nil
	}
	if l.children == nil {
		l.children = make(map[string]*Log)
	}
	l.children[name] = made
	return made, nil
}

// Children yields the logs that [Log.Child] has made, with their names, in the
// order of these.
func (l *Log) Children() iter.Seq2[string, *Log] {
	return func(yield func(string, *Log) bool) {
		l.mu.RLock()
		children := maps.Clone(l.children)
		l.mu.RUnlock()
		for _, name := range slices.Sorted(maps.Keys(children)) {
			if !yield(name, children[name]) {
				return
			}
		}
	}
}
