package tools_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools"
)

func TestMistakesInExternalTools(t *testing.T) {
	for says, o := range map[string]tools.ExternalOptions{
		"Deadline is -1s":         {Deadline: -time.Second},
		"without a Deadline":      {Default: json.RawMessage(`1`)},
		"MaxBytes":                {MaxBytes: -1},
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
	} {
		err := c.q.Check(json.RawMessage(c.value))
		var wrong *tools.AnswerError
		if (err == nil) != c.ok || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%+v of %s: %v", c.q, c.value, err)
		}
	}
}
