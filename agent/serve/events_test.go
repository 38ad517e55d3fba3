package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/tools"
)

var update = flag.Bool("update", false, "write the golden files again")

// events are the events of a session from its beginning, by a listener that begins
// behind an event, or at its beginning.
func eventsOf(t *testing.T, s *stage.Stage, path, body string) []byte {
	t.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-User", "ann")
	r.Header.Set("Accept", "text/event-stream")
	w := httptest.NewRecorder()
	s.Mux.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func dataOf(stream []byte) (list []string) {
	scan := bufio.NewReader(bytes.NewReader(stream))
	for {
		line, err := scan.ReadString('\n')
		if err != nil {
			return list
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			list = append(list, strings.TrimSuffix(data, "\n"))
		}
	}
}

func schema(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	raw, err := os.ReadFile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("events.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("events.json")
	if err != nil {
		t.Fatal(err)
	}
	return s, doc.(map[string]any)
}

// What listeners are sent fits the schema, in all scenarios; the kinds that are told
// whole, of records and states, are those of the golden files.
func TestEventsFitTheirSchema(t *testing.T) {
	compiled, _ := schema(t)
	kinds := map[string]bool{}
	for _, said := range []string{"hello", "think", "parallel", "approve", "ask", "helper", "fails", "draw", "sources", "blocks", "long", "fail", "cut", "color", "slowly", "think slowly"} {
		s := stage.Start(t, stage.Options{})
		stream := eventsOf(t, s, "/agent/messages/s", fmt.Sprintf(`{"text":%q}`, said))
		var records []string
		for _, data := range dataOf(stream) {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if err := compiled.Validate(v); err != nil {
				t.Errorf("%s: %v\n%s", said, err, data)
			}
			kind := v.(map[string]any)["kind"].(string)
			kinds[kind] = true
			switch kind {
			case "message", "response", "result", "decision", "summary", "end":
				records = append(records, data)
			}
			if v.(map[string]any)["calls"] != nil || v.(map[string]any)["questions"] != nil {
				records = append(records, data)
			}
		}
		if said == "parallel" || said == "long" || said == "helper" || strings.HasSuffix(said, "slowly") {
			continue // their order, their length, or for their pieces, which come while one listens
		}
		golden(t, said, records)
	}
	for _, kind := range []string{"message", "response", "result", "begin", "block", "delta", "stop", "over", "state", "end"} {
		if !kinds[kind] {
			t.Errorf("no event of the kind %s", kind)
		}
	}
}

var differs = regexp.MustCompile(`(toolu|srvtoolu|msg)_01[A-Za-z0-9]{20,}|"(at|time|since|hash|session)":"[^"]*"|[0-9]+-id`)

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	ids := map[string]string{}
	got := differs.ReplaceAllStringFunc(strings.Join(lines, "\n")+"\n", func(id string) string {
		if id[0] == '"' {
			member, _, _ := strings.Cut(id, ":")
			return member + `:"…"`
		}
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("id-%d", len(ids)+1)
		}
		return ids[id]
	})
	// The end of a run that was over before it was listened to has no place.
	got = strings.ReplaceAll(got, `"kind":"end","session":"…","at":"…"`, `"kind":"end","session":"…"`)
	path := filepath.Join("testdata", "events", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: the events are others; -update writes them again:\n%s", name, got)
	}
}

// The schema, the types and the table of docs/serve.md have the same members and kinds.
func TestTheSchemaIsComplete(t *testing.T) {
	_, doc := schema(t)
	defs := doc["$defs"].(map[string]any)
	question := defs["question"].(map[string]any)["properties"].(map[string]any)["question"]
	for _, of := range []struct {
		value any
		at    any
	}{
		{serve.Event{}, doc}, {serve.Content{}, defs["content"]}, {serve.Problem{}, defs["problem"]},
		{agent.PendingCall{}, defs["call"]}, {agent.PendingQuestion{}, defs["question"]}, {tools.Question{}, question},
	} {
		members := of.at.(map[string]any)["properties"].(map[string]any)
		typ := reflect.TypeOf(of.value)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if _, ok := members[name]; !ok {
				t.Errorf("%s: the schema has no %q", typ, name)
			}
			delete(members, name)
		}
		if len(members) > 0 {
			t.Errorf("%s has not %v", typ, members)
		}
	}
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("events.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds struct {
		Properties struct {
			Kind struct{ Enum []string }
		}
	}
	if err := json.Unmarshal(raw, &kinds); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds.Properties.Kind.Enum {
		if !strings.Contains(string(text), "`"+kind+"`") {
			t.Errorf("docs/serve.md doesn't name the kind %s", kind)
		}
	}
}

// Wherever the connection is cut, a listener that comes back with the last id that it
// received comes to the same answer.
func TestCutAtEveryByte(t *testing.T) {
	for _, said := range []string{"parallel", "think", "sources"} {
		t.Run(said, func(t *testing.T) {
			s := stage.Start(t, stage.Options{})
			whole := eventsOf(t, s, "/agent/messages/s", fmt.Sprintf(`{"text":%q}`, said))
			want, cuts, before := answer(t, whole), 0, -1
			if len(want) < 2 {
				t.Fatalf("%v", want)
			}
			server := httptest.NewServer(s.Mux)
			defer server.Close()
			for n := 0; n <= len(whole); n++ {
				had := whole[:n]
				if len(dataOf(had)) == before {
					continue // the listener has no more than with one byte less
				}
				before = len(dataOf(had))
				cuts++
				last := ""
				for _, data := range dataOf(had) {
					var e serve.Event
					if err := json.Unmarshal([]byte(data), &e); err != nil {
						t.Fatal(err)
					}
					if e.At != "" {
						last = e.At
					}
				}
				rest := untilIdle(t, server.URL, last)
				if got := answer(t, append(append([]byte{}, had...), rest...)); !reflect.DeepEqual(got, want) {
					t.Fatalf("cut after %d bytes:\n%+v\nand not\n%+v", n, got, want)
				}
			}
			if cuts < 4 {
				t.Errorf("%d cuts", cuts)
			}
		})
	}
}

// untilIdle reads a session's events from behind an id until it has come to rest.
func untilIdle(t *testing.T, url, last string) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/agent/events/s", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", "ann")
	r.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got bytes.Buffer
	scan := bufio.NewReader(resp.Body)
	for {
		line, err := scan.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(line)
		if strings.Contains(line, `"kind":"state"`) && strings.Contains(line, `"state":"idle"`) {
			return got.Bytes()
		}
	}
}

// answer is what a stream's complete events come to, by their numbers.
func answer(t *testing.T, stream []byte) map[int]string {
	t.Helper()
	all := map[int]string{}
	for _, data := range dataOf(stream) {
		var e serve.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Number > 0 {
			content, err := json.Marshal(e.Content)
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := all[e.Number]; ok && was != e.Kind+string(content) {
				t.Fatalf("%d is told twice: %s", e.Number, data)
			}
			all[e.Number] = e.Kind + string(content)
		}
	}
	return all
}
