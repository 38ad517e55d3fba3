package fetch

import (
	"net/url"
	"strings"
)

// encodeURL writes u in printable ASCII, without a user name: what else there is
// in it is percent-encoded, as are the signs that Markdown or a mark could read.
func encodeURL(u *url.URL) string {
	const hex = "0123456789ABCDEF"
	s := u.Redacted()
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"`{}|\\^", c) >= 0 {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
