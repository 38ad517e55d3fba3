package anthropic

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// TestRecovery measures, with the default times, how long it takes from a fault of
// the network to the next good byte. docs/transports.md has the table. It takes
// a minute, so it runs only if WHORL_RECOVERY is set.
func TestRecovery(t *testing.T) {
	if os.Getenv("WHORL_RECOVERY") == "" {
		t.Skip("WHORL_RECOVERY is not set: the times of recovery are not measured")
	}
	for _, http2 := range []bool{true, false} {
		for _, many := range []int{1, 200} {
			for _, fault := range []string{"idle", "waiting", "in a stream with pings", "reset", "502", "GOAWAY"} {
				if fault == "waiting" && !http2 {
					continue // an answer that never began: the header time-out, by documentation
				}
				name := fmt.Sprintf("HTTP/1.1, %s, %d", fault, many)
				if http2 {
					name = fmt.Sprintf("HTTP/2, %s, %d", fault, many)
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					took := recovery(t, http2, fault, many)
					slices.Sort(took)
					t.Logf("%s: median %.1f s, most %.1f s", name, took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
					if most := took[len(took)-1]; most > 15*time.Second {
						t.Errorf("%v from the fault to the next good byte", most)
					}
				})
			}
		}
	}
}

// recovery has many conversations meet a fault and returns how long each took to
// have its answer.
func recovery(t *testing.T, http2 bool, fault string, many int) []time.Duration {
	var broken atomic.Bool // the fault goes on
	var began sync.WaitGroup
	began.Add(many)
	var n atomic.Int32
	release := make(chan struct{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		if n.Add(1) <= int32(many) || !broken.Load() {
			io.WriteString(w, streamOf("hello"))
			return
		}
		if int(n.Load()) <= 2*many {
			switch fault {
			case "reset":
				began.Done()
				<-release
				panic(http.ErrAbortHandler)
			case "GOAWAY": // and over HTTP/1.1 "Connection: close"
				began.Done()
				<-release
				w.Header().Set("Connection", "close")
				io.WriteString(w, streamOf("hello"))
				return
			case "502":
				began.Done()
				<-release
				w.WriteHeader(http.StatusBadGateway)
				return
			case "waiting", "in a stream with pings":
				if fault != "waiting" {
					io.WriteString(w, start)
				}
				began.Done()
				for {
					select {
					case <-r.Context().Done():
						return
					case <-time.After(time.Second):
					}
					if fault != "waiting" {
						if _, err := io.WriteString(w, "event: ping\ndata: {\"type\":\"ping\"}\n\n"); err != nil {
							return
						}
						w.(http.Flusher).Flush()
					}
				}
			}
		}
		io.WriteString(w, streamOf("hello"))
	}))
	if srv.EnableHTTP2 = http2; http2 {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	c, p := throughPath(t, srv, Options{RetryBudget: -1})
	c.silence = silence
	if http2 {
		c.http.Transport = &spread{make: func() *http.Transport {
			rt := newTransport()
			rt.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			return rt
		}}
	}
	took := make([]time.Duration, many)
	var faultAt time.Time
	all := func() {
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				if resp, err := transport.Create(t.Context(), c, newRequest()); err != nil || resp.Text() != "hello" {
					t.Errorf("got %v", err)
				}
				took[i] = time.Since(faultAt)
			})
		}
		wg.Wait()
	}
	all() // connections are there, and known
	broken.Store(true)
	if fault == "idle" {
		p.swallow()
		faultAt = time.Now()
		all()
		return took
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		began.Wait()
		if fault == "in a stream with pings" {
			time.Sleep(3500 * time.Millisecond) // so that the pings are known
		}
		faultAt = time.Now()
		if fault == "reset" || fault == "502" || fault == "GOAWAY" {
			close(release)
		} else {
			p.swallow()
		}
	}()
	all()
	<-done
	return took
}
