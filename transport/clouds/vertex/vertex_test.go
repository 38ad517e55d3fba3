package vertex

import (
	"net/http"
	"net/url"
	"testing"
)

// TestModelInPath keeps a model's id within its part of the path, whatever it holds.
func TestModelInPath(t *testing.T) {
	f := &form{models: "/v1/projects/p/locations/global/publishers/anthropic/models/"}
	for id, want := range map[string]string{
		"claude-haiku-4-5@20251001": "claude-haiku-4-5@20251001",
		"../../x":                   "..%2F..%2Fx",
		"a?b#c":                     "a%3Fb%23c",
		"a:streamRawPredict":        "a%3AstreamRawPredict",
		"%2e%2e%2fx":                "%252e%252e%252fx",
	} {
		req := &http.Request{URL: &url.URL{Scheme: "https", Host: "h"}}
		f.to(req, "/base", id, "rawPredict")
		if got, want := req.URL.String(), "https://h/base"+f.models+want+":rawPredict"; got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
