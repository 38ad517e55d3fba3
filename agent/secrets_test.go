package agent_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// A key that a gateway repeats, in twelve spellings and wherever it can, is in nothing
// that the library writes: errors, log lines, spans, records, exports, what a panic
// prints of the client.
func TestPlantedKeysAreWrittenNowhere(t *testing.T) {
	const key = "sk-ant/planted+key=0123456789"
	quoted, _ := json.Marshal(key)
	spellings := map[string]string{
		"raw": key, "URL query": url.QueryEscape(key), "URL path": url.PathEscape(key), "twice escaped": url.QueryEscape(url.QueryEscape(key)),
		"JSON": strings.Trim(string(quoted), `"`), "escaped slashes": strings.ReplaceAll(key, "/", `\/`), "HTML": html.EscapeString(key),
		"base64": base64.StdEncoding.EncodeToString([]byte(key)), "base64 of a header": base64.StdEncoding.EncodeToString([]byte("x-api-key:" + key)),
		"base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte(key)), "hexadecimal": hex.EncodeToString([]byte(key)), "upper case": strings.ToUpper(key),
	}
	for name, spelled := range spellings {
		for _, bearer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bearer %v", name, bearer), func(t *testing.T) {
				t.Parallel() // each waits for its retry
				streamed := bearer != (len(name)%2 == 0)
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					// What isn't printable in a header stays out of it.
					w.Header().Set("Request-Id", "req_"+spelled)
					text, _ := json.Marshal("no such key: " + spelled)
					id, _ := json.Marshal("req_" + spelled)
					body := fmt.Sprintf(`{"type":"error","error":{"type":"overloaded_error","message":%s,"details":{"error_code":%s}},"request_id":%s}`, text, id, id)
					if streamed {
						w.Header().Set("Content-Type", "text/event-stream")
						fmt.Fprintf(w, "event: error\ndata: %s\n\n", body)
						return
					}
					w.WriteHeader(http.StatusServiceUnavailable)
					io.WriteString(w, body)
				}))
				o := anthropic.Options{BaseURL: srv.URL, APIKey: secret.New(key), MaxRetries: 1, MaxRetryDelay: time.Millisecond}
				if bearer {
					o.APIKey, o.AuthToken = secret.Value{}, secret.New(key)
				}
				var out bytes.Buffer
				logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
				o.Logger = logger
				client, err := anthropic.New(o)
				if err != nil {
					t.Fatal(err)
				}
				spans := tracetest.NewInMemoryExporter()
				provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
				a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Telemetry: agent.Telemetry{TracerProvider: provider, Logger: logger, Content: &agent.TraceContent{}}})
				if err != nil {
					t.Fatal(err)
				}
				store := new(memory.RAM)
				res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "hello"})
				if err == nil {
					t.Fatal("the error didn't come")
				}
				fmt.Fprintf(&out, "%v %+v %#v %q", err, err, err, err)
				var refused *transport.Error
				if !errors.As(err, &refused) || len(refused.Raw) == 0 {
					t.Fatalf("got %v", err)
				}
				out.Write(refused.Raw)
				logger.Error("failed", "error", err, "options", fmt.Sprintf("%+v %#v", o, o), "result", fmt.Sprintf("%+v", res))
				func() {
					defer func() { fmt.Fprintf(&out, "%v %+v", recover(), client) }()
					panic(fmt.Sprintf("%+v", o))
				}()
				if err := transfer.Export(t.Context(), store, "s", &out); err != nil {
					t.Fatal(err)
				}
				for _, s := range spans.GetSpans() {
					fmt.Fprintf(&out, "%+v %+v %+v", s.Attributes, s.Events, s.Status)
				}
				client.CloseIdleConnections()
				srv.Close()
				for other, s := range spellings {
					if strings.Contains(out.String(), s) {
						i := strings.Index(out.String(), s)
						t.Errorf("sent %s (bearer %v, streamed %v), written %s: …%s", name, bearer, streamed, other, out.String()[max(0, i-80):i+len(s)])
					}
				}
				if !strings.Contains(out.String(), secret.Redacted) {
					t.Errorf("%s: nothing was redacted, so nothing was repeated", name)
				}
			})
		}
	}
}
