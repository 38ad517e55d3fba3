package bedrock

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

func message(t *testing.T, payload string, headers ...string) []byte {
	t.Helper()
	m := eventstream.Message{Payload: []byte(payload)}
	for i := 0; i < len(headers); i += 2 {
		m.Headers.Set(headers[i], eventstream.StringValue(headers[i+1]))
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func chunk(t *testing.T, event string) []byte {
	t.Helper()
	return message(t, `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(event))+`","p":"abc"}`, ":event-type", "chunk", ":content-type", "application/json", ":message-type", "event")
}

var events = []string{
	`{"type":"message_start","message":{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
	`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
	`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hé\n<&> 🦀"}}`,
	`{"type":"content_block_stop","index":0}`,
	`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_bdrk_01","name":"lookup","input":{}}}`,
	`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":9007199254740993,"}}`,
	`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":" \"b\":1.10}"}}`,
	`{"type":"content_block_stop","index":1}`,
	`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":12}}`,
	`{"type":"message_stop"}`,
}

// whole is a stream of events, and where each of its messages ends.
func whole(t *testing.T) (stream []byte, ends []int) {
	t.Helper()
	for _, e := range events {
		stream = append(stream, chunk(t, e)...)
		ends = append(ends, len(stream))
	}
	return stream, ends
}

// readAll reads a stream of messages as the client does.
func readAll(r io.Reader) (seen int, last transport.Event, err error) {
	for ev, e := range transport.ReadStream(newStream(io.NopCloser(r))) {
		if e != nil {
			return seen, last, e
		}
		last = ev
		seen++
	}
	return seen, last, nil
}

// TestCutAnywhere cuts an event stream at every byte, and lets it come in pieces of
// any size. What was whole is read, what wasn't is an error with what had come, and no
// call is ever read that didn't come whole.
func TestCutAnywhere(t *testing.T) {
	stream, ends := whole(t)
	for n := range len(stream) + 1 {
		complete := 0
		for _, end := range ends {
			if end <= n {
				complete++
			}
		}
		for _, r := range []io.Reader{bytes.NewReader(stream[:n]), iotest.OneByteReader(bytes.NewReader(stream[:n])), iotest.DataErrReader(bytes.NewReader(stream[:n]))} {
			seen, last, err := readAll(r)
			if seen < complete {
				t.Fatalf("cut at %d of %d: %d events of %d", n, len(stream), seen, complete)
			}
			if complete == len(events) {
				if err != nil || last.Type != transport.EventMessageStop || len(last.Response.ToolCalls()) != 1 || string(last.Response.ToolCalls()[0].Input) != `{"a":9007199254740993, "b":1.10}` {
					t.Fatalf("whole: %v", err)
				}
				continue
			}
			// The service's message_delta is as good as the end (wire §5.7).
			var broken *transport.StreamError
			if complete < len(events)-1 && !errors.As(err, &broken) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			if broken != nil && broken.Partial != nil {
				for _, c := range broken.Partial.ToolCalls() {
					if !c.Cut && complete < 8 {
						t.Fatalf("cut at %d: a call that was not whole can be run", n)
					}
				}
			}
		}
	}
}

// TestChangedAnywhere changes each byte of a stream: its checksums find out, and no
// other text is read.
func TestChangedAnywhere(t *testing.T) {
	stream, _ := whole(t)
	for n := range stream {
		changed := bytes.Clone(stream)
		changed[n] ^= 0x20
		if _, last, err := readAll(bytes.NewReader(changed)); err == nil && last.Type == transport.EventMessageStop {
			t.Fatalf("byte %d was changed, and nobody noticed", n)
		}
	}
}

// TestOddMessages holds messages of other kinds, and chunks that can't be read.
func TestOddMessages(t *testing.T) {
	start := chunk(t, events[0])
	for _, c := range []struct {
		name    string
		message []byte
		want    string // in the error; empty for none: the stream only ends too early
		typ     transport.ErrorType
	}{
		{"counts of Bedrock's own", chunk(t, `{"amazon-bedrock-invocationMetrics":{"inputTokenCount":1}}`), "", ""},
		{"an event of next year", message(t, `{}`, ":event-type", "metadata", ":message-type", "event"), "", ""},
		{"no type", message(t, `{}`), `the type ""`, ""},
		{"no JSON", message(t, `no`, ":event-type", "chunk", ":message-type", "event"), "can't be read", ""},
		{"no base64", message(t, `{"bytes":"%%%"}`, ":event-type", "chunk", ":message-type", "event"), "can't be read", ""},
		{"throttling", message(t, `{"message":"Too many requests"}`, ":exception-type", "throttlingException", ":message-type", "exception"), "Too many requests [throttlingException]", transport.ErrRateLimit},
		{"the model's own failure", message(t, `{"message":"The model failed","originalStatusCode":529}`, ":exception-type", "modelStreamErrorException", ":message-type", "exception"), "The model failed", transport.ErrAPI},
		{"no time left", message(t, `{"message":"Timed out"}`, ":exception-type", "modelTimeoutException", ":message-type", "exception"), "Timed out", transport.ErrTimeout},
		{"not available", message(t, ``, ":exception-type", "serviceUnavailableException", ":message-type", "exception"), "serviceUnavailableException", transport.ErrOverloaded},
		{"wrong input", message(t, `{"message":"max_tokens: no"}`, ":exception-type", "validationException", ":message-type", "exception"), "max_tokens: no", transport.ErrInvalidRequest},
		{"an error message", message(t, ``, ":error-code", "InternalServerException", ":error-message", "it broke", ":message-type", "error"), "it broke", transport.ErrAPI},
	} {
		_, _, err := readAll(bytes.NewReader(append(bytes.Clone(start), c.message...)))
		var broken *transport.StreamError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		var refused *transport.Error
		if errors.As(err, &refused) != (c.typ != "") || refused != nil && (refused.Type != c.typ || !refused.InStream) {
			t.Errorf("%s: %+v", c.name, refused)
		}
	}
}

// TestLineBreaks reads events whose JSON stands on several lines, with empty ones between
// them, as if it stood on one.
func TestLineBreaks(t *testing.T) {
	var one, several []byte
	broken := strings.NewReplacer(`,"index"`, ",\n\n\"index\"", `,"delta"`, ",\r\n\"delta\"", `,"message"`, ",\n\"message\"", `,"usage"`, ",\n\n\n\"usage\"")
	for _, e := range events {
		one = append(one, chunk(t, e)...)
		several = append(several, chunk(t, "\n"+broken.Replace(e)+"\n")...)
	}
	n, want, err := readAll(bytes.NewReader(one))
	m, got, err2 := readAll(bytes.NewReader(several))
	if err != nil || err2 != nil || n != m || got.Response == nil || got.Response.Text() != want.Response.Text() ||
		got.Response.StopReason != want.Response.StopReason || len(got.Response.ToolCalls()) != 1 || string(got.Response.ToolCalls()[0].Input) != string(want.Response.ToolCalls()[0].Input) {
		t.Errorf("%d events, %v; want %d: %+v", m, err2, n, got)
	}
}

func testClient(t *testing.T, base string) *platform.Client {
	t.Helper()
	c, err := New(t.Context(), Options{Region: "us-east-1", Config: &aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret-of-the-test", SessionToken: "session-token-of-the-test"}, nil
	})}, API: anthropic.Options{BaseURL: base, MaxRetries: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// TestErrors holds Bedrock's errors in front of a stream: their types, their codes,
// the id, and what came.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status     int
		name, body string
		typ        transport.ErrorType
		code, want string
	}{
		{400, "ValidationException:http://internal.amazon.com/coral/", `{"message":"messages: at least one message is required"}`, transport.ErrInvalidRequest, "ValidationException", "at least one message"},
		{403, "AccessDeniedException", `{"Message":"You don't have access to the model"}`, transport.ErrPermission, "AccessDeniedException", "don't have access"},
		{403, "ExpiredTokenException", `{"message":"The security token included in the request is expired"}`, transport.ErrAuthentication, "ExpiredTokenException", "is expired"},
		{403, "", `{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token is invalid: session-token-of-the-test"}`, transport.ErrAuthentication, "UnrecognizedClientException", "[redacted]"},
		{404, "ResourceNotFoundException", `{"message":"no such model"}`, transport.ErrNotFound, "ResourceNotFoundException", "no such model"},
		{429, "ThrottlingException", `{"message":"Too many tokens"}`, transport.ErrRateLimit, "ThrottlingException", "Too many tokens"},
		{424, "ModelErrorException", `{"message":"it failed","originalStatusCode":500}`, transport.ErrAPI, "ModelErrorException", "it failed"},
		{424, "ModelErrorException", `{"message":"busy","originalStatusCode":429}`, transport.ErrRateLimit, "ModelErrorException", "busy"},
		{500, "InternalServerException", `{}`, transport.ErrAPI, "InternalServerException", "InternalServerException"},
		{503, "ServiceUnavailableException", `{"message":"later"}`, transport.ErrOverloaded, "ServiceUnavailableException", "later"},
		{502, "", `<html><title>Bad Gateway</title></html>`, transport.ErrAPI, "", "Bad Gateway"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.name != "" {
				w.Header().Set("X-Amzn-Errortype", c.name)
			}
			w.Header().Set("X-Amzn-Requestid", "id-1")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		}))
		_, err := transport.Create(t.Context(), testClient(t, srv.URL), request())
		srv.Close()
		want := c.status
		if want == http.StatusFailedDependency {
			want = http.StatusInternalServerError // it may pass, so it is sent again
		}
		var refused *transport.Error
		if !errors.As(err, &refused) || !errors.Is(err, c.typ) || refused.Code != c.code || refused.Status != want || refused.RequestID != "id-1" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "session-token-of-the-test") {
			t.Errorf("%d %s: %v", c.status, c.name, err)
		}
	}
}

func request() *transport.Request {
	return &transport.Request{Model: "anthropic.claude-opus-5-5", MaxTokens: 100, Messages: []transport.Message{transport.UserText("hi")}}
}

// TestPaths holds what becomes of ids in the path: an ARN, a version, dots.
func TestPaths(t *testing.T) {
	var path string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		w.WriteHeader(400)
	}))
	defer srv.Close()
	client := testClient(t, srv.URL)
	for id, want := range map[string]string{
		"anthropic.claude-haiku-4-5-20251001-v1:0":                                                  "/model/anthropic.claude-haiku-4-5-20251001-v1:0/invoke-with-response-stream",
		"arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-opus-5-5": "/model/arn:aws:bedrock:us-east-1:123456789012:inference-profile%2Fglobal.anthropic.claude-opus-5-5/invoke-with-response-stream",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc":                  "/model/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile%2Fabc/invoke-with-response-stream",
		"..":             "",
		"../../etc?a=b#": "/model/..%2F..%2Fetc%3Fa=b%23/invoke-with-response-stream",
	} {
		path = ""
		req := request()
		req.Model = id
		_, err := transport.Create(t.Context(), client, req)
		if path != want {
			t.Errorf("%s: %s, %v", id, path, err)
		}
	}
}

// TestVersions holds the version of the API, and what models it goes with.
func TestVersions(t *testing.T) {
	for id, want := range map[string]bool{
		"anthropic.claude-opus-4-6-v1": false, "anthropic.claude-haiku-4-5-20251001-v1:0": false, "us.anthropic.claude-sonnet-4-6": false,
		"anthropic.claude-opus-4-7": true, "global.anthropic.claude-opus-5-5": true, "anthropic.claude-fable-5-2": true, "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc": true,
	} {
		if since47(id) != want {
			t.Errorf("%s: %v", id, !want)
		}
	}
	var body string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body = string(raw)
		w.WriteHeader(400)
	}))
	defer srv.Close()
	for version, want := range map[string]string{"": `"anthropic_version":"bedrock-2023-05-31"`, anthropic.APIVersion2026: `"anthropic_version":"2026-10-21"`} {
		client, err := New(t.Context(), Options{Region: "us-east-1", Config: &aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})}, API: anthropic.Options{BaseURL: srv.URL, MaxRetries: -1, Version: version}})
		if err != nil {
			t.Fatal(err)
		}
		transport.Create(t.Context(), client, request())
		if !strings.Contains(body, want) {
			t.Errorf("%s", body)
		}
		old := request()
		old.Model = "anthropic.claude-opus-4-6-v1"
		body = ""
		_, err = transport.Create(t.Context(), client, old)
		var unsupported *platform.UnsupportedError
		if refused := errors.As(err, &unsupported); refused != (version != "") || refused != (body == "") {
			t.Errorf("%s of 4.6: %v %s", version, err, body)
		}
	}
}

// An automatic breakpoint is for models from 4.7 on.
func TestAutomaticCache(t *testing.T) {
	client := testClient(t, "https://bedrock.example")
	for id, want := range map[string]bool{"us.anthropic.claude-sonnet-4-6": false, "global.anthropic.claude-opus-5-5": true} {
		req := request()
		req.Model, req.CacheControl = id, &transport.CacheControl{}
		var refused *transport.RequestError
		if err := client.Check(req); (err == nil) != want || err != nil && (!errors.As(err, &refused) || refused.Field != "cache_control") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestAllocations holds that a conversation isn't copied to be signed and sent.
func TestAllocations(t *testing.T) {
	i := &invoke{}
	var used [2]uint64
	for n, size := range []int{1 << 10, 4 << 20} {
		req := request()
		req.Messages = []transport.Message{transport.UserText(strings.Repeat("x", size))}
		body, err := req.StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, _ := http.NewRequest("POST", "https://example.com/v1/messages", nil)
		r.GetBody = func() (io.ReadCloser, error) { return body.NewReader(), nil }
		r.ContentLength = body.Len()
		if err := i.adapt(r); err != nil {
			t.Fatal(err)
		}
		if sent, err := io.Copy(io.Discard, r.Body); err != nil || sent != r.ContentLength {
			t.Fatal(sent, r.ContentLength, err)
		}
		runtime.ReadMemStats(&after)
		used[n] = after.TotalAlloc - before.TotalAlloc
	}
	if used[1] > 2*used[0]+64<<10 {
		t.Errorf("%d bytes for a short conversation, %d for a long one", used[0], used[1])
	}
}

// A body is open until it is closed.
type openBody struct {
	io.Reader
	open bool
}

func (b *openBody) Close() error { b.open = false; return nil }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What Bedrock answers is closed: a refusal, a stream that is read to its end, and one that
// the caller leaves.
func TestAnswersAreClosed(t *testing.T) {
	stream, _ := whole(t)
	for name, c := range map[string]struct {
		status int
		body   []byte
		leave  bool
	}{
		"a refusal": {400, []byte(`{"message":"no"}`), false},
		"an end":    {200, stream, false},
		"a leave":   {200, stream, true},
	} {
		body := &openBody{bytes.NewReader(c.body), true}
		client, err := New(t.Context(), Options{Region: "us-east-1", API: anthropic.Options{APIKey: secret.New("key-of-the-test"), MaxRetries: -1, HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			h := http.Header{"X-Amzn-Errortype": {"ValidationException"}, "Content-Type": {"application/vnd.amazon.eventstream"}}
			return &http.Response{StatusCode: c.status, Header: h, Body: body, Request: r}, nil
		})}}})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, err := range client.Stream(t.Context(), request()) {
			if seen++; c.leave || err != nil {
				break
			}
		}
		if body.open || seen == 0 || c.status == 200 && !c.leave && seen != len(events) {
			t.Errorf("%s: open %v behind %d events", name, body.open, seen)
		}
	}
}

// The kind of an event can't begin another line of the stream that it is passed on in.
func TestKindOnOneLine(t *testing.T) {
	kind := `ping\ndata: {}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n`
	out, err := io.ReadAll(newStream(io.NopCloser(bytes.NewReader(chunk(t, `{"type":"`+kind+`"}`)))))
	if lines := strings.Split(string(out), "\n"); err != nil || len(lines) != 4 || !strings.HasPrefix(lines[0], "event: ping") || lines[1] != `data: {"type":"`+kind+`"}` {
		t.Errorf("%v: %q", err, out)
	}
}

// The user's profile goes into the body, and stays out of the header, which Bedrock refuses.
func TestUserProfile(t *testing.T) {
	var header http.Header
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(400)
	}))
	defer srv.Close()
	client, err := New(t.Context(), Options{Region: "us-east-1", API: anthropic.Options{BaseURL: srv.URL, APIKey: secret.New("key-of-the-test"), MaxRetries: -1, Header: http.Header{"Anthropic-User-Profile-Id": {"uprof_<1>"}}, Betas: []string{"beta-a", "beta-b"}}})
	if err != nil {
		t.Fatal(err)
	}
	transport.Create(t.Context(), client, request())
	if !bytes.Contains(body, []byte(`"user_profile_id":"uprof_<1>"`)) || !bytes.Contains(body, []byte(`"anthropic_beta":["beta-a","beta-b"`)) || header.Get("Anthropic-User-Profile-Id") != "" || header.Get("Anthropic-Beta") != "" || header.Get("Anthropic-Version") != "" {
		t.Errorf("%v %s", header, body)
	}
}
