package media_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
)

// TestTotal sums over several results what no single one is over.
func TestTotal(t *testing.T) {
	pdf, err := transport.Document{Data: []byte(classic(tree(3, 20, 60), ""))}.Block()
	if err != nil {
		t.Fatal(err)
	}
	picture, err := transport.Image{Data: pictures(t)["image/png"]}.Block()
	if err != nil {
		t.Fatal(err)
	}
	held, err := transport.Document{Blocks: []transport.Block{transport.Text("x"), picture}}.Block()
	if err != nil {
		t.Fatal(err)
	}
	inside := transport.ToolResult("toolu_1", pdf, picture, transport.Text("x"), held)
	var total media.Total
	for _, b := range []transport.Block{pdf, inside} {
		if err := total.Add(b.Raw()); err != nil {
			t.Fatal(err)
		}
	}
	if total.Pages != 120 || total.Pictures != 2 || total.LongSide != 60 || total.Bytes == 0 {
		t.Errorf("%+v", total)
	}
	wide, tall := media.Total{Pages: 1, Pictures: 2, Bytes: 3, LongSide: 60}, media.Total{Pages: 10, Pictures: 20, Bytes: 30, LongSide: 50}
	for _, sum := range []media.Total{wide.Plus(tall), tall.Plus(wide)} { // the longest side of all, whichever comes last
		if sum != (media.Total{Pages: 11, Pictures: 22, Bytes: 33, LongSide: 60}) {
			t.Errorf("the sum is %+v", sum)
		}
	}
	if err := total.Check(200_000); !errors.Is(err, media.ErrTooLarge) {
		t.Errorf("120 pages for a small model: %v", err)
	}
	if err := total.Check(1_000_000); err != nil {
		t.Errorf("120 pages for a large model: %v", err)
	}
	for name, over := range map[string]media.Total{"pages": {Pages: 601}, "pictures": {Pictures: 601}, "many and large": {Pictures: 21, LongSide: 2001}, "large": {Pictures: 1, LongSide: 8001}, "heavy": {Bytes: 33 << 20}} {
		if err := over.Check(1_000_000); !errors.Is(err, media.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, most := range map[string]media.Total{"pages": {Pages: 600}, "pictures": {Pictures: 600}, "many and large": {Pictures: 21, LongSide: 2000}, "few and larger": {Pictures: 20, LongSide: 2001}, "large": {Pictures: 1, LongSide: 8000}, "heavy": {Bytes: 32 << 20}} {
		if err := most.Check(1_000_000); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
	}
	for pages, want := range map[int]error{100: nil, 101: media.ErrTooLarge} {
		if err := (media.Total{Pages: pages}).Check(0); !errors.Is(err, want) {
			t.Errorf("%d pages for a model that isn't known: %v", pages, err)
		}
	}
	locked := `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` +
		base64.StdEncoding.EncodeToString([]byte(classic(tree(1, 1, 1), "/Encrypt 9 0 R"))) + `"}}`
	if err := media.CheckBlock([]byte(`{"type":"tool_result","content":[`+locked+`]}`), media.Limits{}); !errors.Is(err, media.ErrEncrypted) {
		t.Errorf("an encrypted PDF in a result: %v", err)
	}
	if err := total.Add([]byte(locked)); !errors.Is(err, media.ErrEncrypted) {
		t.Errorf("an encrypted PDF: %v", err)
	}
}
