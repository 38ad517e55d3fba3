package anthropic

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// Bytes that drip and never make a line are as good as silence; a stream that is slow,
// but whose lines or kilobytes come, is read to its end.
func TestDrips(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		drip string
		size int // bytes at a time
		idle bool
	}{
		{"of a line without an end", ":" + strings.Repeat(".", 900), 1, true},
		{"of an event without an end", "data: " + strings.Repeat("x", 900), 1, true},
		{"of comments", strings.Repeat(":\n", 450), 1, false},
		{"of a long line by kilobytes", ":" + strings.Repeat(".", 200*128-2) + "\n", 128, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				w.WriteHeader(200)
				for i := 0; i < 200 && r.Context().Err() == nil; i++ {
					io.WriteString(w, tt.drip[i*tt.size:(i+1)*tt.size])
					w.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
				io.WriteString(w, streamOf("hello"))
			}))
			defer srv.Close()
			c, err := New(Options{BaseURL: srv.URL, APIKey: secret.New("k"), MaxRetries: -1, IdleTimeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.Create(t.Context(), c, newRequest())
			if tt.idle != errors.Is(err, errIdle) || !tt.idle && (err != nil || resp.Text() != "hello") {
				t.Errorf("got %v", err)
			}
		})
	}
}
