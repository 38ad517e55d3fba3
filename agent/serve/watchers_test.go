package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// clock is a model's service whose answer is the time at which each piece of it was
// written, with padding.
func clock(pieces, padding int, wait time.Duration, begin <-chan struct{}) http.Handler {
	pad := strings.Repeat(".", padding)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-begin:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(typ, rest string) {
			fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", typ, typ, rest)
			w.(http.Flusher).Flush()
		}
		send("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)
		send("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
		for range pieces {
			send("content_block_delta", fmt.Sprintf(`,"index":0,"delta":{"type":"text_delta","text":"%d %s"}`, time.Now().UnixNano(), pad))
			time.Sleep(wait)
		}
		send("content_block_stop", `,"index":0`)
		send("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}`)
		send("message_stop", "")
	})
}

// A watcher reads a session's events from a connection of its own.
type watching struct {
	conn  net.Conn
	late  []time.Duration // of pieces, from the service's write
	whole int             // bytes of the answer
	err   error
}

func (w *watching) read(idle func()) {
	scan := bufio.NewReaderSize(w.conn, 4096)
	begun := false
	for {
		line, err := scan.ReadString('\n')
		if err != nil {
			w.err = err
			return
		}
		if !begun && strings.HasPrefix(line, ": whorl") {
			begun = true
			idle()
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		now := time.Now().UnixNano()
		if _, text, ok := strings.Cut(data, `"delta":"text_delta","text":"`); ok { // cheaply: there are many
			at, _, _ := strings.Cut(text, " ")
			if sent, err := strconv.ParseInt(at, 10, 64); err == nil {
				w.late = append(w.late, time.Duration(now-sent))
			}
			continue
		}
		var e serve.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			w.err = err
			return
		}
		switch e.Kind {
		case "response":
			w.whole = len(e.Content[0].Text)
		case "end":
			return
		}
	}
}

// Many watch one session, and one of them doesn't read: the others get all of the
// answer. With WHORL_WATCHERS it tells what so many cost, and how long a piece takes from
// the service to them:
//
//	WHORL_WATCHERS=1000 go test ./agent/serve -run TestManyWatchers -v
func TestManyWatchers(t *testing.T) {
	count, pieces, padding, wait := 12, 60, 32<<10, time.Duration(0)
	measured := false
	if n, err := strconv.Atoi(os.Getenv("WHORL_WATCHERS")); err == nil {
		count, pieces, padding, wait, measured = n, 100, 0, 50*time.Millisecond, true
	}
	begin := make(chan struct{})
	service := httptest.NewServer(clock(pieces, padding, wait, begin))
	defer service.Close()
	c, err := anthropic.New(anthropic.Options{BaseURL: service.URL, APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := serve.New(serve.Options{
		Store: new(memory.RAM),
		Run: func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{}, nil
		},
		User:         func(*http.Request) (serve.User, error) { return serve.User{ID: "ann"}, nil },
		WriteTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close(t.Context())
	post, err := http.Post(server.URL+"/messages/s", "application/json", strings.NewReader(`{"text":"what time is it?"}`))
	if err != nil || post.StatusCode != http.StatusAccepted {
		t.Fatalf("%v %v", err, post)
	}
	post.Body.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /events/s HTTP/1.0\r\nHost: x\r\n\r\n")
		return conn
	}
	stuck := dial() // and never reads
	defer stuck.Close()
	before := used()
	var idle, done sync.WaitGroup
	list := make([]*watching, count)
	for i := range list {
		list[i] = &watching{conn: dial()}
		defer list[i].conn.Close()
		idle.Add(1)
		done.Go(func() { list[i].read(idle.Done) })
	}
	idle.Wait()
	after := used()
	close(begin)
	done.Wait()
	var late []time.Duration
	for i, w := range list {
		if w.err != nil || w.whole < pieces*padding || w.whole == 0 {
			t.Errorf("watcher %d: %v, %d bytes, %d pieces", i, w.err, w.whole, len(w.late))
		}
		late = append(late, w.late...)
	}
	if !measured || len(late) == 0 {
		return
	}
	slices.Sort(late)
	t.Logf("%d watchers: %d bytes each, both ends of the connection included; %d of %d pieces came before the record; from the service to a watcher %v (median), %v (99 of 100), %v (longest)",
		count, (after-before)/int64(count), len(late), count*pieces, late[len(late)/2].Round(10*time.Microsecond), late[len(late)*99/100].Round(10*time.Microsecond), late[len(late)-1].Round(10*time.Microsecond))
}

// used is the memory in use, stacks included.
func used() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
