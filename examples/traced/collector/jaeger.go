package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// jaegerVersion is built in Jaeger's own module, so with the versions of all that
// it needs that its makers chose.
const jaegerVersion = "v1.76.0"

// BuildJaeger builds Jaeger v2 from the module proxy, which takes six minutes of
// one processor where nothing of it is in the build cache. It returns the program's path.
func BuildJaeger(ctx context.Context, dir string) (string, error) {
	module := "github.com/jaegertracing/jaeger@" + jaegerVersion
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", module).Output()
	if err != nil {
		return "", fmt.Errorf("download %s: %w\n%s", module, err, out)
	}
	var source struct{ Dir string }
	if err := json.Unmarshal(out, &source); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "jaeger")
	if out, err := exec.CommandContext(ctx, "go", "build", "-C", source.Dir, "-o", program, "./cmd/jaeger").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", module, err, out)
	}
	return program, nil
}

// A Jaeger is one that runs as a process of its own, and keeps traces in memory.
type Jaeger struct {
	Endpoint string // of its OTLP receiver over HTTP
	Query    string // of its query API, and of its page

	cmd *exec.Cmd
	log *os.File
}

const jaegerConfig = `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [jaeger_storage_exporter]
  telemetry:
    logs:
      level: warn
    metrics:
      level: none
extensions:
  jaeger_query:
    storage:
      traces: kept
    http:
      endpoint: %s
    grpc:
      endpoint: %s
  jaeger_storage:
    backends:
      kept:
        memory:
          max_traces: 1000
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
exporters:
  jaeger_storage_exporter:
    trace_storage: kept
`

// StartJaeger runs the program on free ports of 127.0.0.1, with its files in dir,
// and waits until it answers.
func StartJaeger(ctx context.Context, program, dir string) (_ *Jaeger, err error) {
	var addrs [3]string
	for i := range addrs {
		if addrs[i], err = freeAddr(); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "jaeger.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, jaegerConfig, addrs[0], addrs[1], addrs[2]), 0o644); err != nil {
		return nil, err
	}
	j := &Jaeger{Endpoint: "http://" + addrs[2], Query: "http://" + addrs[0], cmd: exec.CommandContext(ctx, program, "--config", config)}
	if j.log, err = os.Create(filepath.Join(dir, "jaeger.log")); err != nil {
		return nil, err
	}
	j.cmd.Stdout, j.cmd.Stderr = j.log, j.log
	if err := j.cmd.Start(); err != nil {
		return nil, errors.Join(err, j.log.Close())
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err = j.get(ctx, "/api/services", nil); err == nil {
			return j, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			said, _ := os.ReadFile(j.log.Name())
			return nil, errors.Join(fmt.Errorf("Jaeger does not answer: %w\n%s", err, said), j.Close())
		}
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Close ends Jaeger: at once, since it keeps nothing.
func (j *Jaeger) Close() error {
	err := j.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	_ = j.cmd.Wait() // says that it was killed
	return errors.Join(err, j.log.Close())
}

// get asks the query API.
func (j *Jaeger) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.Query+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", path, resp.Status, strings.TrimSpace(string(body)))
	}
	return body, err
}

// Spans are those of the service's only trace, once it has at least so many.
func (j *Jaeger) Spans(ctx context.Context, service string, least int) ([]Span, error) {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := j.spans(ctx, service)
		if err == nil && len(list) >= least {
			return list, nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return list, errors.Join(err, fmt.Errorf("Jaeger has %d spans of %s, not %d", len(list), service, least))
		}
	}
}

func (j *Jaeger) spans(ctx context.Context, service string) ([]Span, error) {
	body, err := j.get(ctx, "/api/traces", url.Values{"service": {service}, "limit": {"2"}})
	if err != nil {
		return nil, err
	}
	var found struct{ Data []struct{ TraceID string } }
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, err
	}
	if len(found.Data) != 1 {
		return nil, fmt.Errorf("%d traces", len(found.Data))
	}
	if body, err = j.get(ctx, "/api/v3/traces/"+found.Data[0].TraceID, nil); err != nil {
		return nil, err
	}
	var answer struct{ Result json.RawMessage } // in the JSON of OTLP
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(answer.Result)
	if err != nil {
		return nil, err
	}
	return spansOf(traces), nil
}
