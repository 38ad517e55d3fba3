package terms

import (
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Does it retry?", "does it retry"},
		{"shouldRetryRequest", "shouldretryrequest should retry request"},
		{"TLSConfig tls_config", "tlsconfig tls config tlsconfig tls config"},
		{"HTTP2 _private __x__", "http2 private x"},
		{"ÉtéLong größe", "étélong été long größe"},
		{"", ""},
		{strings.Repeat("a", 41), ""},
		{"GC gcStart(", "gc gcstart gc start"},
	} {
		if got := strings.Join(List(c.text), " "); got != c.want {
			t.Errorf("List(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestStemJoinsForms(t *testing.T) {
	for _, forms := range []string{
		"retry retries retried retrying",
		"iterate iteration iterations iterator iterating",
		"random randomize randomized",
		"collect collector collection collected",
		"connection connections connected connect",
		"allocate allocation allocator allocated",
		"idle", "agree agreed", "hop hopping hops",
	} {
		words := strings.Fields(forms)
		for _, w := range words[1:] {
			if Stem(w) != Stem(words[0]) {
				t.Errorf("Stem(%q) = %q, but Stem(%q) = %q", w, Stem(w), words[0], Stem(words[0]))
			}
		}
	}
	if Stem("größen") != "größen" || Stem("x9") != "x9" {
		t.Error("words that are not plain English letters must stay")
	}
}

func TestStopWordsAreNotWeak(t *testing.T) {
	if !Stop("how") || Stop("retry") || !Weak("decide") || Weak("retry") {
		t.Error("wrong class")
	}
}

func FuzzScan(f *testing.F) {
	f.Add("aB_c9ÉT é\xff\xc3(x)")
	f.Fuzz(func(t *testing.T, text string) {
		Scan([]byte(text), func(w []byte, _ bool) bool {
			if len(w) == 0 || slices.Contains(w, '_') {
				t.Fatalf("word %q of %q", w, text)
			}
			Stem(string(w))
			return true
		})
	})
}
