package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// A response knows how far the bytes of one were looked at.
type response struct {
	body    bool // the head is over
	chunked bool
	next    int // where the next chunk begins, or the whole ends
}

// ends reports whether what has come so far is the whole response. It is called
// with more of the same bytes each time.
func (r *response) ends(got []byte) (bool, error) {
	if !r.body {
		if ok, err := r.readHead(got); !ok {
			return false, err
		}
	}
	for r.chunked {
		if r.next >= len(got) {
			return false, nil
		}
		line := bytes.IndexByte(got[r.next:], '\n')
		if line < 0 {
			return false, nil
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(got[r.next:r.next+line], "\r")), 16, 31)
		if err != nil {
			return false, fmt.Errorf("not the size of a chunk: %w", err)
		}
		r.next += line + 1 + int(size) + len("\r\n")
		r.chunked = size > 0
	}
	return len(got) >= r.next, nil
}

// readHead looks for the end of the head, and in it for how the body ends.
func (r *response) readHead(got []byte) (bool, error) {
	const end = "\r\n\r\n"
	n := bytes.Index(got, []byte(end))
	if n < 0 {
		return false, nil
	}
	head := got[:n]
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return false, fmt.Errorf("the response begins %q", head[:min(n, 40)])
	}
	r.body, r.next = true, n+len(end)
	if bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked")) {
		r.chunked = true
		return true, nil
	}
	const length = "\r\nContent-Length: "
	i := bytes.Index(head, []byte(length))
	if i < 0 {
		return false, fmt.Errorf("no length of the body")
	}
	line, _, _ := bytes.Cut(head[i+len(length):], []byte("\r"))
	size, err := strconv.Atoi(string(line))
	r.next += size
	return err == nil, err
}
