package textfile

import (
	"errors"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct{ name, data, text, encoding string }{
		{"empty", "", "", ""},
		{"UTF-8", "größe\n", "größe\n", ""},
		{"UTF-8 with a mark", "\xef\xbb\xbfa\n", "a\n", ""},
		{"CRLF", "a\r\nb\r\n", "a\nb\n", ""},
		{"mixed ends", "a\r\nb\nc\rd\r\r\ne", "a\nb\nc\rd\r\ne", ""},
		{"Latin-1", "caf\xe9\r\n", "café\n", "Windows-1252"},
		{"Windows-1252", "\x93ok\x94 \x80 5\n", "“ok” € 5\n", "Windows-1252"},
		{"UTF-16 LE", "\xff\xfea\x00\r\x00\n\x00\xe9\x00=\xd8\x00\xde", "a\né😀", "UTF-16 (little endian)"},
		{"UTF-16 BE", "\xfe\xff\x00a\x00\n\x20\xac", "a\n€", "UTF-16 (big endian)"},
		{"UTF-16 LE without a mark", "h\x00e\x00l\x00l\x00o\x00\r\x00\n\x00", "hello\n", "UTF-16 (little endian)"},
		{"UTF-16 BE without a mark", "\x00h\x00e\x00l\x00l\x00o", "hello", "UTF-16 (big endian)"},
		{"NUL", "a\x00b", "", "!"},
		{"NULs", "\x00\x00\x00\x00", "", "!"},
		{"unpaired surrogate", "\xff\xfe\x00\xd8a\x00", "", "!"},
		{"half a unit", "\xff\xfea\x00b", "", "!"},
		{"NUL in UTF-16", "\xff\xfea\x00\x00\x00", "", "!"},
		{"ELF", "\x7fELF\x02\x01\x01\x00\x00", "", "!"},
		{"little numbers", "\x01\x00\x02\x00\x03\x00\x04\x00", "", "!"},
		{"Shift JIS", "\x83\x65\x83\x58\x83\x67\x81\x42", "", "!"},
		{"compressed", "\x1f\x8b\x08\x08\xd0\x05", "", "!"},
	} {
		got, err := Decode([]byte(test.data))
		if test.encoding == "!" {
			if !errors.Is(err, ErrNotText) {
				t.Errorf("%s: %q, %v; want ErrNotText", test.name, got.String, err)
			}
			continue
		}
		if err != nil || got.String != test.text || got.Encoding() != test.encoding {
			t.Errorf("%s: %q in %q, %v; want %q in %q", test.name, got.String, got.Encoding(), err, test.text, test.encoding)
		}
		if back, err := got.Bytes(); err != nil || string(back) != test.data {
			t.Errorf("%s: written as %q, %v; want %q", test.name, back, err, test.data)
		}
	}
}

func TestEditsKeepWhatIsAround(t *testing.T) {
	once := func(old, new string) func(Text) (Text, error) {
		return func(t Text) (Text, error) { e, _, err := ReplaceOnce("f", t, &old, new); return e, err }
	}
	all := func(old, new string) func(Text) (Text, error) {
		return func(t Text) (Text, error) { e, _ := ReplaceAll(t, old, new); return e, nil }
	}
	insert := func(n int, text string) func(Text) (Text, error) {
		return func(t Text) (Text, error) { return Insert(t, n, text) }
	}
	rewrite := func(text string) func(Text) (Text, error) {
		return func(t Text) (Text, error) { return t.Rewrite(text), nil }
	}
	for _, test := range []struct {
		name, data string
		edit       func(Text) (Text, error)
		want       string
	}{
		{"two lines of CRLF", "one\r\ntwo\r\nthree\r\n", once("one\ntwo", "1\n2\n2b"), "1\r\n2\r\n2b\r\nthree\r\n"},
		{"told with CRLF", "one\r\ntwo\r\n", once("one\r\ntwo", "1\r\n2"), "1\r\n2\r\n"},
		{"told with CRLF for LF", "one\ntwo\n", once("one\r\ntwo", "1\r\n2"), "1\n2\n"},
		{"insert at the top", "one\r\ntwo\r\n", insert(0, "x"), "x\r\none\r\ntwo\r\n"},
		{"insert two lines", "one\r\ntwo\r\n", insert(1, "x\ny\n"), "one\r\nx\r\ny\r\ntwo\r\n"},
		{"insert behind a line without end", "one\r\ntwo", insert(2, "x"), "one\r\ntwo\r\nx"},
		{"insert CRLF behind a line without end", "one\r\ntwo", insert(2, "x\r\n"), "one\r\ntwo\r\nx"},
		{"insert below a mark", "\xef\xbb\xbfone\n", insert(0, "x"), "\xef\xbb\xbfx\none\n"},
		{"mixed ends stay", "a\r\nb\nc\r\nd\n", once("b", "B"), "a\r\nB\nc\r\nd\n"},
		{"mixed ends of what is replaced stay", "a\r\nb\nc\r\nd\n", once("b\nc", "B\nC"), "a\r\nB\nC\r\nd\n"},
		{"all of mixed ends", "x\r\nk\nx\nk\r\nx\r\n", all("x\n", "1\n2\n"), "1\r\n2\r\nk\n1\n2\r\nk\r\n1\r\n2\r\n"},
		{"lines taken out", "a\r\nb\nc\r\n", once("a\nb\n", ""), "c\r\n"},
		{"LF stays LF", "a\nb\n", insert(1, "x\r\ny"), "a\nx\ny\nb\n"},
		{"Latin-1", "caf\xe9 au lait\r\n", once("au lait", "crème"), "caf\xe9 cr\xe8me\r\n"},
		{"Latin-1 lacks it", "caf\xe9\n", once("caf", "→"), "!Windows-1252, which has no '→'"},
		{"UTF-16", "\xff\xfea\x00\r\x00\n\x00", insert(1, "€"), "\xff\xfea\x00\r\x00\n\x00\xac\x20\r\x00\n\x00"},
		{"rewritten with CRLF", "a\r\nb\r\n", rewrite("x\ny\nz"), "x\r\ny\r\nz"},
		{"rewritten with its own ends", "a\r\nb\r\n", rewrite("x\r\ny\n"), "x\r\ny\n"},
		{"rewritten with LF", "a\nb\n", rewrite("x\ny\n"), "x\ny\n"},
		{"rewritten with the mark", "\xef\xbb\xbfa", rewrite("b"), "\xef\xbb\xbfb"},
		{"rewritten with the mark told", "\xef\xbb\xbfa", rewrite("\uFEFFb"), "\xef\xbb\xbfb"},
		{"rewritten in Latin-1", "caf\xe9\n", rewrite("thé\n"), "th\xe9\n"},
		{"rewritten beyond Latin-1", "caf\xe9\n", rewrite("→\n"), "→\n"},
	} {
		text, err := Decode([]byte(test.data))
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		edited, err := test.edit(text)
		var got []byte
		if err == nil {
			got, err = edited.Bytes()
		}
		if want, fails := strings.CutPrefix(test.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, %v; want an error with %q", test.name, got, err, want)
			}
		} else if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"a\r\nb\n", "caf\xe9", "\xff\xfea\x00", "\xef\xbb\xbfx", "h\x00i\x00h\x00i\x00", "\r\r\n\n\r"} {
		f.Add([]byte(seed), "x\r\n")
	}
	f.Fuzz(func(t *testing.T, data []byte, insert string) {
		text, err := Decode(data)
		if err != nil {
			return
		}
		if back, err := text.Bytes(); err != nil || string(back) != string(data) {
			t.Errorf("%q is written as %q, %v", data, back, err)
		}
		end := len(text.String)
		edited, err := text.Replace([]Span{{end, end}}, insert).Bytes()
		if err == nil && !strings.HasPrefix(string(edited), string(data)) {
			t.Errorf("%q with %q behind it is %q", data, insert, edited)
		}
	})
}
