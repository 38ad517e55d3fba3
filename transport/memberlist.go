package transport

import (
	"bytes"
	"slices"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A memberList is an object that was taken apart, to be changed. Its keys and values
// point into other text.
type memberList []objectMember

type objectMember struct {
	key   []byte // as it stands between its quotes
	value []byte
}

// parse makes a list of the members of a valid object, in the room of l.
func (l memberList) parse(object []byte) memberList {
	l = l[:0]
	for key, v := range rawjson.Fields(object) {
		l = append(l, objectMember{key, v})
	}
	return l
}

// find returns the index of the last member that has the key, or -1.
func (l memberList) find(key []byte) int {
	for i := len(l) - 1; i >= 0; i-- {
		if string(l[i].key) == string(key) {
			return i
		}
	}
	for i := len(l) - 1; i >= 0; i-- { // nobody escapes a key, but it is JSON
		if k := l[i].key; (bytes.IndexByte(k, '\\') >= 0 || bytes.IndexByte(key, '\\') >= 0) && plainKey(k) == plainKey(key) {
			return i
		}
	}
	return -1
}

func plainKey(key []byte) string {
	return rawjson.Unquote(slices.Concat([]byte{'"'}, key, []byte{'"'}))
}

// get is the value of the named member, or nil.
func (l memberList) get(name string) []byte {
	if i := l.find([]byte(name)); i >= 0 {
		return l[i].value
	}
	return nil
}

// set gives a member another value, or adds it. A null replaces nothing.
func (l memberList) set(key, value []byte) memberList {
	switch i := l.find(key); {
	case i < 0:
		return append(l, objectMember{key, value})
	case !rawjson.IsNull(value):
		l[i].value = value
	}
	return l
}

// size is the length of the members, each with a comma.
func (l memberList) size() (n int) {
	for _, m := range l {
		n += len(`"":,`) + len(m.key) + len(m.value)
	}
	return n
}

// write writes the object in the room of dst. From then on the list points into that.
func (l memberList) write(dst []byte) []byte {
	dst = append(slices.Grow(dst[:0], l.size()+len(`{}`)), '{')
	for i := range l {
		m := &l[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), m.key...), '"', ':')
		colon := len(dst)
		dst = append(dst, m.value...)
		key := dst[colon-len(`":`)-len(m.key):]
		m.key, m.value = key[:len(m.key)], dst[colon:len(dst):len(dst)]
	}
	return append(dst, '}')
}
