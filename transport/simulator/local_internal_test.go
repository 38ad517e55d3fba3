package simulator

import "testing"

// A connection may be accepted just before Close and bring its request just after. It isn't
// begun: a WaitGroup must not count from 0 while somebody waits.
func TestNoRequestBeginsOnceClosed(t *testing.T) {
	l, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !l.begin() {
		t.Error("a request could not begin")
	}
	l.busy.Done()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l.begin() {
		t.Error("a request began after Close")
	}
}
