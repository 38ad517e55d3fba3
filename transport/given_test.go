package transport

import (
	"errors"
	"strings"
	"testing"
)

// Content that comes within a message, and not as events of blocks, isn't lost.
func TestContentWithinMessages(t *testing.T) {
	const (
		hi    = `{"type":"text","text":"hi \u00fc"}`
		call  = `{"type":"tool_use","id":"t","name":"f","input":{"q":1}}`
		none  = `{"type":"text","text":""}`
		reply = `{"type":"text","text":"I look."}`
		stop  = `{"type":"message_stop"}`
		delta = `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`
	)
	begun := func(content string) string {
		return strings.Replace(startEvent, `"content":[]`, `"content":`+content, 1)
	}
	block := func(i, start string) string {
		return frames(`{"type":"content_block_start","index":`+i+`,"content_block":`+start+`}`,
			`{"type":"content_block_delta","index":`+i+`,"delta":{"type":"text_delta","text":"I look."}}`, `{"type":"content_block_stop","index":`+i+`}`)
	}
	for name, tt := range map[string]struct{ stream, want string }{
		"at the start":              {frames(begun("["+hi+","+call+"]"), delta, stop), hi + "," + call},
		"as a string":               {frames(begun(`"hi"`), delta, stop), `{"type":"text","text":"hi"}`},
		"without a message_stop":    {frames(begun("["+hi+"]"), delta), hi},
		"the stop reason, too":      {frames(strings.Replace(begun("["+hi+"]"), `"stop_reason":null`, `"stop_reason":"end_turn"`, 1)), hi},
		"in a delta":                {frames(startEvent, strings.Replace(delta, `{"stop`, `{"content":[`+hi+`],"stop`, 1), stop), hi},
		"beside a delta":            {frames(startEvent, strings.Replace(delta, `"usage"`, `"content":[`+call+`],"usage"`, 1), stop), call},
		"at the stop":               {frames(startEvent, delta, `{"type":"message_stop","message":{"content":[`+hi+`]}}`), hi},
		"an empty list behind it":   {frames(begun("["+hi+"]"), strings.Replace(delta, `{"stop`, `{"content":[],"stop`, 1), stop), hi},
		"null behind it":            {frames(begun("["+hi+"]"), strings.Replace(delta, `{"stop`, `{"content":null,"stop`, 1), stop), hi},
		"events of the same block":  {frames(begun("["+hi+"]")) + block("0", none) + frames(delta, stop), reply},
		"events of the first block": {frames(begun("["+none+","+none+"]")) + block("0", none) + frames(delta, stop), reply},
		"all of it again":           {frames(startEvent) + block("1", none) + frames(strings.Replace(delta, `{"stop`, `{"content":[`+reply+`],"stop`, 1), stop), reply},
		"events of blocks behind":   {frames(begun("["+hi+","+call+"]")) + block("2", none) + frames(delta, stop), hi + "," + call + "," + reply},
		"a start without":           {frames(begun("["+hi+"]"), startEvent) + block("0", none) + frames(delta, stop), reply},
		"nothing":                   {frames(begun(`[ ]`), delta, stop), ""},
		"no block":                  {frames(startEvent, strings.Replace(delta, `{"stop`, `{"content":[{"text":"x"}],"stop`, 1), stop), `error: content.0`},
		"another form":              {frames(startEvent, strings.Replace(delta, `{"stop`, `{"content":7,"stop`, 1), stop), `error: neither a string nor a list`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := checkStream(t, tt.stream)
			if want, ok := strings.CutPrefix(tt.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || contentOf(resp) != tt.want || resp.StopReason != StopEndTurn {
				t.Fatalf("%s, %v\nwant %s", contentOf(resp), err, tt.want)
			}
			if name != "a start without" {
				checkEvents(t, tt.stream, resp)
			}
		})
	}
}

// What a stream that breaks off had before its blocks is a part of what is there. Such
// content alone isn't: its blocks may follow.
func TestContentWithinMessagesThatBreakOff(t *testing.T) {
	start := strings.Replace(startEvent, `"content":[]`, `"content":[{"type":"text","text":"hi"}]`, 1)
	for stream, want := range map[string]string{
		frames(start): "",
		frames(start, `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" you"}}`): "hi you",
	} {
		resp, err := checkStream(t, stream)
		var broken *StreamError
		if !errors.As(err, &broken) || resp.Text() != want || broken.Delivered != (want != "") {
			t.Errorf("%v: %q, want %q", err, resp.Text(), want)
		}
	}
}

// A call within a message that has no id gets one.
func TestCallWithinMessageWithoutAnID(t *testing.T) {
	resp, err := checkStream(t, frames(startEvent, `{"type":"message_delta","delta":{"content":[{"type":"tool_use","name":"f","input":{}}],"stop_reason":"tool_use"}}`, `{"type":"message_stop"}`))
	if err != nil || len(resp.ToolCalls()) != 1 || !strings.HasPrefix(resp.ToolCalls()[0].ID, "toolu_") {
		t.Errorf("%v: %s", err, contentOf(resp))
	}
}
