package blob

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
)

var encoding = base64.StdEncoding.Strict()

// The values of a byte of base64 in each of the four places of a group, and notBase64 for
// other bytes. With them a payload is decoded in half of the time of encoding/base64, which
// is most of what putting it aside costs.
var first, second, third, fourth = sextets(18), sextets(12), sextets(6), sextets(0)

const notBase64 = 1 << 31

func sextets(shift int) (values [256]uint32) {
	for i := range values {
		values[i] = notBase64
	}
	for v, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		values[c] = uint32(v) << shift
	}
	return values
}

// decode appends the bytes of a base64 to dst. It reports whether encoding them gives s
// again: it has padding where it needs it, no line breaks, and no bits that are lost.
func decode(dst, s []byte) ([]byte, bool) {
	if len(s)%4 != 0 {
		return dst, false
	}
	n := len(dst)
	size := n + encoding.DecodedLen(len(s))
	out := slices.Grow(dst, size-n)[:size]
	left, ok := decodeGroups(out[n:], s)
	if !ok {
		return dst, false
	}
	s, n = s[len(s)-left:], size-encoding.DecodedLen(left)
	k, err := encoding.Decode(out[n:], s)
	// The decoder passes over line breaks, which would be missing afterwards.
	if err != nil || encoding.EncodedLen(k) != len(s) {
		return dst, false
	}
	return out[:n+k], true
}

// decodeGroups decodes all of s but its last groups, and returns their length.
func decodeGroups(dst, s []byte) (left int, ok bool) {
	bad := uint32(0)
	for len(s) > 16 && len(dst) > 12 {
		a := first[s[0]] | second[s[1]] | third[s[2]] | fourth[s[3]]
		b := first[s[4]] | second[s[5]] | third[s[6]] | fourth[s[7]]
		bad |= a | b
		binary.BigEndian.PutUint64(dst, uint64(a)<<40|uint64(b)<<16)
		s, dst = s[8:], dst[6:]
	}
	return len(s), bad&notBase64 == 0
}
