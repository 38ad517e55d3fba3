package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
)

// A tool may report progress from several goroutines: each report has a number of its
// own, and they rise.
func TestServedProgressFromManyGoroutines(t *testing.T) {
	const reports = 50
	server, err := mcp.Serve("test", "1", tools.Func("busy", "", func(ctx context.Context, _ struct{}) (string, error) {
		var wg sync.WaitGroup
		for i := range reports {
			wg.Go(func() { tools.Progress(ctx, fmt.Sprint(i)) })
		}
		wg.Wait()
		return "done", nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var got []float64
	all := make(chan struct{})
	client := sdk.NewClient(&sdk.Implementation{Name: "c", Version: "1"}, &sdk.ClientOptions{ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
		mu.Lock()
		defer mu.Unlock()
		if got = append(got, r.Params.Progress); len(got) == reports {
			close(all)
		}
	}})
	here, there := sdk.NewInMemoryTransports()
	ss, err := server.Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ss.Close()
	cs, err := client.Connect(t.Context(), there, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	params := &sdk.CallToolParams{Name: "busy", Arguments: json.RawMessage(`{}`)}
	params.SetProgressToken("p")
	if _, err := cs.CallTool(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	<-all
	mu.Lock()
	defer mu.Unlock()
	for i, n := range got {
		if n != float64(i+1) {
			t.Fatalf("report %d has the number %v: %v", i+1, n, got)
		}
	}
}
