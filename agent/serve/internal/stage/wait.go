package stage

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come.
const patience = time.Minute

// A Mux ends each request after a while, so that a test whose stream doesn't end fails.
type Mux struct{ http.ServeMux }

// ServeHTTP implements [http.Handler].
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	m.ServeMux.ServeHTTP(w, r.WithContext(ctx))
}

// Until waits until something is so, and fails the test if that takes too long.
func Until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it hasn't come about within %v that %s", patience, what)
		}
	}
}
