package pricing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// Which prices a response has: those at the endpoint that answered, else those of the
// model that answered, else those of the one that was asked.
func TestPrices(t *testing.T) {
	model := func(id string, input float64, aliases ...string) models.Model {
		return models.Model{ID: id, Aliases: aliases, Prices: []models.Price{{Input: input}}}
	}
	own := []models.Model{model("a", 1), model("b", 2), model("x/a", 3, "y/b"), model("x/b", 4), {ID: "free"}}
	const million = `"input_tokens":1000000,"output_tokens":0`
	for _, tt := range []struct {
		name, asked, model, endpoint, more string
		usd                                float64
		unpriced                           string
	}{
		{"the one that answered", "b", "a", "", "", 1, ""},
		{"the one that was asked, where the other is unknown", "b", "zzz", "", "", 2, ""},
		{"neither", "yyy", "zzz", "", "", 0, "zzz"},
		{"nobody was asked", "", "zzz", "", "", 0, "zzz"},
		{"at the endpoint", "b", "a", "x", "", 3, ""},
		{"by an alias", "a", "b", "y", "", 3, ""},
		{"at the endpoint by what was asked", "b", "zzz", "x", "", 4, ""},
		{"the one that answered goes first there too", "b", "a", "x", "", 3, ""},
		{"at an endpoint without prices", "a", "b", "z", "", 2, ""},
		{"a model without a price", "a", "free", "", "", 0, "free"},
		{"an iteration by the name that it has at the endpoint", "", "a", "x", `{"type":"message","model":"a",` + million + `}`, 3, ""},
		{"an iteration without a name", "", "a", "", `{"type":"message",` + million + `}`, 1, ""},
		{"an iteration of an own model", "", "a", "", `{"type":"message",` + million + `},{"type":"advisor_message","model":"b",` + million + `}`, 3, ""},
		{"an iteration of an unknown model", "", "a", "", `{"type":"message",` + million + `},{"type":"advisor_message","model":"zzz",` + million + `},{"type":"advisor_message","model":"free",` + million + `}`, 1, "zzz free"},
	} {
		resp, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":%q,"content":[],"stop_reason":"end_turn","usage":{%s,"iterations":[%s]}}`, tt.model, million, tt.more)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Meta.Endpoint = tt.endpoint
		p := Prices{Asked: tt.asked, Own: own}
		usd, known := p.Cost(resp, time.Now())
		if usd != tt.usd || known != (tt.unpriced == "") {
			t.Errorf("%s: $%v, known %v; want $%v", tt.name, usd, known, tt.usd)
		}
		if got := strings.Join(p.Unpriced(resp), " "); !known && got != tt.unpriced {
			t.Errorf("%s: %q has no price, want %q", tt.name, got, tt.unpriced)
		}
		if m, ok := p.Model(resp); tt.unpriced == "zzz" && tt.more == "" && (ok || m.ID != "zzz") {
			t.Errorf("%s: %+v, %v", tt.name, m, ok)
		}
	}
	if len(own[2].Aliases) != 1 {
		t.Errorf("the program's table was changed: %v", own[2].Aliases)
	}
}
