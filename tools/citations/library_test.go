package citations

import (
	"testing"

	"github.com/whorl-go/whorl/transport/view"
)

// A citation of a source that isn't there can't be looked up. It comes from the service,
// or from whoever stands between.
func TestSourcesThatAreNotThere(t *testing.T) {
	there := &text{blocks: []string{"The sky is blue."}}
	l := &library{documents: []*text{there}, results: []*text{there}}
	for _, typ := range []string{"char_location", "content_block_location", "page_location", "search_result_location"} {
		for _, at := range []int{-1, 1, 2, 1 << 40} {
			if got := l.look(view.Citation{Type: typ, CitedText: "sky is", DocumentIndex: at, SearchResultIndex: at}); got != Unavailable {
				t.Errorf("%s of source %d of 1: %s", typ, at, got)
			}
		}
		if got := l.look(view.Citation{Type: typ, CitedText: "sky is"}); got == Unavailable {
			t.Errorf("%s of the source that is there: %s", typ, got)
		}
	}
	if got := new(library).look(view.Citation{Type: "char_location", CitedText: "x"}); got != Unavailable {
		t.Errorf("without sources: %s", got)
	}
}

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
