package platforms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Platform is a host of Claude models.
type Platform string

// The platforms that this package simulates.
const (
	Bedrock         Platform = "bedrock"          // InvokeModel and its event stream
	BedrockMessages Platform = "bedrock-messages" // Bedrock's Messages endpoint
	AWS             Platform = "aws"              // Claude Platform on AWS
	Vertex          Platform = "vertex"
	GoogleCloud     Platform = "googlecloud" // Google Cloud's gateway
	Foundry         Platform = "foundry"
)

// All returns the platforms.
func All() []Platform {
	return []Platform{Bedrock, BedrockMessages, AWS, Vertex, GoogleCloud, Foundry}
}

// Options specify the platform, and the credentials that it accepts. If a credential is
// empty, requests must have one, but any value is accepted.
type Options struct {
	Platform Platform
	Next     http.Handler // answers in Anthropic's form; it must accept any key

	AccessKey, SecretKey, SessionToken string // for signatures; without a SecretKey, any signature is accepted
	Token                              string // the Bearer token or API key
	Region                             string // of AWS and of Vertex; empty accepts any
	Project                            string // of Google; empty accepts any
	Workspace                          string // of AWS and of Google's gateway; empty accepts any

	Now func() time.Time // nil means time.Now
}

// A front is the handler.
type front struct {
	Options
	host host
}

// A host is what differs between the platforms.
type host interface {
	// accept checks a request and gives it Anthropic's form. An error answers it.
	accept(f *front, req *http.Request, body []byte) (*http.Request, *refusal)
	// writer gives the answer the platform's form.
	writer(f *front, w http.ResponseWriter) answerWriter
	// refuse writes a refusal in the platform's form.
	refuse(w http.ResponseWriter, why *refusal)
}

type answerWriter interface {
	http.ResponseWriter
	done()
}

// A refusal is an answer of the platform's own.
type refusal struct {
	status        int
	name, message string
}

func refuse(status int, name, format string, args ...any) *refusal {
	return &refusal{status: status, name: name, message: fmt.Sprintf(format, args...)}
}

// New returns a handler that simulates a platform. It fails if Options.Next is nil or the
// platform is unknown.
func New(o Options) (http.Handler, error) {
	if o.Next == nil {
		return nil, errors.New("platforms: Options.Next is nil; set it to the server that answers")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	hosts := map[Platform]host{
		Bedrock: bedrock{}, Vertex: vertex{},
		BedrockMessages: plain{service: "bedrock-mantle", prefix: "/anthropic", rules: rules{models: bedrockModel, noMCP: true, noFallbacks: true, noFiles: true, noThreads: true, paths: []string{"/v1/messages", "/v1/messages/count_tokens"}}},
		AWS:             plain{service: "aws-external-anthropic", workspace: true, rules: rules{models: plainModel, noFast: true, absent: []string{"claude-mythos-5-1", "claude-mythos-5-2"}}},
		GoogleCloud:     googleCloud{},
		Foundry: plain{prefix: "/anthropic", key: true, rules: rules{models: plainModel, noFallbacks: true, noSystem: true, noFast: true, noTools: []string{"advisor_"},
			noPaths: []string{"/v1/models", "/v1/messages/batches"}}},
	}
	h, ok := hosts[o.Platform]
	if !ok {
		return nil, fmt.Errorf("platforms: the platform %q is unknown; use one of %v", o.Platform, All())
	}
	return &front{Options: o, host: h}, nil
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		f.host.refuse(w, refuse(http.StatusBadRequest, "ValidationException", "the body could not be read: %v", err))
		return
	}
	inner, why := f.host.accept(f, req, body)
	if why != nil {
		f.host.refuse(w, why)
		return
	}
	out := f.host.writer(f, w)
	f.Next.ServeHTTP(out, inner)
	out.done()
}

// inner makes the request in Anthropic's form.
func inner(req *http.Request, path string, body []byte, account string) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Path, out.URL.RawPath = path, ""
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "Api-Key"} {
		out.Header.Del(name)
	}
	out.Header.Set("X-Api-Key", account)
	return out
}

// rules are what a platform is known not to take.
type rules struct {
	models                                                   func(id string) (plain string, ok bool)
	paths                                                    []string // all that there are; nil for any
	noPaths                                                  []string // that aren't there, nor those below them
	absent                                                   []string // models
	noThreads, noMCP, noFallbacks, noFiles, noURLs, noSystem bool
	noFast, noContainer, noDiagnostics, noCompaction, noGeo  bool
	noTools                                                  []string // beginnings of wire types
	onlyTools                                                []string // server tools that there are; nil for any
	largest                                                  int      // body
}

// served reports whether there is an endpoint.
func (r *rules) served(path string) bool {
	if r.paths != nil {
		return slices.Contains(r.paths, path)
	}
	return !slices.ContainsFunc(r.noPaths, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}

var serverTools = []string{"web_search_2", "web_fetch_2", "code_execution_2", "tool_search_tool_", "advisor_2"}

// check looks for what the platform refuses in a body.
func (r *rules) check(body []byte) *refusal {
	bad := func(format string, args ...any) *refusal {
		return refuse(http.StatusBadRequest, "ValidationException", format, args...)
	}
	if r.largest > 0 && len(body) > r.largest {
		return refuse(http.StatusRequestEntityTooLarge, "ValidationException", "Input is too large: %d bytes", len(body))
	}
	for name, missing := range map[string]bool{
		"thread": r.noThreads, "mcp_servers": r.noMCP, "fallbacks": r.noFallbacks, "container": r.noContainer,
		"diagnostics": r.noDiagnostics, "compaction": r.noCompaction, "inference_geo": r.noGeo,
	} {
		if missing && rawjson.Get(body, name) != nil {
			return bad("%s: Extra inputs are not permitted", name)
		}
	}
	if r.noFast && rawjson.GetString(body, "speed") == "fast" {
		return bad("speed: fast mode is not available")
	}
	i := 0
	for tool := range rawjson.Elements(rawjson.Get(body, "tools")) {
		t := rawjson.GetString(tool, "type")
		isServer := slices.ContainsFunc(serverTools, func(p string) bool { return strings.HasPrefix(t, p) })
		if isServer && r.onlyTools != nil && !slices.Contains(r.onlyTools, t) || slices.ContainsFunc(r.noTools, func(p string) bool { return strings.HasPrefix(t, p) }) {
			return bad("tools.%d: tool type '%s' is not supported", i, t)
		}
		i++
	}
	i = 0
	for m := range rawjson.Elements(rawjson.Get(body, "messages")) {
		if r.noSystem && rawjson.GetString(m, "role") == "system" {
			return bad("messages.%d.role: Input should be 'user' or 'assistant'", i)
		}
		if place, kind := source(rawjson.Get(m, "content"), fmt.Sprintf("messages.%d.content", i), r.noURLs, r.noFiles); place != "" {
			return bad("%s.source.base64.data: %s sources are not supported", place, kind)
		}
		i++
	}
	return nil
}

// source finds a source of a kind that isn't there, in a list of blocks or in the
// results among them.
func source(content []byte, place string, noURLs, noFiles bool) (string, string) {
	if len(content) == 0 || content[0] != '[' {
		return "", ""
	}
	j := 0
	for b := range rawjson.Elements(content) {
		here := fmt.Sprintf("%s.%d", place, j)
		switch rawjson.GetString(b, "type") {
		case "image", "document":
			switch kind := rawjson.GetString(rawjson.Get(b, "source"), "type"); {
			case kind == "url" && noURLs:
				return here, "URL"
			case kind == "file" && noFiles:
				return here, "file"
			}
		case "tool_result":
			if found, kind := source(rawjson.Get(b, "content"), here+".content", noURLs, noFiles); found != "" {
				return found, kind
			}
		}
		j++
	}
	return "", ""
}

// asis passes the answer on.
type asis struct{ http.ResponseWriter }

func (asis) done() {}

func (w asis) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func quote(s string) string { return string(rawjson.AppendString(nil, s)) }
