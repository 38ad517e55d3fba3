package media

import "encoding/binary"

// critical is a PNG without its ancillary chunks, such as color profiles, which
// don't make the picture: decoders other than Go's show it though a checksum of
// theirs is wrong. Other data, and a PNG that breaks off, is returned as it is.
func critical(data []byte) []byte {
	const signature = "\x89PNG\r\n\x1a\n"
	if len(data) < len(signature) || string(data[:len(signature)]) != signature {
		return data
	}
	out := []byte(signature)
	for rest := data[len(signature):]; len(rest) > 0; {
		if len(rest) < 12 {
			return data
		}
		size := uint64(binary.BigEndian.Uint32(rest)) + 12 // length, type, checksum
		if size > uint64(len(rest)) {
			return data
		}
		// The case of a type's first letter tells (RFC 2083, 3.3). The transparency of
		// a palette is kept: it is read together with the pixels.
		if rest[4]&0x20 == 0 || string(rest[4:8]) == "tRNS" {
			out = append(out, rest[:size]...)
		}
		if string(rest[4:8]) == "IEND" {
			break
		}
		rest = rest[size:]
	}
	return out
}
