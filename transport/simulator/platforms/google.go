package platforms

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// vertex is Vertex AI: the model in the path, the version in the body.
type vertex struct{}

var vertexRules = rules{
	models: vertexModel, noThreads: true, noMCP: true, noFallbacks: true, noFiles: true, noURLs: true, noFast: true, noContainer: true,
	noDiagnostics: true, noGeo: true, onlyTools: []string{"web_search_20250305", "tool_search_tool_regex_20251119", "tool_search_tool_bm25_20251119"}, largest: 30 << 20,
}

var datedName = regexp.MustCompile(`^(claude-.*)@([0-9]{8})$`)

func vertexModel(id string) (string, bool) {
	if m := datedName.FindStringSubmatch(id); m != nil {
		return plainModel(m[1] + "-" + m[2])
	}
	return plainModel(id)
}

// bearer checks Google's token.
func (f *front) bearer(req *http.Request) (string, *refusal) {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" || f.Token != "" && token != f.Token {
		return "", refuse(http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.")
	}
	if req.Header.Get("X-Api-Key") != "" || req.Header.Get("Anthropic-Workspace-Id") != "" {
		return "", refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "x-api-key and anthropic-workspace-id have no place here")
	}
	return token, nil
}

// place checks a project and a location of a path.
func (f *front) place(project, location string) *refusal {
	switch {
	case f.Project != "" && project != f.Project:
		return refuse(http.StatusForbidden, "PERMISSION_DENIED", "Permission denied on resource project %s.", project)
	case f.Region != "" && location != f.Region:
		return refuse(http.StatusNotFound, "NOT_FOUND", "The location %s is not here.", location)
	}
	return nil
}

func (vertex) accept(f *front, req *http.Request, body []byte) (*http.Request, *refusal) {
	account, why := f.bearer(req)
	if why != nil {
		return nil, why
	}
	parts := strings.Split(strings.TrimPrefix(req.URL.EscapedPath(), "/"), "/")
	if len(parts) != 9 || parts[0] != "v1" || parts[1] != "projects" || parts[3] != "locations" || parts[5] != "publishers" || parts[6] != "anthropic" || parts[7] != "models" || req.Method != http.MethodPost {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "The requested URL was not found on this server.")
	}
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	if why := f.place(parts[2], parts[4]); why != nil {
		return nil, why
	}
	name, action, _ := strings.Cut(parts[8], ":")
	if req.Header.Get("Anthropic-Version") != "" {
		return nil, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "the version belongs into the body")
	}
	version := rawjson.GetString(body, "anthropic_version")
	switch version {
	case "vertex-2023-10-16":
		version = "2023-06-01"
	case "2026-10-21":
	default:
		return nil, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "anthropic_version: Field required")
	}
	if why := vertexRules.check(body); why != nil {
		return nil, why
	}
	if name == "count-tokens" && action == "rawPredict" {
		model, ok := vertexModel(rawjson.GetString(body, "model"))
		if !ok {
			return nil, refuse(http.StatusNotFound, "NOT_FOUND", "Publisher Model `%s` was not found.", rawjson.GetString(body, "model"))
		}
		made := []byte(`{"model":` + quote(model))
		for member, value := range rawjson.Members(body) {
			if member != "model" && member != "anthropic_version" {
				made = append(append(made, ","+quote(member)+":"...), value...)
			}
		}
		out := inner(req, "/v1/messages/count_tokens", append(made, '}'), account)
		out.Header.Set("Anthropic-Version", version)
		return out, nil
	}
	stream := action == "streamRawPredict"
	if action != "rawPredict" && !stream {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "The requested URL was not found on this server.")
	}
	model, ok := vertexModel(name)
	if !ok {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "Publisher Model `projects/%s/locations/%s/publishers/anthropic/models/%s` was not found or your project does not have access to it.", parts[2], parts[4], name)
	}
	if rawjson.Get(body, "model") != nil {
		return nil, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "model: Extra inputs are not permitted")
	}
	if stream != bytes.Equal(rawjson.Get(body, "stream"), []byte("true")) {
		return nil, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "stream and the path don't agree")
	}
	return reform(req, body, model, stream, account, version)
}

func (vertex) writer(_ *front, w http.ResponseWriter) answerWriter {
	return &googleWriter{ResponseWriter: w}
}

func (vertex) refuse(w http.ResponseWriter, why *refusal) { writeGoogleError(w, why) }

// A googleWriter passes Anthropic's answers on, but reports what the platform itself
// limits in Google's form.
type googleWriter struct {
	http.ResponseWriter
	status int
}

func (w *googleWriter) WriteHeader(status int) {
	w.status = status
	if status != http.StatusTooManyRequests {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *googleWriter) Write(p []byte) (int, error) {
	if w.status == http.StatusTooManyRequests {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func (w *googleWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok && w.status != http.StatusTooManyRequests {
		f.Flush()
	}
}

func (w *googleWriter) done() {
	if w.status == http.StatusTooManyRequests {
		w.Header().Del("X-Should-Retry")
		writeGoogleError(w.ResponseWriter, refuse(w.status, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model. Please submit a quota increase request."))
	}
}

func writeGoogleError(w http.ResponseWriter, why *refusal) {
	name := why.name
	if name == "ValidationException" {
		name = "INVALID_ARGUMENT"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Del("Content-Length")
	w.WriteHeader(why.status)
	w.Write([]byte(`[{"error":{"code":` + itoa(int64(why.status)) + `,"message":` + quote(why.message) + `,"status":` + quote(name) + `}}]`))
}

// googleCloud is Google Cloud's gateway: the Claude API behind a path and Google's
// token.
type googleCloud struct{}

var googleCloudRules = rules{models: plainModel}

func (googleCloud) accept(f *front, req *http.Request, body []byte) (*http.Request, *refusal) {
	account, why := f.bearer(req)
	if why != nil {
		return nil, why
	}
	parts := strings.SplitN(strings.TrimPrefix(req.URL.Path, "/"), "/", 9)
	if len(parts) != 9 || parts[0] != "v1" || parts[1] != "projects" || parts[3] != "locations" || parts[5] != "workspaces" || parts[7] != "invoke" || f.Workspace != "" && parts[6] != f.Workspace {
		return nil, refuse(http.StatusNotFound, "NOT_FOUND", "The requested URL was not found on this server.")
	}
	if why := f.place(parts[2], parts[4]); why != nil {
		return nil, why
	}
	if why := googleCloudRules.check(body); why != nil {
		return nil, why
	}
	return inner(req, "/"+parts[8], body, account), nil
}

func (googleCloud) writer(_ *front, w http.ResponseWriter) answerWriter { return asis{w} }

func (googleCloud) refuse(w http.ResponseWriter, why *refusal) { writeGoogleError(w, why) }
