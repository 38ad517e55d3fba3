package anthropic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// checkMessage reads a response, streamed or whole.
func (r *recording) checkMessage(ctx context.Context, c *Client, rng *rand.Rand, counts map[string]int, several bool) (string, error) {
	body := []byte(r.Response.Body)
	if !r.isStream() {
		if rawjson.GetString(body, "type") == "error" {
			_, err := transport.Create(ctx, c, newRequest())
			var e *transport.Error
			return "error in a body of status 200", orElse(nil, errors.As(err, &e) && e.Type != "", fmt.Sprint(err))
		}
		kind := "messages: whole, " + r.Kind
		resp, err := transport.Create(ctx, c, newRequest())
		if err != nil {
			return kind, err
		}
		if !bytes.Equal(resp.Raw(), rawjson.Trim(body)) {
			return kind, errors.New("Raw is not the body")
		}
		var want [][]byte
		for e := range rawjson.Elements(rawjson.Get(body, "content")) {
			want = append(want, e)
		}
		if err := sameBlocks(resp.Content, want); err != nil {
			return kind, err
		}
		again, err := assemble(strings.NewReader(asStream(body, rng)))
		if err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		if err := sameButSpace(again.Content, want); err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		if err := sameValue(again.Raw(), body); err != nil {
			return kind, fmt.Errorf("streamed: %w", err)
		}
		return kind, errors.Join(r.checkBounds(observe(resp)), checkReplay(resp, counts, several))
	}

	kind := "messages: streamed, " + r.Kind
	resp, err := transport.Create(ctx, c, newRequest())
	want, wantErr := referenceAssembly(r.Response.Body)
	if wantErr != nil {
		kind += ", " + wantErr.Error()
		var e *transport.Error
		var broken *transport.StreamError
		if err == nil || !errors.As(err, &broken) || wantErr == errInStream && !errors.As(err, &e) {
			return kind, fmt.Errorf("got %v", err)
		}
		return kind, nil
	}
	if err != nil {
		return kind, err
	}
	if err := sameBlocks(resp.Content, want.blocks); err != nil {
		return kind, err
	}
	whole, err := transport.ParseResponse(resp.Raw())
	if err != nil {
		return kind, err
	}
	if err := sameBlocks(whole.Content, want.blocks); err != nil {
		return kind, fmt.Errorf("Raw: %w", err)
	}
	for key, v := range want.envelope {
		if err := sameValue(rawjson.Get(resp.Raw(), key), v); err != nil {
			return kind, fmt.Errorf("%s: %w", key, err)
		}
	}
	for range 3 {
		again, err := assemble(&pieces{rng: rng, rest: r.Response.Body})
		if err != nil || !bytes.Equal(again.Raw(), resp.Raw()) {
			return kind, fmt.Errorf("split at random: %v", err)
		}
	}
	if n := len(r.Response.Body); n < 2000 && counts["streams split at each byte"] < 30 {
		counts["streams split at each byte"]++
		for i := range n {
			again, err := assemble(io.MultiReader(strings.NewReader(r.Response.Body[:i]), strings.NewReader(r.Response.Body[i:])))
			if err != nil || !bytes.Equal(again.Raw(), resp.Raw()) {
				return kind, fmt.Errorf("split at byte %d: %v", i, err)
			}
		}
	}
	return kind, errors.Join(r.checkBounds(observe(resp)), checkReplay(resp, counts, several))
}

func assemble(in io.Reader) (*transport.Response, error) {
	for ev, err := range transport.ReadStream(in) {
		if err != nil {
			return nil, err
		}
		if ev.Type == transport.EventMessageStop {
			return ev.Response, nil
		}
	}
	return nil, errors.New("no response")
}

// fileID is what only responses have in citations; Replay takes it out.
var fileID = regexp.MustCompile(`,"file_id":(null|"[^"]*")`)

// checkReplay sends the response back in a next request, with marks and
// without, and demands the bytes that came.
func checkReplay(resp *transport.Response, counts map[string]int, several bool) error {
	for _, b := range resp.Content {
		if _, unknown := view.As[view.Unknown](b); unknown {
			return fmt.Errorf("no view of %s", b.Raw())
		}
		counts[string("blocks viewed: "+b.Type())]++
	}
	turn, ok := resp.Replay()
	if !ok {
		counts["turns that are left out whole"]++
		return nil
	}
	if several {
		counts["turns of conversations sent back"]++
	}
	counts["blocks sent back"] += len(turn.Content)
	counts["blocks left out"] += len(resp.Content) - len(turn.Content)
	for _, b := range turn.Content {
		if !slices.ContainsFunc(resp.Content, func(o transport.Block) bool {
			return bytes.Equal(b.Raw(), o.Raw()) || o.Type() == transport.TypeText && string(b.Raw()) == fileID.ReplaceAllString(string(o.Raw()), "")
		}) {
			return errors.New("a block that didn't come")
		}
	}
	req := &transport.Request{Model: "m", MaxTokens: 1, Messages: []transport.Message{transport.UserText("q"), turn, transport.UserText("q2")}}
	for i := len(turn.Content) - 1; i >= 0; i-- {
		if wire.Markable(turn.Content[i]) && !turn.Content[i].Marked() {
			req.Breakpoints = []transport.Breakpoint{{Part: transport.PartMessages, Index: 1, Block: i}}
			break
		}
	}
	for range 2 {
		body, err := req.StreamBody()
		if err != nil {
			return err
		}
		var sent []byte
		i := 0
		for m := range rawjson.Elements(rawjson.Get(body.Bytes(), "messages")) {
			if i++; i == 2 {
				sent = rawjson.Get(m, "content")
			}
		}
		i = 0
		for e := range rawjson.Elements(sent) {
			got := string(e)
			if len(req.Breakpoints) > 0 && req.Breakpoints[0].Block == i {
				got = strings.Replace(got, `,"cache_control":{"type":"ephemeral"}}`, "}", 1)
			}
			if got != string(turn.Content[i].Raw()) {
				return fmt.Errorf("block %d is sent back as %s", i, e)
			}
			i++
		}
		if i != len(turn.Content) {
			return fmt.Errorf("%d blocks sent back of %d", i, len(turn.Content))
		}
		req.Breakpoints = nil
	}
	return nil
}

func sameBlocks(got []transport.Block, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d blocks, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Raw(), want[i]) {
			return fmt.Errorf("block %d is %s\nwant %s", i, got[i].Raw(), want[i])
		}
	}
	return nil
}

// sameButSpace is sameBlocks for bytes whose white space between values a stream can't carry.
func sameButSpace(got []transport.Block, want [][]byte) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d blocks, want %d", len(got), len(want))
	}
	for i := range got {
		var g, w bytes.Buffer
		if err := errors.Join(json.Compact(&g, got[i].Raw()), json.Compact(&w, want[i])); err != nil {
			return err
		}
		if !bytes.Equal(g.Bytes(), w.Bytes()) {
			return fmt.Errorf("block %d is %s\nwant %s", i, &g, &w)
		}
	}
	return nil
}

// sameValue compares JSON by value, numbers by their text.
func sameValue(got, want []byte) error {
	g, err := decodeNumbers(got)
	if err != nil {
		return fmt.Errorf("%w: %s", err, got)
	}
	w, err := decodeNumbers(want)
	if err != nil {
		return err
	}
	a, _ := json.Marshal(g)
	b, _ := json.Marshal(w)
	if !bytes.Equal(a, b) {
		return fmt.Errorf("got %s\nwant %s", a, b)
	}
	return nil
}

func decodeNumbers(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// pieces returns a random number of bytes at a time.
type pieces struct {
	rng  *rand.Rand
	rest string
}

func (r *pieces) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:1+r.rng.IntN(min(len(r.rest), 200))])
	r.rest = r.rest[n:]
	return n, nil
}
