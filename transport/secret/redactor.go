package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// shortest is the number of bytes from which a secret is looked for. Shorter ones
// are names of schemes or stand-ins, and would be found in ordinary words.
const shortest = 8

// A Redactor replaces secrets in text by [Redacted], in all forms in which programs
// write them: plain, escaped for URLs, JSON and HTML, in base64 alone or after other
// bytes, and in hexadecimal. Where a text was shortened, at its end or before an ellipsis,
// the beginning of a secret is replaced too. The zero Redactor changes nothing. A Redactor
// is immutable and safe for concurrent use.
//
// Its secrets are behind a function for the same reason as the text of a [Value].
type Redactor struct{ replace func(string) string }

// NewRedactor returns a Redactor for secrets. It ignores secrets of less than 8 bytes.
func NewRedactor(secrets ...Value) Redactor {
	var all []string
	for _, v := range secrets {
		if s := v.Reveal(); len(s) >= shortest {
			all = append(all, spellings(s)...)
		}
	}
	if len(all) == 0 {
		return Redactor{}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range slices.Compact(all) {
		pairs = append(pairs, s, Redacted)
	}
	whole := strings.NewReplacer(pairs...)
	return Redactor{func(s string) string { return withoutCut(whole.Replace(s), all) }}
}

const ellipsis = "…"

// withoutCut replaces what is left of secrets where a text was shortened: at its end, and
// before each ellipsis, which may follow on a quotation mark.
func withoutCut(s string, spelled []string) string {
	for end := len(s); end >= 0; end = strings.LastIndex(s[:end], ellipsis) {
		text := strings.TrimSuffix(s[:end], `"`)
		if n := begun(text, spelled); n > 0 {
			s = text[:len(text)-n] + Redacted + s[len(text):]
			end = len(text) - n
		}
	}
	return s
}

// begun is how many bytes of a secret a text ends in.
func begun(text string, spelled []string) int {
	most := 0
	for _, s := range spelled {
		for n := min(len(s)-1, len(text)); n >= shortest && n > most; n-- {
			if text[len(text)-n:] == s[:n] {
				most = n
			}
		}
	}
	return most
}

// Named reports whether a header or a parameter of that name holds a secret, by what is in
// the name: key, token, auth or the like, in any case.
func Named(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "sig") {
		return true
	}
	for _, part := range [...]string{"key", "token", "secret", "auth", "passw", "credential", "cookie", "signature"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// InQuery returns the secrets in the query of a URL: the values of parameters that are
// [Named] for a key, a token or the like.
func InQuery(u *url.URL) []Value {
	var found []Value
	query := u.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if Named(name) {
			for _, v := range query[name] {
				found = append(found, New(v))
			}
		}
	}
	return found
}

// InHeader returns the secrets in the headers of a request: the words of the headers
// that the official SDKs redact (wire §1.2), and of others that are [Named] for a key, a
// token or the like, as those of gateways are. For basic authentication it includes the
// password itself.
func InHeader(h http.Header) []Value {
	var found []Value
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if !Named(name) {
			continue
		}
		for _, v := range h[name] {
			for _, word := range strings.Fields(v) {
				found = append(found, New(word))
				if !strings.EqualFold(name, "cookie") {
					continue
				}
				if _, value, ok := strings.Cut(strings.TrimSuffix(word, ";"), "="); ok {
					found = append(found, New(value))
				}
			}
			if scheme, word, _ := strings.Cut(v, " "); strings.EqualFold(scheme, "basic") {
				if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(word)); err == nil {
					_, password, _ := strings.Cut(string(plain), ":")
					found = append(found, New(string(plain)), New(password))
				}
			}
		}
	}
	return found
}

// String returns s without the secrets.
func (r Redactor) String(s string) string {
	if r.replace == nil {
		return s
	}
	return r.replace(s)
}

// Bytes returns b without the secrets. It returns b itself if it contains none.
func (r Redactor) Bytes(b []byte) []byte {
	if r.replace == nil {
		return b
	}
	if clean := []byte(r.replace(string(b))); !bytes.Equal(clean, b) {
		return clean
	}
	return b
}

// Err returns err or, if its text contains a secret, an error that has only the
// redacted text.
func (r Redactor) Err(err error) error {
	if err == nil || r.replace == nil {
		return err
	}
	if clean := r.String(err.Error()); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}

// spellings are the ways in which a secret is written by programs.
func spellings(s string) []string {
	quoted, _ := json.Marshal(s)
	escaped := strings.ToLower(url.QueryEscape(s))
	all := []string{
		s, strings.ToLower(s), strings.ToUpper(s), // headers and hosts change the case
		url.QueryEscape(s), url.PathEscape(s), escaped, url.QueryEscape(url.QueryEscape(s)),
		string(quoted[1 : len(quoted)-1]), strings.ReplaceAll(s, "/", `\/`),
		html.EscapeString(s),
		hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))),
	}
	// Base64 of a text with the secret in it depends on where it begins: what doesn't
	// depend on its neighbours is looked for, for each of the three places. OAuth escapes
	// a secret before it becomes part of Basic credentials (RFC 6749, section 2.3.1).
	for _, text := range []string{s, url.QueryEscape(s)} {
		for at := range 3 {
			padded := append(make([]byte, at), text...)
			from := (at*8 + 5) / 6    // characters that hold bits of what stands before
			to := len(padded) * 8 / 6 // characters that hold bits of the secret alone
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				all = append(all, enc.EncodeToString(padded)[from:to])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
