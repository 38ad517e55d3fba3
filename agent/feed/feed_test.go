package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A model streams its replies, one a request, and rests between the events.
type model struct {
	mu      sync.Mutex
	replies []any // a response, or an error behind the first half of the response before it
	rest    func()
}

func (m *model) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		m.mu.Lock()
		reply := m.replies[0]
		m.replies = m.replies[1:]
		m.mu.Unlock()
		cut, broken := reply.(half)
		resp, _ := reply.(*transport.Response)
		if broken {
			resp = cut.of
		}
		n := 0
		for ev := range resp.Events() {
			if n++; broken && n > 4 {
				if cut.err != nil {
					yield(transport.Event{}, cut.err)
					return
				}
				yield(transport.Event{Type: transport.EventRestarted}, nil)
				m.Stream(ctx, req)(yield)
				return
			}
			if m.rest != nil {
				m.rest()
			}
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// A half is a response that breaks off: with an error, or to be begun again.
type half struct {
	of  *transport.Response
	err error
}

func reply(t testing.TB, stop string, content ...string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5}}`, strings.Join(content, ","), stop))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(s string) string {
	q, _ := json.Marshal(s)
	return `{"type":"text","text":` + string(q) + `}`
}

func use(id, name, input string) string {
	return fmt.Sprintf(`{"type":"tool_use","id":%q,"name":%q,"input":%s}`, id, name, input)
}

func newAgent(t testing.TB, m *model, opts agent.Options, ts ...tools.Tool) *agent.Agent {
	t.Helper()
	opts.Client, opts.Model, opts.Tools = m, "claude-opus-5-5", ts
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

type nothing struct{}

func look(f func(ctx context.Context) string) tools.Tool {
	return tools.Func("look", "Looks.", func(ctx context.Context, _ nothing) (string, error) { return f(ctx), nil })
}

// A page is what somebody makes of what is told of a session.
type page struct {
	records  []memory.Record
	flying   bool
	blocks   map[int]string // of the response that is written
	was      map[int]string // of the one that is over
	slow     bool           // what is over may have been void
	pieces   int            // that came of responses
	states   []string
	err      error // of the run
	ended    bool
	progress []string
}

// take takes an item in, and reports what can't be.
func (p *page) take(i feed.Item) error {
	switch i.Kind {
	case feed.Record:
		if i.At.Records != len(p.records)+1 {
			return fmt.Errorf("record %d came behind %d", i.At.Records, len(p.records))
		}
		p.records = append(p.records, i.Record)
		if i.Record.Kind == memory.KindResponse {
			if p.flying {
				return errors.New("a record of a response that is being written")
			}
			for n, got := range p.was {
				b := i.Record.Response.Content[n]
				whole := transport.Message{Content: []transport.Block{b}}.Text() + rawjson.GetString(b.Raw(), "thinking")
				if c, ok := b.ToolCall(); ok {
					whole = string(c.Input)
				}
				if !strings.HasPrefix(whole, got) && !p.slow {
					return fmt.Errorf("block %d was told as %q and is %q", n, got, whole)
				}
			}
		}
	case feed.Begin:
		if p.flying {
			return errors.New("a response begins in another")
		}
		p.flying, p.blocks, p.was = true, map[int]string{}, nil
	case feed.Over:
		if !p.flying {
			return errors.New("what did not begin is over")
		}
		p.flying, p.blocks, p.was = false, nil, p.blocks
	case feed.Block:
		p.pieces++
		if _, ok := p.blocks[i.Block]; ok || !p.flying {
			return fmt.Errorf("block %d begins twice, or in no response", i.Block)
		}
		p.blocks[i.Block] = ""
	case feed.Delta:
		p.pieces++
		if _, ok := p.blocks[i.Block]; !ok || i.Text == "" {
			return fmt.Errorf("%q of block %d, which did not begin", i.Text, i.Block)
		}
		p.blocks[i.Block] += i.Text
	case feed.State:
		p.states = append(p.states, i.Next.Do)
	case feed.Progress:
		p.progress = append(p.progress, i.Text)
	case feed.End:
		p.ended, p.err, p.was = true, i.Err, nil
	}
	return nil
}

// over reports whether the turn is over.
func (p *page) over() bool {
	return len(p.states) > 0 && p.states[len(p.states)-1] == "done" && p.ended
}

// answer is the newest response's text.
func (p *page) answer() string {
	for _, r := range slices.Backward(p.records) {
		if r.Kind == memory.KindResponse {
			return r.Response.Text()
		}
	}
	return ""
}

// A thousand watchers, from the beginning or from the midst, quick or slow, some of
// which leave and come back with their place, all have the same in the end.
func TestThousandWatchers(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 200
	}
	long := strings.Repeat("Ein Wal — 鯨. ", 40)
	var paces atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // whoever misses the end fails
	defer cancel()
	var once sync.Once
	seenPiece := make(chan struct{}) // closed when a watcher has seen a response being written
	m := &model{rest: func() {
		if paces.Add(1) == 5 {
			select {
			case <-seenPiece:
			case <-ctx.Done():
			}
		}
		time.Sleep(20 * time.Microsecond)
	}}
	m.replies = []any{
		reply(t, "tool_use", text(long), use("a", "look", `{}`)),
		half{of: reply(t, "end_turn", text("void"), text("void"))},
		reply(t, "tool_use", text("Again. "), use("b", "look", `{}`)),
		reply(t, "end_turn", text(long), text("The end.")),
	}
	store := new(memory.RAM)
	f := &feed.Feed{Store: store, Poll: 10 * time.Millisecond}
	a := newAgent(t, m, agent.Options{}, look(func(ctx context.Context) string {
		tools.Progress(ctx, "looking")
		return long
	}))
	begin, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-begin
		if _, err := a.Run(f.Attach(t.Context()), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
			t.Error(err)
		}
	}()
	var wg sync.WaitGroup
	pages := make([]page, n)
	pieces := 0
	seenAll := make(chan struct{}) // closed when the run is known to the feed
	first := f.Open("s", feed.Options{NoRecords: true})
	go func() {
		defer close(seenAll)
		for {
			moved := first.Moved()
			if items, _ := first.Read(t.Context()); len(items) > 0 {
				return
			}
			<-moved
		}
	}()
	close(begin)
	<-seenAll
	defer first.Close()
	for w := range n {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			if w%3 == 0 {
				for start := paces.Load() + int64(rng.IntN(20)); paces.Load() < start; { // in the midst
					time.Sleep(time.Millisecond)
					select {
					case <-ended:
						start = 0
					default:
					}
				}
			}
			p := &pages[w]
			p.slow = true
			var at feed.Position
			for {
				left := 1 + rng.IntN(8)
				for item, err := range f.Watch(ctx, "s", feed.Options{From: at}) {
					if err == nil {
						err = p.take(item)
					}
					if err != nil {
						t.Errorf("watcher %d: %v", w, err)
						return
					}
					if p.pieces > 0 {
						once.Do(func() { close(seenPiece) })
					}
					at = item.At
					if item.Kind == feed.State && len(p.states) > 0 && p.states[len(p.states)-1] == "done" {
						return
					}
					if w%5 == 1 {
						time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
					}
					if left--; w%4 == 2 && left == 0 { // cut off, and back with its place
						word, _ := at.MarshalText()
						at = feed.Position{}
						if err := at.UnmarshalText(word); err != nil {
							t.Error(err)
							return
						}
						break
					}
				}
				if ctx.Err() != nil {
					t.Errorf("watcher %d hasn't seen the end", w)
					return
				}
			}
		})
	}
	wg.Wait()
	<-ended
	for w := range pages {
		p := &pages[w]
		if got := p.answer(); got != long+"The end." || len(p.records) != len(pages[0].records) || len(p.records) != 10 {
			t.Fatalf("watcher %d has %d records, and the answer %.40q…", w, len(p.records), got)
		}
		pieces += p.pieces
	}
	if pieces == 0 {
		t.Error("nobody saw a response being written: the test tests nothing")
	}
	t.Logf("%d pieces of responses to %d watchers", pieces, n)
}

// Wherever a connection is cut, what came before and what comes after the watcher is
// back make up the same conversation.
func TestCutAnywhere(t *testing.T) {
	store := new(memory.RAM)
	m := &model{replies: []any{
		reply(t, "tool_use", text("One é two."), use("a", "look", `{}`)),
		half{of: reply(t, "end_turn", text("void"), text("void"))},
		reply(t, "end_turn", `{"type":"thinking","thinking":"Hm.","signature":"s"}`, text("The end.")),
	}}
	f := &feed.Feed{Store: store}
	a := newAgent(t, m, agent.Options{}, look(func(context.Context) string { return "seen" }))
	var all []feed.Item
	var cuts []*page
	var later []*feed.Watcher
	w := f.Open("s", feed.Options{})
	defer w.Close()
	whole := new(page)
	for range a.NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"}).Events(f.Attach(t.Context())) {
		// The run stands still meanwhile: each event is told as an item of its own.
		items, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			all = append(all, item)
			cut := &page{slow: len(cuts)%3 == 0} // those catch up in the end
			for _, i := range all {
				if err := cut.take(i); err != nil {
					t.Fatal(err)
				}
			}
			word, _ := item.At.MarshalText()
			var at feed.Position
			if err := at.UnmarshalText(word); err != nil || at != item.At {
				t.Fatalf("%s is read as %+v, %v", word, at, err)
			}
			cuts, later = append(cuts, cut), append(later, f.Open("s", feed.Options{From: at}))
		}
		// And each of those that were cut off gets what is new, some at once and some late.
		for i, back := range later {
			if i%3 != 0 {
				catchUp(t, back, cuts[i])
			}
		}
	}
	catchUp(t, w, whole)
	for i, back := range later {
		catchUp(t, back, cuts[i])
		if got := cuts[i].answer(); got != "The end." || len(cuts[i].records) != 7 || cuts[i].flying || !cuts[i].over() {
			t.Errorf("cut behind item %d (%s): %d records, %q, writing %v", i, all[i].Kind, len(cuts[i].records), got, cuts[i].flying)
		}
		back.Close()
	}
	if len(later) < 20 {
		t.Errorf("%d cuts", len(later))
	}
	for _, bad := range []feed.Position{{Records: 1, Response: "other", Offset: 3}, {Response: "x", Offset: 1 << 40}} {
		p := &page{flying: bad.Response != "", records: make([]memory.Record, bad.Records)}
		back := f.Open("s", feed.Options{From: bad})
		catchUp(t, back, p)
		if back.Close(); p.answer() != "The end." {
			t.Errorf("from %+v: %q", bad, p.answer())
		}
	}
}

func catchUp(t *testing.T, w *feed.Watcher, p *page) {
	t.Helper()
	for {
		items, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if err := p.take(item); err != nil {
				t.Fatal(err)
			}
		}
		if len(items) == 0 {
			return
		}
	}
}

// A wait has a beginning and an end, a run has an end with its error, and a response
// that broke off is void.
func TestWaitsAndEnds(t *testing.T) {
	store := new(memory.RAM)
	m := &model{replies: []any{
		reply(t, "tool_use", use("a", "pay", `{"usd":1}`), use("b", "pay", `{"usd":2}`)),
		half{reply(t, "end_turn", text("void"), text("void")), &transport.StreamError{Err: errors.New("cut")}},
		reply(t, "end_turn", text("Paid.")),
	}}
	pay := tools.FuncWith("pay", "Pays.", func(context.Context, struct {
		USD int `json:"usd"`
	}) (string, error) {
		return "ok", nil
	}, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	a := newAgent(t, m, agent.Options{}, pay)
	f := new(feed.Feed)
	ctx := f.Attach(f.Attach(t.Context())) // twice is once
	p := new(page)
	w := f.Open("s", feed.Options{})
	defer w.Close()
	in := agent.Input{Store: store, Session: "s", Prompt: "go"}
	if _, err := a.Run(ctx, in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	catchUp(t, w, p)
	if !p.ended || !errors.Is(p.err, agent.ErrAwaitingApproval) || !slices.Equal(p.states, []string{"wait"}) {
		t.Errorf("%v, %v, %v", p.ended, p.err, p.states)
	}
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range agent.Pending(log) {
		if err := c.Approve(t.Context(), log); err != nil {
			t.Fatal(err)
		}
	}
	p.ended, in.Prompt = false, ""
	states := 0
	for ev := range a.NewRun(in).Events(ctx) {
		if catchUp(t, w, p); ev.Type == agent.EventStream {
			states = len(p.states)
			if p.flying = p.flying || p.blocks != nil; !p.flying {
				t.Error("a response is written, and nobody is told")
			}
		}
	}
	catchUp(t, w, p)
	var cut *transport.StreamError
	if !p.ended || !errors.As(p.err, &cut) || p.flying || !slices.Equal(p.states[states-1:], []string{"model"}) {
		t.Errorf("%v, %v, writing %v, %v", p.ended, p.err, p.flying, p.states)
	}
	if _, err := a.Run(ctx, in); err != nil {
		t.Fatal(err)
	}
	if catchUp(t, w, p); p.answer() != "Paid." || p.err != nil || !p.over() {
		t.Errorf("%q, %v, %v", p.answer(), p.err, p.states)
	}
}

// A sub-agent that has ended before anybody watched is told to those who come while its
// caller runs on.
func TestSubAgentThatEndedBefore(t *testing.T) {
	store := new(memory.RAM)
	m := &model{replies: []any{
		reply(t, "tool_use", use("a", "helper", `{"task":"dig"}`)),
		reply(t, "end_turn", text("Found.")),
		reply(t, "tool_use", use("b", "look", `{}`)),
		reply(t, "end_turn", text("The end.")),
	}}
	looks, seen := make(chan struct{}), make(chan struct{})
	helper := newAgent(t, m, agent.Options{})
	a := newAgent(t, m, agent.Options{}, agent.Sub{Agent: helper, Name: "helper", Description: "Helps."}, look(func(context.Context) string {
		close(looks)
		<-seen
		return "seen"
	}))
	f := &feed.Feed{Store: store}
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := a.Run(f.Attach(t.Context()), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
			t.Error(err)
		}
	})
	<-looks
	w := f.Open("s", feed.Options{Tree: true})
	defer w.Close()
	pages := map[string]*page{}
	items, err := w.Read(t.Context())
	if err != nil {
		t.Error(err)
	}
	for _, item := range items {
		if pages[item.Session] == nil {
			pages[item.Session] = new(page)
		}
		if err := pages[item.Session].take(item); err != nil {
			t.Errorf("%s: %v", item.Session, err)
		}
	}
	if child := pages["s/2-a"]; child == nil || child.answer() != "Found." {
		t.Errorf("%d sessions, of the child %+v", len(pages), child)
	}
	close(seen)
	running.Wait()
}

// Those who watch a tree see what sub-agents do, each in its session.
func TestTree(t *testing.T) {
	store := new(memory.RAM)
	m := &model{replies: []any{
		reply(t, "tool_use", use("a", "helper", `{"task":"dig"}`)),
		reply(t, "tool_use", use("b", "look", `{}`)),
		reply(t, "end_turn", text("Found.")),
		reply(t, "end_turn", text("The end.")),
	}}
	helper := newAgent(t, m, agent.Options{}, look(func(context.Context) string { return "seen" }))
	a := newAgent(t, m, agent.Options{}, agent.Sub{Agent: helper, Name: "helper", Description: "Helps."})
	f := new(feed.Feed)
	for _, tree := range []bool{false, true} {
		m.replies = slices.Clone(m.replies)
		replies := m.replies
		id := fmt.Sprint("s", tree)
		pages := map[string]*page{}
		w := f.Open(id, feed.Options{Tree: tree})
		other := f.Open(id+"/x", feed.Options{}) // of that name, and no child
		take := func() {
			items, err := w.Read(t.Context())
			if err != nil && !errors.Is(err, memory.ErrNoSession) { // before the run begins
				t.Error(err)
			}
			for _, item := range items {
				if pages[item.Session] == nil {
					pages[item.Session] = new(page)
				}
				if err := pages[item.Session].take(item); err != nil {
					t.Errorf("%s: %v", item.Session, err)
				}
			}
		}
		ctx, cancel := context.WithCancel(f.Attach(t.Context()))
		var watching sync.WaitGroup
		watching.Go(func() {
			for ctx.Err() == nil {
				moved := w.Moved()
				take()
				select {
				case <-moved:
				case <-ctx.Done():
				}
			}
		})
		_, err := a.Run(ctx, agent.Input{Store: store, Session: id, Prompt: "go"})
		cancel()
		watching.Wait()
		if take(); err != nil {
			t.Fatal(err)
		}
		if got := pages[id].answer(); got != "The end." {
			t.Errorf("%q", got)
		}
		child := pages[id+"/2-a"]
		switch {
		case !tree && len(pages) != 1:
			t.Errorf("%d sessions", len(pages))
		case tree && (len(pages) != 2 || child == nil || child.answer() != "Found." || !child.over()):
			t.Errorf("%d sessions, of the child %+v", len(pages), child)
		}
		w.Close()
		other.Close()
		m.replies = replies
	}
}

// Where another process runs the session, the records come from the store; where it
// is another session meanwhile, that is told.
func TestAnotherProcess(t *testing.T) {
	store := new(memory.RAM)
	f := &feed.Feed{Store: store, Poll: time.Millisecond}
	for range f.Watch(t.Context(), "none", feed.Options{}) {
	}
	w := f.Open("none", feed.Options{})
	if _, err := w.Read(t.Context()); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("%v", err)
	}
	w.Close()
	elsewhere := func() {
		m := &model{replies: []any{reply(t, "tool_use", use("a", "look", `{}`)), reply(t, "end_turn", text("The end."))}}
		a := newAgent(t, m, agent.Options{}, look(func(context.Context) string { return "seen" }))
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
			t.Error(err)
		}
	}
	elsewhere()
	p, said := new(page), false
	var last error
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for item, err := range f.Watch(ctx, "s", feed.Options{}) {
		if last = err; err != nil {
			break
		}
		if err := p.take(item); err != nil {
			t.Fatal(err)
		}
		if item.Kind == feed.State && !said {
			said = true
			elsewhere() // goes on with the session
		} else if item.Kind == feed.State && p.states[len(p.states)-1] == "done" && len(p.records) == 12 {
			if err := store.Delete(t.Context(), "s"); err != nil {
				t.Fatal(err)
			}
			elsewhere()
		}
	}
	if !errors.Is(last, memory.ErrReplaced) || p.answer() != "The end." {
		t.Errorf("%v after %d records, %q", last, len(p.records), p.answer())
	}
	again := new(page)
	w = f.Open("s", feed.Options{})
	catchUp(t, w, again)
	if w.Close(); len(again.records) != 6 {
		t.Errorf("of the new session there are %d records", len(again.records))
	}
	w = f.Open("s", feed.Options{From: feed.Position{Incarnation: "other", Records: 2}})
	defer w.Close()
	if _, err := w.Read(t.Context()); !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("%v", err)
	}
}

// One who watches costs a place, and nothing stays when all have left.
func TestIdleWatchers(t *testing.T) {
	store := new(memory.RAM)
	if err := store.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Time: time.Now(), Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	f := &feed.Feed{Store: store}
	before := runtime.NumGoroutine()
	watchers := make([]*feed.Watcher, 1000)
	for i := range watchers {
		watchers[i] = f.Open("s", feed.Options{})
		if items, err := watchers[i].Read(t.Context()); err != nil || len(items) != 2 {
			t.Fatalf("%d items, %v", len(items), err)
		}
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
	allocs := testing.AllocsPerRun(100, func() {
		if items, err := watchers[0].Read(t.Context()); len(items) > 0 || err != nil {
			t.Fatal(items, err)
		}
	})
	t.Logf("looking in vain allocates %v objects", allocs)
	for _, w := range watchers {
		w.Close()
		w.Close()
	}
	if n := f.Sessions(); n != 0 {
		t.Errorf("%d sessions are kept", n)
	}
}

func TestPositionText(t *testing.T) {
	for _, word := range []string{"", "1", "1.2", "1.2.x", "x.2.y.z", "-1.0..", "1.-2.a.b", "1.9999999999999999999.a.b", strings.Repeat("9", 300)} {
		var p feed.Position
		if err := p.UnmarshalText([]byte(word)); err == nil || len(err.Error()) > 300 {
			t.Errorf("%q is read as %+v, %v", word, p, err)
		}
	}
}
