package main

import "testing"

// Each response is over at its last byte, and not before, however it comes.
func TestResponsesEnd(t *testing.T) {
	for name, text := range map[string]string{
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRequest-Id: x\r\n\r\nhello",
		"empty":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		var r response
		for n := range len(text) + 1 {
			done, err := r.ends([]byte(text[:n]))
			if err != nil || done != (n == len(text)) {
				t.Fatalf("%s: after %d of %d bytes: %t, %v", name, n, len(text), done, err)
			}
		}
		if done, err := new(response).ends([]byte(text)); !done || err != nil {
			t.Errorf("%s, at once: %t, %v", name, done, err)
		}
	}
}

func TestBadResponses(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 529 Overloaded\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
	} {
		if done, err := new(response).ends([]byte(text)); done || err == nil {
			t.Errorf("%q: %t, %v", text, done, err)
		}
	}
}
