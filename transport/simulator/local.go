package simulator

import (
	"net"
	"net/http"
	"sync"
)

// A Local is a Server that listens on this machine.
type Local struct {
	*Server
	url  string
	http *http.Server
	done chan struct{}

	mu     sync.Mutex
	closed bool
	busy   sync.WaitGroup // requests being answered; none begins once closed is set
}

// Start serves a new Server on a free port of 127.0.0.1 until it is closed.
func Start(opts Options) (*Local, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Local{Server: New(opts), url: "http://" + listener.Addr().String(), done: make(chan struct{})}
	l.http = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.begin() {
			panic(http.ErrAbortHandler) // the connection is about to be closed
		}
		defer l.busy.Done()
		l.Server.ServeHTTP(w, r)
	})}
	go func() {
		defer close(l.done)
		l.http.Serve(listener)
	}()
	return l, nil
}

// begin counts a request as being answered. It returns false if the server is closed.
func (l *Local) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.busy.Add(1)
	return true
}

// URL returns the base URL, without a slash at its end.
func (l *Local) URL() string { return l.url }

// Close ends all connections and stops listening. It returns when all requests have
// ended.
func (l *Local) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := l.http.Close()
	<-l.done
	l.busy.Wait()
	return err
}

// A TB is the part of testing.TB that StartTest needs. *testing.T, *testing.B and
// *testing.F implement it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// StartTest is [Start] for tests. It fails the test on an error, and closes the server
// when the test ends.
func StartTest(t TB, opts Options) *Local {
	t.Helper()
	l, err := Start(opts)
	if err != nil {
		t.Fatalf("simulator: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
