package simulator

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// FaultHeader is the request header that requests a fault; see [ParseFault].
const FaultHeader = "X-Simulator-Fault"

// A Fault is an error that the simulator makes in a response. The zero Fault is none.
// Fields may be combined; those about events need a streamed response.
type Fault struct {
	// Status answers with this status and the error that belongs to it instead of a
	// response. If AfterEvents is above 0, the error is an event of the stream.
	Status int
	// AfterEvents is the number of events before the error of Status, or before Stall.
	AfterEvents int
	// Code answers with the error of that error_code, such as "ramp_limit_exceeded", and
	// its status. It is for errors that the simulator never returns otherwise (wire
	// §1.12).
	Code string
	// RetryAfter is sent with Status, in seconds.
	RetryAfter time.Duration

	Reset bool // close the connection without an answer
	// CutAfter closes the connection after this number of bytes of the response's body.
	CutAfter int
	// Stall waits for this time after AfterEvents events, or before the response, and
	// then continues.
	Stall time.Duration
	// Drip sends the response in small pieces, with this time between them.
	Drip time.Duration

	Empty     bool // an end_turn without content, whatever the model would say
	Truncate  bool // cut the last tool input in the middle, with max_tokens
	Duplicate bool // send the message_start and the pings twice
	NoStop    bool // leave out message_stop, and end the stream in good order
	// Strange adds things that a client must tolerate without knowing them: unknown
	// events, deltas and comments, two message_deltas, and a retry-after on a 200 (wire
	// §1.4, §5.7).
	Strange bool
	// ContentType replaces the right one; the body is a page of HTML.
	ContentType string
}

// ParseFault parses a fault in the form of the header and the command line: parts
// separated by ";", each a name or a name=value. The names: status=529,
// code=ramp_limit_exceeded, after=3 (events), retry-after=2s, reset, cut=1200 (bytes),
// stall=5s, drip=10ms, empty, truncate, duplicate, no-stop, strange,
// content-type=text/html. "none" is no fault.
func ParseFault(text string) (Fault, error) {
	var f Fault
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch name {
		case "", "none":
		case "status":
			f.Status, err = strconv.Atoi(value)
		case "code":
			known, ok := codedErrors[value]
			if f.Code, f.Status = value, known.Status; !ok {
				return f, fmt.Errorf("fault %q: no error of the code %q; those there are: %s", text, value, strings.Join(slices.Sorted(maps.Keys(codedErrors)), ", "))
			}
		case "after":
			f.AfterEvents, err = strconv.Atoi(value)
		case "cut":
			f.CutAfter, err = strconv.Atoi(value)
		case "retry-after":
			f.RetryAfter, err = time.ParseDuration(value)
		case "stall":
			f.Stall, err = time.ParseDuration(value)
		case "drip":
			f.Drip, err = time.ParseDuration(value)
		case "reset":
			f.Reset = true
		case "empty":
			f.Empty = true
		case "truncate":
			f.Truncate = true
		case "duplicate":
			f.Duplicate = true
		case "no-stop":
			f.NoStop = true
		case "strange":
			f.Strange = true
		case "content-type":
			f.ContentType = value
		default:
			return f, fmt.Errorf("fault %q: no fault is called %q", text, name)
		}
		if err != nil {
			return f, fmt.Errorf("fault %q: %s: %w", text, name, err)
		}
	}
	return f, nil
}

// String returns the fault in the form that [ParseFault] parses.
func (f Fault) String() string {
	var parts []string
	add := func(yes bool, format string, args ...any) {
		if yes {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Status != 0 && f.Code == "", "status=%d", f.Status)
	add(f.Code != "", "code=%s", f.Code)
	add(f.AfterEvents != 0, "after=%d", f.AfterEvents)
	add(f.RetryAfter != 0, "retry-after=%s", f.RetryAfter)
	add(f.Reset, "reset")
	add(f.CutAfter != 0, "cut=%d", f.CutAfter)
	add(f.Stall != 0, "stall=%s", f.Stall)
	add(f.Drip != 0, "drip=%s", f.Drip)
	add(f.Empty, "empty")
	add(f.Truncate, "truncate")
	add(f.Duplicate, "duplicate")
	add(f.NoStop, "no-stop")
	add(f.Strange, "strange")
	add(f.ContentType != "", "content-type=%s", f.ContentType)
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ";")
}

// refusal is the error that goes with the fault's status.
func (f Fault) refusal() *Refusal {
	if why, ok := codedErrors[f.Code]; ok {
		why.Code, why.RetryAfter = f.Code, f.RetryAfter
		return &why
	}
	switch f.Status {
	case http.StatusTooManyRequests:
		return RateLimited(f.RetryAfter)
	case http.StatusInternalServerError:
		return InternalError()
	case http.StatusGatewayTimeout:
		return &Refusal{Status: f.Status, Type: transport.ErrTimeout, Message: "Request timed out"}
	case 529:
		why := Overloaded()
		why.RetryAfter = f.RetryAfter
		return why
	case http.StatusUnauthorized:
		return &Refusal{Status: f.Status, Type: transport.ErrAuthentication, Message: "invalid x-api-key"}
	case http.StatusForbidden:
		return &Refusal{Status: f.Status, Type: transport.ErrPermission, Message: "Your API key does not have permission to use the specified resource"}
	case http.StatusConflict:
		return &Refusal{Status: f.Status, Type: transport.ErrConflict, Message: "Conflict"}
	}
	if f.Status >= 500 {
		why := InternalError()
		why.Status, why.RetryAfter = f.Status, f.RetryAfter
		return why
	}
	return &Refusal{Status: f.Status, Type: transport.ErrInvalidRequest, Message: "Invalid request data", RetryAfter: f.RetryAfter}
}

// someFault draws the fault for request n at the server's rate: faults that a
// client either gets over or reports, none that changes what was said.
func (s *Server) someFault(n uint64) Fault {
	rng := rand.New(rand.NewPCG(s.opts.Seed, n))
	if rng.Float64() >= s.opts.FaultRate {
		return Fault{}
	}
	switch rng.IntN(11) {
	case 0:
		return Fault{Status: http.StatusTooManyRequests, RetryAfter: 20 * time.Millisecond}
	case 1:
		return Fault{Status: 529, RetryAfter: 20 * time.Millisecond}
	case 2:
		return Fault{Status: http.StatusInternalServerError}
	case 3:
		return Fault{Status: http.StatusServiceUnavailable, ContentType: "text/html"}
	case 4:
		return Fault{Status: 529, AfterEvents: 1 + rng.IntN(6)}
	case 5:
		return Fault{Reset: true}
	case 6:
		return Fault{NoStop: true}
	case 7:
		return Fault{Stall: time.Duration(rng.IntN(20)) * time.Millisecond, AfterEvents: 1 + rng.IntN(4)}
	case 8:
		return Fault{Drip: time.Millisecond}
	case 9:
		return Fault{Strange: true}
	}
	return Fault{CutAfter: 1 + rng.IntN(1500)}
}

// fault finds the fault that a request gets: from its header, from the script,
// or drawn by lot.
func (s *Server) fault(req *http.Request) (Fault, *Refusal) {
	if text := req.Header.Get(FaultHeader); text != "" {
		f, err := ParseFault(text)
		if err != nil {
			return f, refuse("%v", err)
		}
		return f, nil
	}
	n := s.requests.Add(1)
	if n <= uint64(len(s.opts.Faults)) {
		return s.opts.Faults[n-1], nil
	}
	if s.opts.FaultRate > 0 {
		return s.someFault(n), nil
	}
	return Fault{}, nil
}

// before does what the fault does in front of any answer. It reports whether
// the answer is thereby given.
func (f Fault) before(w http.ResponseWriter, req *http.Request, requestID string) (bool, *Refusal) {
	if f.Stall > 0 && f.AfterEvents == 0 {
		sleep(req.Context(), f.Stall)
	}
	switch {
	case f.Reset:
		panic(http.ErrAbortHandler)
	case f.ContentType != "":
		status := f.Status
		if status == 0 {
			status = http.StatusOK
		}
		w.Header().Set("Content-Type", f.ContentType)
		w.WriteHeader(status)
		w.Write([]byte("<html><body><h1>upstream connect error or disconnect/reset before headers</h1></body></html>"))
		return true, nil
	case (f.Status != 0 || f.Code != "") && f.AfterEvents == 0:
		return true, f.refusal()
	}
	return false, nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// wrap makes the writer that cuts and drips.
func (f Fault) wrap(w http.ResponseWriter) http.ResponseWriter {
	if f.CutAfter == 0 && f.Drip == 0 {
		return w
	}
	return &faultyWriter{ResponseWriter: w, fault: f}
}

type faultyWriter struct {
	http.ResponseWriter
	fault   Fault
	written int
}

func (w *faultyWriter) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	total := len(p)
	if most := w.fault.CutAfter; most > 0 && w.written+len(p) >= most {
		w.ResponseWriter.Write(p[:most-w.written])
		w.Flush()
		panic(http.ErrAbortHandler)
	}
	w.written += len(p)
	for w.fault.Drip > 0 && len(p) > 0 {
		n := min(len(p), 512)
		if _, err := w.ResponseWriter.Write(p[:n]); err != nil {
			return total - len(p), err
		}
		w.Flush()
		time.Sleep(w.fault.Drip)
		p = p[n:]
	}
	if len(p) > 0 {
		if n, err := w.ResponseWriter.Write(p); err != nil {
			return total - len(p) + n, err
		}
	}
	return total, nil
}

// change applies what the fault changes about a reply.
func (f Fault) change(reply *Reply) *Reply {
	if f.Empty {
		return &Reply{}
	}
	if !f.Truncate {
		return reply
	}
	changed := *reply
	changed.Content = append([]Part(nil), reply.Content...)
	for i := len(changed.Content) - 1; i >= 0; i-- {
		if p := &changed.Content[i]; p.kind == partCall {
			p.truncated = true
			changed.Content = changed.Content[:i+1]
			break
		}
	}
	return &changed
}
