package citations

import (
	"testing"

	"github.com/whorl-go/whorl/transport/view"
)

// A source's text is made ready once, however many citations it has.
func TestSourcesAreReadOnce(t *testing.T) {
	source := &text{blocks: []string{"The sky is blue."}}
	l := &library{documents: []*text{source}}
	w := view.Citation{Type: "char_location", CitedText: "sky is", StartCharIndex: 4, EndCharIndex: 10}
	if got := l.look(w); got != Verified {
		t.Fatalf("the citation is %s", got)
	}
	source.blocks = []string{"other words"} // which a second reading would see
	w.StartCharIndex = 0
	if got := l.look(w); got != Verified {
		t.Errorf("the text was read again: the citation is %s", got)
	}
}
