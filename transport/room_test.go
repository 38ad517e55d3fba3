package transport

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A result is the same whether its text had room for it or was copied, and neither it nor
// another result changes the text.
func TestResultsAroundALongText(t *testing.T) {
	long := strings.Repeat("long, ", leastRoom/6+1)
	escaped := strings.Repeat("\tif a < \"b\\c\" {\n", 100)
	for name, text := range map[string]string{
		"short": long[:leastRoom-1], "long": long[:leastRoom], "escaped": escaped,
		"rare escapes": strings.Repeat("\x01\r\x7f\u2028", 400), "not UTF-8": strings.Repeat("\xff", 900), "large": strings.Repeat(long, 300),
	} {
		for _, c := range []ToolCall{
			{ID: "toolu_01A09q90qw90lq917835lq9"}, {ID: "t"}, {ID: ""}, {ID: `quo"ted`}, {ID: strings.Repeat("i", 60)}, {ID: "toolu_1", Toolset: "browser"},
		} {
			block := Text(text)
			want := string(block.Raw())
			front := `{"type":"tool_result","tool_use_id":` + string(rawjson.AppendString(nil, c.ID))
			if c.Toolset != "" {
				front += `,"toolset_name":` + string(rawjson.AppendString(nil, c.Toolset))
			}
			front += `,"content":[` + want
			other := c
			other.ID += "2"
			for i, got := range []struct {
				block Block
				want  string
			}{
				{c.Answer(block), front + `]}`},
				{c.AnswerError(block), front + `],"is_error":true}`},
				{c.Answer(block, Text("and")), front + `,{"type":"text","text":"and"}]}`},
				{other.Answer(block), strings.Replace(front, string(rawjson.AppendString(nil, c.ID)), string(rawjson.AppendString(nil, other.ID)), 1) + `]}`},
			} {
				raw := got.block.Raw()
				if string(raw) != got.want || len(raw) != cap(raw) || got.block.ToolUseID() != map[bool]string{true: other.ID, false: c.ID}[i == 3] {
					t.Errorf("%s, id %q, result %d: %.200s", name, c.ID, i, raw)
				}
			}
			failed := Text(text)
			if got := c.AnswerError(failed); string(got.Raw()) != front+`],"is_error":true}` {
				t.Errorf("%s, id %q: %.200s", name, c.ID, got.Raw())
			}
			if string(block.Raw()) != want || !json.Valid(block.Raw()) || len(text) >= leastRoom && cap(block.Raw()) != len(want) {
				t.Errorf("%s, id %q: the text is %.200s", name, c.ID, block.Raw())
			}
		}
	}
}

// A changed block is not the one that has the room.
func TestRoomIsOfOneText(t *testing.T) {
	payload := strings.Repeat("A", 2*leastRoom)
	block := textWithRoom("blob1")
	changed := block.Embed([]rawjson.Payload{{Name: "blob1", Data: []byte(payload)}})
	if got := ToolResult("t", changed).Raw(); !strings.Contains(string(got), base64.StdEncoding.EncodeToString([]byte(payload))) {
		t.Errorf("%.100s", got)
	}
}

// The results of many calls may share a text: one takes the room, the others copy it.
func TestOneTextForManyResults(t *testing.T) {
	block := Text(strings.Repeat("shared ", leastRoom))
	results := make([]Block, 20)
	var wait sync.WaitGroup
	for i := range results {
		wait.Go(func() {
			results[i] = ToolResult(fmt.Sprint("call", i), block)
			if !strings.Contains(string(block.Raw()), "shared shared") {
				t.Error("the text has changed")
			}
		})
	}
	wait.Wait()
	for i, r := range results {
		if want := fmt.Sprintf(`{"type":"tool_result","tool_use_id":"call%d","content":[%s]}`, i, block.Raw()); string(r.Raw()) != want {
			t.Errorf("result %d: %.100s", i, r.Raw())
		}
	}
}

// A long result is in memory once.
func TestResultIsNotCopied(t *testing.T) {
	text := strings.Repeat("line\n", 1000)
	var result Block
	if n := testing.AllocsPerRun(100, func() { result = ToolCall{ID: "toolu_01A09q90qw90lq917835lq9"}.Answer(Text(text)) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
	block := Text(text)
	result = ToolCall{ID: "toolu_01A09q90qw90lq917835lq9"}.AnswerError(block)
	if inner := rawjson.Get(result.Raw(), "content")[1:]; &inner[0] != &block.Raw()[0] {
		t.Error("the text was copied")
	}
}
