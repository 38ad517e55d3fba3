package platforms

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"
	"time"
)

// A vector is a request and its signature, of AWS's published test suite for
// Signature Version 4 (as in github.com/boto/botocore, tests/unit/auth, Apache-2.0).
type vector struct{ Name, Request, Authorization string }

func vectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/sigv4.json")
	var all []vector
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) < 30 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

// parse reads the request of a vector.
func (v vector) parse(t *testing.T) (req *http.Request, body string) {
	t.Helper()
	head, body, _ := strings.Cut(v.Request, "\n\n")
	lines := strings.Split(head, "\n")
	first := strings.TrimSuffix(lines[0], " HTTP/1.1")
	method, target, _ := strings.Cut(first, " ")
	where, query, _ := strings.Cut(target, "?")
	req = &http.Request{Method: method, Header: http.Header{}, URL: &url.URL{Path: where, RawQuery: query}, ContentLength: int64(len(body))}
	last := ""
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, " ") { // goes on with the line before
			values := req.Header[last]
			values[len(values)-1] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		last = http.CanonicalHeaderKey(name)
		if last == "Host" {
			req.Host = value
			continue
		}
		req.Header[last] = append(req.Header[last], value)
	}
	return req, body
}

// TestVectors checks AWS's published vectors. The suite normalizes paths, which no
// service that plays a part here does, nor does any client here send such paths.
func TestVectors(t *testing.T) {
	checked := 0
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, v := range vectors(t) {
		switch base := path.Base(v.Name); {
		case strings.HasPrefix(v.Name, "normalize-path/get-relative"), strings.HasPrefix(v.Name, "normalize-path/get-slash"):
			continue // of dots and empty segments
		case base == "get-utf8", base == "get-space":
			continue // of a path that HTTP doesn't carry, as it isn't encoded
		}
		checked++
		t.Run(v.Name, func(t *testing.T) {
			req, body := v.parse(t)
			if path.Base(v.Name) == "get-vanilla-with-session-token" { // the suite adds it
				req.Header.Set("X-Amz-Security-Token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")
			}
			parts := map[string]string{}
			for p := range strings.SplitSeq(strings.TrimPrefix(v.Authorization, "AWS4-HMAC-SHA256 "), ", ") {
				name, value, _ := strings.Cut(p, "=")
				parts[name] = value
			}
			const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
			if got := signature(req, []byte(body), strings.Split(parts["SignedHeaders"], ";"), secret, "us-east-1", "service", at); got != parts["Signature"] {
				t.Errorf("%s\n%s", got, v.Authorization)
			}
		})
	}
	if checked != 26 {
		t.Errorf("%d vectors were checked", checked)
	}
}
