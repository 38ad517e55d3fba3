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
		{"“quoted”—and…", "quoted and"},
		{"gr\xf6\xdfe", "gr\ufffd\ufffde"},
		{"東京都の人口は？", "東京 東 京都 京 都の 都 の人 人口 人 口は 口"},
		{"Go言語 第3章", "go 言語 言 語 第 3 章"},
		{"サーバーを", "サー ーバ バー ーを"},
		{"검색은", "검색 색은"},
		{"猫。犬", "猫 犬"},
		{"ภาษาไทย", "ภา าษ ษา าไ ไท ทย"},
		{strings.Repeat("あ", 41)[:9], "ああ ああ"},
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
	if !Stop("how") || Stop("retry") || !Weak("decide") || Weak("retry") || !Weak("です") || Weak("東で") || Weak("") {
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
