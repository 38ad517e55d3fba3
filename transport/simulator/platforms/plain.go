package platforms

import (
	"net/http"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// plain is a platform that has the Claude API's own form behind credentials of its
// own.
type plain struct {
	service   string // that is signed for; empty for a key
	key       bool   // x-api-key, or a Bearer token
	prefix    string // of the path
	workspace bool   // anthropic-workspace-id is required
	rules     rules
}

func (p plain) accept(f *front, req *http.Request, body []byte) (*http.Request, *refusal) {
	path, ok := strings.CutPrefix(req.URL.Path, p.prefix)
	if !ok || !strings.HasPrefix(path, "/v1/") || !p.rules.served(path) {
		return nil, refuse(http.StatusNotFound, "not_found_error", "Not found")
	}
	var account string
	var why *refusal
	if p.key {
		if account, why = f.keyed(req); why != nil {
			return nil, why
		}
	} else if account, why = f.signed(req, body, p.service); why != nil {
		return nil, why
	}
	if id := req.Header.Get("Anthropic-Workspace-Id"); p.workspace && (id == "" || f.Workspace != "" && id != f.Workspace) {
		return nil, refuse(http.StatusBadRequest, "invalid_request_error", "anthropic-workspace-id: header is required")
	}
	if path != "/v1/messages" && path != "/v1/messages/count_tokens" {
		return inner(req, path, body, account), nil
	}
	if why := p.rules.check(body); why != nil {
		return nil, why
	}
	id := rawjson.GetString(body, "model")
	model, ok := p.rules.models(id)
	if !ok || slices.Contains(p.rules.absent, model) {
		return nil, refuse(http.StatusNotFound, "not_found_error", "model: %s", id)
	}
	if start, end, ok := rawjson.Span(body, "model"); ok && model != id {
		body = slices.Concat(body[:start], []byte(quote(model)), body[end:])
	}
	return inner(req, path, body, account), nil
}

// keyed checks an API key, or a token in its place.
func (f *front) keyed(req *http.Request) (string, *refusal) {
	key := req.Header.Get("X-Api-Key")
	if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok && key == "" {
		key = token
	}
	if key == "" || f.Token != "" && key != f.Token {
		return "", refuse(http.StatusUnauthorized, "authentication_error", "Access denied due to invalid subscription key or wrong API endpoint.")
	}
	return key, nil
}

func (p plain) writer(_ *front, w http.ResponseWriter) answerWriter {
	p.mark(w)
	return asis{w}
}

// mark adds the platform's own id of a request.
func (p plain) mark(w http.ResponseWriter) {
	if p.service != "" {
		w.Header().Set("X-Amzn-Requestid", "11111111-2222-3333-4444-555555555555")
	} else {
		w.Header().Set("Apim-Request-Id", "11111111-2222-3333-4444-555555555555")
	}
}

func (p plain) refuse(w http.ResponseWriter, why *refusal) {
	p.mark(w)
	typ := why.name
	if strings.HasSuffix(typ, "Exception") {
		typ = map[int]string{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large"}[why.status]
		if why.status == http.StatusForbidden && typ == "permission_error" && why.name != "AccessDeniedException" {
			typ = "authentication_error"
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(why.status)
	w.Write([]byte(`{"type":"error","error":{"type":` + quote(typ) + `,"message":` + quote(why.message) + `}}`))
}
