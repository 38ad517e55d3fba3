package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Platform is a host that the simulator can simulate. The zero value is the Claude API.
type Platform string

// PlatformCometAPI is the proxy of that name, as far as its page describes it (wire
// §14.2, G85): both headers for the key, no version needed, its own spellings of a
// mark's ttl and of the type of a format, ids of Bedrock, a minimum of 1,024 tokens
// for the cache, server tools of 2025 only, answers that lack members, and errors
// of its own form where it answers itself. Endpoints that it doesn't describe
// (counting, batches, files, models) aren't there; for all else the rules of the
// API hold.
const PlatformCometAPI Platform = "cometapi"

func (s *Server) isComet() bool { return s.opts.Platform == PlatformCometAPI }

// cometError is an answer of the proxy itself.
func cometError(status int, code, message string) *Refusal {
	return &Refusal{Status: status, Type: "comet_api_error", Code: code, Message: message, proxy: true}
}

// proxyBody is the form of the proxy's own errors.
func (r *Refusal) proxyBody() []byte {
	return []byte(`{"error":{"message":` + quote(r.Message) + `,"type":` + quote(string(r.Type)) + `,"code":` + quote(r.Code) + `}}`)
}

// routeComet is route for the one path of the proxy.
func (s *Server) routeComet(w http.ResponseWriter, req *http.Request, ex *Exchange) *Refusal {
	account, why := s.authenticate(req.Header)
	if why != nil {
		return cometError(why.Status, "invalid_token", "invalid token")
	}
	if path := strings.TrimSuffix(req.URL.Path, "/"); req.Method != http.MethodPost || path != "/v1/messages" {
		return cometError(http.StatusNotFound, "", fmt.Sprintf("Invalid URL (%s %s)", req.Method, req.URL.Path))
	}
	return s.answerMessages(w, req, &request{account: account}, ex)
}

var cometTTL = regexp.MustCompile(`("ttl"\s*:\s*")ephemeral_(5m|1h)"`)

// fromComet turns the proxy's spellings into the API's. In a string the quotes
// would be escaped, so that the first is a member wherever it matches.
func fromComet(body []byte) []byte {
	body = cometTTL.ReplaceAll(body, []byte(`$1$2"`))
	if !rawjson.Valid(body) {
		return body // refused further on
	}
	at := 0
	for _, name := range []string{"output_config", "format", "type"} {
		start, end, ok := rawjson.Span(body[at:], name)
		if !ok {
			return body
		}
		if at += start; name != "type" {
			continue
		}
		if string(body[at:at+end-start]) == `"json"` {
			body = bytes.Join([][]byte{body[:at], []byte(`"json_schema"`), body[at+end-start:]}, nil)
		}
	}
	return body
}

// cometTools are the versions of the server tools that the page names.
var cometTools = map[string]bool{"web_search_20250305": true, "web_fetch_20250910": true, "code_execution_20250522": true}

// checkComet refuses what is known not to be there behind the proxy: newer server
// tools, message threads, and models without a channel (wire G85).
func (r *request) checkComet() *Refusal {
	if r.has("thread") {
		return refuse("thread: Extra inputs are not permitted")
	}
	if r.tools == nil {
		return nil
	}
	for i := range r.tools.tools {
		if typ := string(r.tools.tools[i].typ); serverToolOf(typ) != "" && !cometTools[typ] {
			return refuse("tools.%d: tool type '%s' is not supported", i, typ)
		}
	}
	return nil
}

// cometModel is the refusal of a model that the proxy has no channel for.
func cometModel(name string) *Refusal {
	return cometError(http.StatusServiceUnavailable, "model_not_found", "No available channel for model "+name)
}

// cometID gives an id the mark of Bedrock.
func cometID(name string) string {
	switch name {
	case "msg_", "toolu_", "srvtoolu_":
		return name + "bdrk_"
	}
	return name
}
