package pricing

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A response that a note keeps has the prices of the endpoint that answered, and its
// own bytes.
func TestNoteData(t *testing.T) {
	body := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1000000,"output_tokens":0}}`
	dear := models.Model{ID: "b/m", Prices: []models.Price{{Input: 7}}}
	prices := Prices{Own: []models.Model{{ID: "m", Prices: []models.Price{{Input: 1}}}, dear}}
	for name, want := range map[string]float64{"": 1, "b": 7, "c\"": 1} {
		for _, space := range []string{"", " \n"} {
			resp, err := transport.ParseResponse([]byte(body + space))
			if err != nil {
				t.Fatal(err)
			}
			resp.Meta.Endpoint = name
			data := NoteData(resp)
			got, err := OfNote(data)
			if err != nil || got.Meta.Endpoint != name || string(data[:len(body)-1]) != body[:len(body)-1] {
				t.Fatalf("%q: %v, %s", name, err, data)
			}
			if usd, known := prices.Cost(got, time.Now()); usd != want || !known {
				t.Errorf("%q: $%v, %v", name, usd, known)
			}
		}
	}
}
