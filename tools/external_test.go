package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func TestMistakesInExternalTools(t *testing.T) {
	for says, o := range map[string]tools.ExternalOptions{
		"Deadline is -1s":         {Deadline: -time.Second},
		"without a Deadline":      {Default: json.RawMessage(`1`)},
		"MaxBytes":                {MaxBytes: -1},
		"it has 4 bytes":          {Deadline: time.Hour, Default: json.RawMessage(`1234`), MaxBytes: 3},
		"Output: schema":          {Output: json.RawMessage(`{"type":"nonsense"}`)},
		"Default: the answer":     {Deadline: time.Hour, Default: json.RawMessage(`1`), Output: json.RawMessage(`{"type":"string"}`)},
		"Timeout and MaxResultBy": {Options: tools.Options{Traits: tools.Traits{Timeout: -1}}},
	} {
		if _, err := tools.External("x", "X.", nil, o).Definition(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `tool "x"`) {
			t.Errorf("%s: %v", says, err)
		}
	}
	if _, err := tools.AskUser(tools.AskOptions{Deadline: -1}).Definition(); err == nil {
		t.Error("a deadline in the past is no mistake")
	}
	if _, err := tools.External("x", "X.", nil, tools.ExternalOptions{}).Call(t.Context(), json.RawMessage(`{}`)); err == nil || !strings.Contains(err.Error(), "no run") {
		t.Errorf("outside of a run: %v", err)
	}
}

func TestQuestionCheck(t *testing.T) {
	choices := []tools.Choice{{Value: json.RawMessage(`"a"`)}, {Value: json.RawMessage(`{"x": 1}`)}}
	for _, c := range []struct {
		q     tools.Question
		value string
		ok    bool
	}{
		{tools.Question{}, `null`, true},
		{tools.Question{}, `{"a":`, false},
		{tools.Question{Choices: choices}, `"a"`, true},
		{tools.Question{Choices: choices}, `{"x":1}`, true},
		{tools.Question{Choices: choices}, `"b"`, false},
		{tools.Question{Choices: choices, Several: true}, `["a"]`, true},
		{tools.Question{Choices: choices, Several: true}, `[]`, true},
		{tools.Question{Choices: choices, Several: true}, `["a","a"]`, false},
		{tools.Question{Choices: choices, Several: true}, `"a"`, false},
		{tools.Question{Choices: choices, Open: true}, `"b"`, true},
		{tools.Question{Choices: choices, Open: true, Schema: json.RawMessage(`{"type":"string"}`)}, `3`, false},
		{tools.Question{Choices: choices, Open: true, Schema: json.RawMessage(`{"type":"string"}`)}, `{"x":1}`, true},
		{tools.Question{Schema: json.RawMessage(`{"type":"integer","maximum":5}`)}, `5`, true},
		{tools.Question{Schema: json.RawMessage(`{"type":"integer","maximum":5}`)}, `6`, false},
		{tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}`)}, `{"a":{"a":{}}}`, true},
		{tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}`)}, `{"a":{"b":{}}}`, false},
		{tools.Question{MaxBytes: 3}, `"ab"`, false},
		{tools.Question{MaxBytes: 4}, `"ab"`, true},
		{tools.Question{}, `"` + strings.Repeat("x", 1<<20-2) + `"`, true},
		{tools.Question{}, `"` + strings.Repeat("x", 1<<20-1) + `"`, false},
		{tools.Question{Choices: choices}, `{"x":2}`, false},
		{tools.Question{Choices: choices, Several: true}, `["a",{"x":1}]`, true},
		{tools.Question{Choices: choices, Several: true}, `[{"x":1},"a",{"x": 1}]`, false},
		{tools.Question{Choices: choices, Several: true}, `["a","b"]`, false},
		{tools.Question{Choices: choices, Several: true, Open: true}, `["a","b"]`, true},
		{tools.Question{Choices: choices, Schema: json.RawMessage(`{"type":"integer"}`)}, `"b"`, false},
		{tools.Question{Schema: json.RawMessage(`{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"integer"}}}`)}, `[1,2]`, true},
		{tools.Question{Schema: json.RawMessage(`{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"integer"}}}`)}, `[1,"2"]`, false},
	} {
		err := c.q.Check(json.RawMessage(c.value))
		var wrong *tools.AnswerError
		if (err == nil) != c.ok || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%+v of %s: %v", c.q, c.value, err)
		}
	}
}

// What an answer says of the places that don't fit begins at the answer.
func TestWrongAnswersSayWhere(t *testing.T) {
	many := make([]tools.Choice, 22)
	for i := range many {
		many[i].Value = json.RawMessage(strconv.Itoa(i))
	}
	for _, c := range []struct {
		q           tools.Question
		value, want string
	}{
		{tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer"}}}`)}, `{"a":"x"}`, "\n- a: expected integer, got the string \"x\""},
		{tools.Question{Schema: json.RawMessage(`{"type":"array","items":{"type":"integer"}}`)}, `[1,"x"]`, "\n- [1]: expected integer, got the string \"x\""},
		{tools.Question{Schema: json.RawMessage(`{"type":"integer"}`)}, `"x"`, "\n- expected integer, got the string \"x\""},
		{tools.Question{Choices: many}, `22`, "\n- 22 is none of the choices: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, …"},
		{tools.Question{Choices: many[:2]}, `2`, "\n- 2 is none of the choices: 0, 1"},
		{tools.Question{Choices: many, Several: true}, `[1,2,1]`, "\n- 1 was chosen twice"},
	} {
		if err := c.q.Check(json.RawMessage(c.value)); err == nil || err.Error() != "the answer does not fit what was asked for:"+c.want {
			t.Errorf("%s: %v", c.value, err)
		}
	}
}

// asking is a host that remembers what it is asked, and answers.
type asking struct {
	tools.Host
	asked  tools.Question
	answer json.RawMessage
	err    error
}

func (a *asking) Ask(_ context.Context, q tools.Question) (tools.Answer, error) {
	a.asked = q
	return tools.Answer{Value: a.answer}, a.err
}

// A question has all that its tool was given, and the time that it may wait from now.
func TestWhatIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := &asking{answer: json.RawMessage(`"fine"`)}
		ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
		external := tools.External("x", "X.", nil, tools.ExternalOptions{Kind: "webhook", Deadline: time.Hour, Default: json.RawMessage(`"late"`), Output: json.RawMessage(`{"type":"string"}`), MaxBytes: 9})
		text := func(r tools.Result) string { return transport.Message{Content: r.Content}.Text() }
		r, err := external.Call(ctx, json.RawMessage(`{"a":1}`))
		if q := host.asked; err != nil || text(r) != "fine" || q.Kind != "webhook" || q.Prompt != "What is the result of x?" || string(q.Data) != `{"a":1}` || string(q.Default) != `"late"` ||
			string(q.Schema) != `{"type":"string"}` || q.MaxBytes != 9 || !q.Deadline.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("external: %+v, %v, %v", q, r, err)
		}
		if !external.Traits().Repeatable {
			t.Error("what only asks is not asked again")
		}
		plain := tools.External("x", "X.", nil, tools.ExternalOptions{})
		host.answer = json.RawMessage(`{"a": 1}`)
		if r, err := plain.Call(ctx, nil); err != nil || text(r) != `{"a": 1}` || host.asked.Kind != "external" || !host.asked.Deadline.IsZero() || string(host.asked.Data) != `{}` {
			t.Errorf("plain: %+v, %v, %v", host.asked, r, err)
		}
		host.answer, host.err = json.RawMessage(`""`), nil
		if r, err := plain.Call(ctx, nil); err != nil || len(r.Content) != 0 {
			t.Errorf("an empty answer: %v, %v", r, err)
		}
		host.err = tools.ErrWaiting
		if _, err := plain.Call(ctx, nil); !errors.Is(err, tools.ErrWaiting) {
			t.Errorf("a question without an answer: %v", err)
		}
	})
}

func TestWhatTheUserIsAsked(t *testing.T) {
	host := &asking{answer: json.RawMessage(`"x"`)}
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
	tool := tools.AskUser(tools.AskOptions{Deadline: time.Hour, Default: "none"})
	if _, err := tool.Call(ctx, json.RawMessage(`{"question":" Which? ","choices":["a"," b "],"several":true}`)); err != nil {
		t.Fatal(err)
	}
	q := host.asked
	if q.Kind != "user" || q.Prompt != "Which?" || !q.Several || !q.Open || len(q.Choices) != 2 || string(q.Choices[1].Value) != `"b"` || string(q.Default) != `"none"` || q.Deadline.IsZero() {
		t.Errorf("asked %+v", q)
	}
	for value, ok := range map[string]bool{`["a","own words"]`: true, `"own words"`: true, `["a"]`: true, `[1]`: false, `1`: false} {
		if err := q.Check(json.RawMessage(value)); (err == nil) != ok {
			t.Errorf("answer %s: %v", value, err)
		}
	}
	if got := tool.Traits(); !got.Repeatable {
		t.Errorf("traits %+v", got)
	}
	for input, want := range map[string]string{
		`{"question":" "}`:                      "the question is empty",
		`{"question":"x","several":true}`:       "several goes with choices",
		`{"question":"x","choices":["a"," a"]}`: "different and not empty",
		`{"question":"x","choices":[" a","a"]}`: "different and not empty",
		`{"question":"x","choices":["a"," "]}`:  "different and not empty",
	} {
		if _, err := tool.Call(ctx, json.RawMessage(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", input, err, want)
		}
	}
	if _, err := tools.AskUser(tools.AskOptions{Default: "x"}).Definition(); err == nil || !strings.Contains(err.Error(), `tool "ask_user": options: Default is given without a Deadline`) {
		t.Errorf("a default that nothing would use: %v", err)
	}
}
