package platforms

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Signature Version 4, as the "AWS Signature Version 4 for API requests" pages of the
// IAM User Guide describe it. This is the side that checks.

// signed checks the signature of a request, or the Bearer token in its place, and
// returns who asks.
func (f *front) signed(req *http.Request, body []byte, service string) (account string, why *refusal) {
	auth := req.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(auth, "Bearer "); ok {
		if token == "" || f.Token != "" && token != f.Token {
			return "", refuse(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
		}
		return token, nil
	}
	list, ok := strings.CutPrefix(auth, "AWS4-HMAC-SHA256 ")
	if !ok {
		return "", refuse(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(list, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || parts["Signature"] == "" || parts["SignedHeaders"] == "" {
		return "", refuse(http.StatusForbidden, "IncompleteSignatureException", "The request signature does not conform to AWS standards.")
	}
	key, day, region, forService := scope[0], scope[1], scope[2], scope[3]
	at, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
	names := strings.Split(parts["SignedHeaders"], ";")
	switch {
	case err != nil || at.Format("20060102") != day:
		return "", refuse(http.StatusForbidden, "IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.")
	case !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") || !slices.IsSorted(names):
		return "", refuse(http.StatusForbidden, "IncompleteSignatureException", "'Host' or 'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.")
	case at.Before(f.Now().Add(-5 * time.Minute)):
		return "", refuse(http.StatusForbidden, "InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)", at.Format("20060102T150405Z"), f.Now().UTC().Add(-5*time.Minute).Format("20060102T150405Z"), f.Now().UTC().Format("20060102T150405Z"))
	case at.After(f.Now().Add(5 * time.Minute)):
		return "", refuse(http.StatusForbidden, "InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 5 min.)", at.Format("20060102T150405Z"), f.Now().UTC().Add(5*time.Minute).Format("20060102T150405Z"), f.Now().UTC().Format("20060102T150405Z"))
	case forService != service:
		return "", refuse(http.StatusForbidden, "InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", service)
	case f.Region != "" && region != f.Region:
		return "", refuse(http.StatusForbidden, "InvalidSignatureException", "Credential should be scoped to a valid region.")
	case f.AccessKey != "" && key != f.AccessKey:
		return "", refuse(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
	case f.SessionToken != "" && req.Header.Get("X-Amz-Security-Token") != f.SessionToken:
		return "", refuse(http.StatusForbidden, "ExpiredTokenException", "The security token included in the request is expired")
	}
	if f.SecretKey == "" {
		return key, nil
	}
	if want := signature(req, body, names, f.SecretKey, region, forService, at); !hmac.Equal([]byte(want), []byte(parts["Signature"])) {
		return "", refuse(http.StatusForbidden, "InvalidSignatureException", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return key, nil
}

// signature is the signature that a request should have.
func signature(req *http.Request, body []byte, names []string, secret, region, service string, at time.Time) string {
	var b strings.Builder
	b.WriteString(req.Method + "\n" + canonicalPath(req.URL) + "\n" + canonicalQuery(req.URL) + "\n")
	for _, name := range names {
		values := req.Header.Values(name)
		switch name {
		case "host":
			values = []string{req.Host}
		case "content-length":
			values = []string{cmp.Or(req.Header.Get("Content-Length"), itoa(req.ContentLength))}
		}
		for i := range values {
			values = slices.Clone(values)
			values[i] = strings.Join(strings.Fields(values[i]), " ")
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	sum := sha256.Sum256(body)
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + cmp.Or(req.Header.Get("X-Amz-Content-Sha256"), hex.EncodeToString(sum[:])))
	canonical := sha256.Sum256([]byte(b.String()))
	day := at.Format("20060102")
	toSign := "AWS4-HMAC-SHA256\n" + at.Format("20060102T150405Z") + "\n" + day + "/" + region + "/" + service + "/aws4_request\n" + hex.EncodeToString(canonical[:])
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, service, "aws4_request", toSign} {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(part))
		key = h.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// canonicalPath encodes the path as it came once more: all services but S3 do.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c == '/' || unreserved(c) {
			b.WriteByte(c)
		} else {
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// canonicalQuery is the query encoded and sorted, by names and then by values.
func canonicalQuery(u *url.URL) string {
	var pairs [][2]string
	for name, values := range u.Query() {
		for _, v := range values {
			pairs = append(pairs, [2]string{encode(name), encode(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

// encode is s as a part of a query.
func encode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
