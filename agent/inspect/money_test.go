package inspect_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// What sessions cost is summed up per user, model and day; what a fork has of its origin
// counts once.
func TestSums(t *testing.T) {
	store := new(memory.RAM)
	answer := func(model string) *transport.Response {
		r, err := transport.ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"` + model + `","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1000,"output_tokens":0,"service_tier":"standard","inference_geo":"not_available"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	day := time.Now().Add(-48 * time.Hour)
	for id, user := range map[string]string{"a": "ann", "b": "ann", "c": "bob"} {
		log, err := memory.Create(store, id, &memory.Start{Meta: map[string]string{"user": user}})
		if err != nil {
			t.Fatal(err)
		}
		model := "claude-haiku-4-5"
		if id == "b" {
			model = "claude-opus-5-5"
		}
		for i := range 2 {
			at := day.Add(time.Duration(i) * 24 * time.Hour)
			if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi"), Time: at}, memory.Record{Kind: memory.KindResponse, Response: answer(model), Time: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := memory.ForkSession(t.Context(), store, "c", 4, "fork", nil); err != nil {
		t.Fatal(err)
	}
	server := serve(t, store, inspect.Options{})
	type line struct {
		Name               string
		Sessions, Requests int
		USD                float64
		Known              bool
	}
	get := func() (v struct{ Users, Models, Days []line }) {
		_, raw, _ := do(t, "GET", server.URL+"/debug/agents/api/money", "")
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		return v
	}
	v := get()
	// The responses are bare, and do not say all that their price depends on.
	if len(v.Users) != 2 || v.Users[0].Name != "ann" || v.Users[0].Sessions != 2 || v.Users[0].Requests != 4 || v.Users[1].Requests != 2 || v.Users[0].Known {
		t.Errorf("users: %+v", v.Users)
	}
	if len(v.Models) != 2 || v.Models[0].Name != "claude-opus-5-5" || v.Models[1].Requests != 4 {
		t.Errorf("models: %+v", v.Models)
	}
	if len(v.Days) != 2 || v.Days[0].Name <= v.Days[1].Name || v.Days[0].Requests != 3 {
		t.Errorf("days: %+v", v.Days)
	}
	sum := func(lines []line) (usd float64) {
		for _, l := range lines {
			usd += l.USD
		}
		return usd
	}
	if u, m, d := sum(v.Users), sum(v.Models), sum(v.Days); u == 0 || math.Abs(u-m) > 1e-9 || math.Abs(u-d) > 1e-9 {
		t.Errorf("the sums differ: %v %v %v", u, m, d)
	}
}

// What came of no response is a line of its own, whose price is known unless something
// in it is not: a response whose price is not known doesn't make it so.
func TestSumsOfWhatIsNoResponse(t *testing.T) {
	answer := func(output int) *transport.Response {
		r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":%d}}`, output))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tt := range []struct {
		name   string
		output int // of the response; 0 leaves its price open
		note   string
		want   string // the model's line, and that of the rest
	}{
		{"no rest", 1, "", "1 true"},
		{"an open price, no rest", 0, "", "1 false"},
		{"a rest", 1, "warm", "1 true, 1 true"},
		{"a rest that was cut off", 1, "interrupted", "1 true, 1 false"},
		{"a rest behind an open price", 0, "warm", "1 false, 1 true"},
	} {
		store := new(memory.RAM)
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		records := []memory.Record{{Kind: memory.KindInput, Message: transport.UserText("hi")}}
		if tt.note != "" {
			records = append(records, memory.Record{Kind: memory.KindNote, Note: tt.note, Data: answer(1).Raw()})
		}
		if err := log.Append(t.Context(), append(records, memory.Record{Kind: memory.KindResponse, Response: answer(tt.output)})...); err != nil {
			t.Fatal(err)
		}
		var v struct {
			Models []struct {
				Name     string
				Requests int
				Known    bool
			}
		}
		_, raw, _ := do(t, "GET", serve(t, store, inspect.Options{}).URL+"/debug/agents/api/money", "")
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		lines := map[string]string{}
		for _, m := range v.Models {
			lines[m.Name] = fmt.Sprint(m.Requests, " ", m.Known)
		}
		got := lines["claude-haiku-4-5"]
		delete(lines, "claude-haiku-4-5")
		for _, rest := range lines {
			got += ", " + rest
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s: %s", tt.name, got, tt.want, raw)
		}
	}
}

// A sum's price is known only if all that is in it is, wherever what isn't stands.
func TestSumsOfAnswersOfOpenPrice(t *testing.T) {
	at := time.Now().Add(-time.Minute)
	answer := func(output int) memory.Record {
		r, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":%d}}`, output))
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindResponse, Response: r, Time: at}
	}
	for _, tt := range []struct {
		sessions [][]int // the output tokens of their answers; 0 leaves the price open
		known    bool
	}{
		{[][]int{{1, 1}}, true},
		{[][]int{{0, 1}}, false},
		{[][]int{{1, 0}}, false},
		{[][]int{{1}, {1}}, true},
		{[][]int{{0}, {1}}, false},
		{[][]int{{1}, {0}}, false},
	} {
		store, requests := new(memory.RAM), 0
		for i, outputs := range tt.sessions {
			log, err := memory.Create(store, fmt.Sprint(i), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range outputs {
				requests++
				if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi"), Time: at}, answer(n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		type line struct {
			Requests int
			Known    bool
		}
		var v struct{ Users, Models, Days []line }
		_, raw, _ := do(t, "GET", serve(t, store, inspect.Options{}).URL+"/debug/agents/api/money", "")
		if err := json.Unmarshal([]byte(raw), &v); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		for _, lines := range [][]line{v.Users, v.Models, v.Days} {
			if len(lines) != 1 || lines[0] != (line{requests, tt.known}) {
				t.Errorf("%v: %s", tt.sessions, raw)
			}
		}
	}
}
