package tools_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

type upTo struct {
	N int `json:"n"`
}

// count yields the numbers up to n, and fails at 3.
func count(ctx context.Context, in upTo) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range in.N {
			if i == 3 {
				yield("", errors.New("no more fingers"))
				return
			}
			if !yield(fmt.Sprint(i, " "), nil) {
				return
			}
		}
	}
}

func TestStream(t *testing.T) {
	tool := tools.Stream("count", "Counts.", count)
	if _, err := tool.Definition(); err != nil {
		t.Fatal(err)
	}
	var progress []string
	ctx := tools.WithCall(context.Background(), tools.CallInfo{Progress: func(m string) { progress = append(progress, m) }})
	res, err := tool.Call(ctx, []byte(`{"n":2}`))
	if got := (transport.Message{Content: res.Content}).Text(); err != nil || got != "0 1 " || !slices.Equal(progress, []string{"0 ", "1 "}) {
		t.Errorf("result %q, progress %q, %v", got, progress, err)
	}
	if _, err = tool.Call(ctx, []byte(`{"n":5}`)); err == nil || !strings.Contains(err.Error(), "0 1 2 ") || !strings.Contains(err.Error(), "no more fingers") {
		t.Errorf("error %v", err)
	}
	endless := tools.Stream("endless", "", func(context.Context, upTo) iter.Seq2[string, error] {
		piece := strings.Repeat("x", 1<<20)
		return func(yield func(string, error) bool) {
			for yield(piece, nil) {
			}
		}
	})
	if _, err = endless.Call(context.Background(), []byte(`{"n":2}`)); err == nil || len(err.Error()) > 17<<20 || !strings.Contains(err.Error(), "ask for less") {
		t.Errorf("a result without end: %d bytes", len(fmt.Sprint(err)))
	}
	// As much as is allowed, and no more; what had come is told.
	for n, want := range map[int]string{16: "", 17: "ask for less"} {
		megabytes := tools.Stream("megabytes", "", func(context.Context, upTo) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for range n {
					if !yield(strings.Repeat("x", 1<<20), nil) {
						return
					}
				}
			}
		})
		res, err := megabytes.Call(context.Background(), []byte(`{"n":2}`))
		if want == "" && (err != nil || len(res.Content) != 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) < 16<<20) {
			t.Errorf("%d MB: %d blocks, %d bytes of an error", n, len(res.Content), len(fmt.Sprint(err)))
		}
	}
	// A call that is cancelled between two pieces asks for no more of them.
	between, stop := context.WithCancel(ctx)
	asked := 0
	stopped := tools.Stream("stopped", "", func(context.Context, upTo) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for asked = 1; ; asked++ {
				if asked == 3 {
					stop()
				}
				if asked > 9 || !yield("p", nil) {
					return
				}
			}
		}
	})
	if _, err := stopped.Call(between, []byte(`{"n":2}`)); !errors.Is(err, context.Canceled) || asked != 3 || !strings.HasPrefix(err.Error(), "pp\n") {
		t.Errorf("cancelled after %d pieces: %v", asked, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = tool.Call(ended, []byte(`{"n":2}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
	if _, err := tools.Stream[upTo]("count", "", nil).Definition(); err == nil || !strings.Contains(err.Error(), "the function is nil") {
		t.Errorf("a nil function: %v", err)
	}
}
