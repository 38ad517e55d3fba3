package serve_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// What a question allows is taken from the session, not from the client, and who answered
// is the user.
func TestAnswersAreTheUsers(t *testing.T) {
	s := start(t, nil)
	for id, body := range map[string]string{"a": `"value":"b"`, "d": `"decline":true,"reason":"why not"`} {
		events := s.listen("POST", "/messages/"+id, `{"text":"call which"}`).until("state", "waiting")
		q := events[len(events)-1].Questions[0]
		q.Question.Choices, q.Question.Open = nil, true
		raw, _ := json.Marshal(q)
		if status, body := s.do("POST", "/answers/"+id, `{"question":`+string(raw)+`,"value":"c"}`); status != 422 {
			t.Errorf("a choice of the client's own: %d %s", status, body)
		}
		if status, body := s.do("POST", "/answers/"+id, `{"question":`+string(raw)+`,`+body+`}`); status != 204 {
			t.Errorf("%d %s", status, body)
		}
		log, err := memory.Open(t.Context(), s.store, id)
		if err != nil {
			t.Fatal(err)
		}
		var notes strings.Builder
		for _, r := range log.Records(0) {
			notes.Write(r.Data)
		}
		if want := map[string]string{"a": `"by":"ann"`, "d": "why not"}[id]; !strings.Contains(notes.String(), want) {
			t.Errorf("no %s in %s", want, &notes)
		}
	}
}

// Two calls may ask under one key: an answer is to the call that it names.
func TestAnswersAreToTheirCalls(t *testing.T) {
	s := start(t, nil)
	events := s.listen("POST", "/messages/s", `{"text":"call which twice"}`).until("state", "waiting")
	asked := events[len(events)-1].Questions
	if len(asked) != 2 || asked[0].Question.Key != asked[1].Question.Key {
		t.Fatalf("%+v", asked)
	}
	l := s.listen("GET", "/events/s", "")
	for i, value := range []string{`"a"`, `"b"`} {
		raw, _ := json.Marshal(asked[i])
		if status, body := s.do("POST", "/answers/s", `{"question":`+string(raw)+`,"value":`+value+`}`); status != 204 {
			t.Errorf("answer %d: %d %s", i, status, body)
		}
	}
	l.until("state", "idle")
	log, err := memory.Open(t.Context(), s.store, "s")
	if err != nil {
		t.Fatal(err)
	}
	var results []string
	for _, b := range log.Messages()[2].Content {
		if b.ToolUseID() != "" {
			results = append(results, string(b.Raw()))
		}
	}
	if len(results) != 2 || !strings.Contains(results[0], `\"a\"`) || !strings.Contains(results[1], `\"b\"`) {
		t.Errorf("results: %s", results)
	}
}
