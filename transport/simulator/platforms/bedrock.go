package platforms

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// bedrock is InvokeModel.
type bedrock struct{}

var bedrockRules = rules{
	models: bedrockModel, noThreads: true, noMCP: true, noFallbacks: true, noFiles: true, noURLs: true, noFast: true, noContainer: true,
	noDiagnostics: true, noCompaction: true, noGeo: true, onlyTools: []string{}, largest: 20 << 20,
}

var bedrockName = regexp.MustCompile(`^(?:(?:global|us|eu|apac|jp|au|ca|us-gov)\.)?anthropic\.(claude-.*?)(?:-v[0-9]+(?::[0-9]+)?)?$`)

// bedrockModel is the Claude API's id of a model of Bedrock.
func bedrockModel(id string) (string, bool) {
	m := bedrockName.FindStringSubmatch(id)
	if m == nil {
		return "", false
	}
	return plainModel(m[1])
}

func plainModel(id string) (string, bool) {
	if _, ok := models.Lookup(id); !ok {
		return "", false
	}
	return id, true
}

// older are the models that do not take version 2026-10-21 and a cache_control on top
// (wire §14.1).
var older = []string{"claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"}

func isOlder(id string) bool {
	for _, o := range older {
		if strings.HasPrefix(id, o) {
			return true
		}
	}
	return false
}

func (bedrock) accept(f *front, req *http.Request, body []byte) (*http.Request, *refusal) {
	account, why := f.signed(req, body, "bedrock")
	if why != nil {
		return nil, why
	}
	rest, ok := strings.CutPrefix(req.URL.EscapedPath(), "/model/")
	name, action, _ := strings.Cut(rest, "/")
	stream := action == "invoke-with-response-stream"
	id, err := url.PathUnescape(name)
	if !ok || err != nil || action != "invoke" && !stream || req.Method != http.MethodPost {
		return nil, refuse(http.StatusNotFound, "UnknownOperationException", "")
	}
	model, ok := bedrockModel(id)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "The provided model identifier is invalid.")
	}
	for _, h := range []string{"Anthropic-Version", "Anthropic-Beta"} {
		if req.Header.Get(h) != "" {
			return nil, refuse(http.StatusBadRequest, "ValidationException", "the header %s belongs into the body", h)
		}
	}
	for _, member := range []string{"model", "stream"} {
		if rawjson.Get(body, member) != nil {
			return nil, refuse(http.StatusBadRequest, "ValidationException", "%s: Extra inputs are not permitted", member)
		}
	}
	if why := bedrockRules.check(body); why != nil {
		return nil, why
	}
	if isOlder(model) && rawjson.Get(body, "cache_control") != nil {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "cache_control: Extra inputs are not permitted")
	}
	version := rawjson.GetString(body, "anthropic_version")
	switch {
	case version == "bedrock-2023-05-31":
		version = "2023-06-01"
	case version == "":
		return nil, refuse(http.StatusBadRequest, "ValidationException", "anthropic_version: Field required")
	case version != "2026-10-21" || isOlder(model):
		return nil, refuse(http.StatusBadRequest, "ValidationException", "anthropic_version: Input should be 'bedrock-2023-05-31'")
	}
	out, why := reform(req, body, model, stream, account, version)
	if why != nil {
		return nil, why
	}
	var betas []string
	for b := range rawjson.Elements(rawjson.Get(body, "anthropic_beta")) {
		betas = append(betas, rawjson.Unquote(b))
	}
	if betas != nil {
		out.Header.Set("Anthropic-Beta", strings.Join(betas, ","))
	}
	return out, nil
}

// reform makes the request of the Claude API of one whose model is in its path.
func reform(req *http.Request, body []byte, model string, stream bool, account, version string) (*http.Request, *refusal) {
	if !rawjson.Valid(body) || rawjson.Trim(body)[0] != '{' {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "Malformed input request, please reformat your input and try again.")
	}
	made := []byte(`{"model":` + quote(model))
	if stream {
		made = append(made, `,"stream":true`...)
	}
	for name, value := range rawjson.Members(body) {
		if name == "anthropic_version" || name == "anthropic_beta" || name == "user_profile_id" || name == "stream" && stream {
			continue
		}
		made = append(append(append(made, ","+quote(name)+":"...), value...), nil...)
	}
	out := inner(req, "/v1/messages", append(made, '}'), account)
	out.Header.Set("Anthropic-Version", version)
	return out, nil
}

func (bedrock) writer(_ *front, w http.ResponseWriter) answerWriter {
	return &bedrockWriter{ResponseWriter: w}
}

func (bedrock) refuse(w http.ResponseWriter, why *refusal) {
	w.Header().Set("X-Amzn-Requestid", "11111111-2222-3333-4444-555555555555")
	writeBedrockError(w, why)
}
