// Floor is the least that a client of net/http can do: its defaults, ready bytes
// in each request, and responses that are read and not looked at. No library can
// be cheaper and still use net/http.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
	"github.com/whorl-go/whorl/examples/benchmark/ready"
)

func main() { harness.Main("floor", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, MaxIdleConnsPerHost: c.Concurrency}}
	requests := ready.New(c)
	return func(ctx context.Context) error {
		answer := make([]byte, 32<<10)
		return requests.Converse(lookup, func(body, tail []byte) ([]byte, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+"/v1/messages", nil)
			if err != nil {
				return nil, err
			}
			req.ContentLength = int64(len(body) + len(tail))
			req.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), bytes.NewReader(tail)))
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				return nil, err
			}
			n, err := readAll(resp.Body, &answer)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("status %d: %w", resp.StatusCode, err)
			}
			return answer[:n], nil
		})
	}, nil
}

func readAll(r io.Reader, buf *[]byte) (int, error) {
	n := 0
	for {
		if n == len(*buf) {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
		k, err := r.Read((*buf)[n:])
		n += k
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
