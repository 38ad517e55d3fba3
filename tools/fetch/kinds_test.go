package fetch

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"golang.org/x/text/encoding/charmap"
)

func TestCharsets(t *testing.T) {
	in := func(e encoding.Encoding, s string) string {
		out, err := e.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	late := strings.Repeat("<link rel=x href=y>", 200) // 3,800 bytes before the charset is named
	const japaneseText, chinese, korean1, polish = "日本語の頁です", "网页的内容", "한국어 문서", "zażółć gęślą"
	tests := []struct{ name, contentType, body, want string }{
		{"ISO-2022-JP by the header", "text/plain; charset=iso-2022-jp", in(japanese.ISO2022JP, japaneseText), japaneseText},
		{"ISO-2022-JP by the page", "text/html", `<meta http-equiv=Content-Type content="text/html; charset=iso-2022-jp">` + in(japanese.ISO2022JP, japaneseText), japaneseText},
		{"ISO-2022-JP undeclared", "text/plain", in(japanese.ISO2022JP, japaneseText), japaneseText},
		{"a late charset, GB 2312", "text/html", "<head>" + late + "<meta charset=gb2312></head><body>" + in(simplifiedchinese.GBK, chinese), chinese},
		{"a late charset, Windows-1250", "text/html", "<head>" + late + "<meta http-equiv=content-type content='text/html;charset=windows-1250'></head><body>" + in(charmap.Windows1250, polish), polish},
		{"a charset in the text is none", "text/html", "<body><p>put <meta charset=windows-1250> there: " + strings.Repeat("ü", 20), "ü"},
		{"UTF-8 with one bad byte", "text/html", "<p>größer, süß, für \xff alle", "größer, süß, für \uFFFD alle"},
		{"Latin-1 undeclared", "text/html", "<p>gr\xf6\xdfer, s\xfc\xdf", "größer, süß"},
		{"declared UTF-8 with bad bytes", "text/plain; charset=utf-8", "für \xff", "für \uFFFD"},
		{"declared Latin-1, but UTF-8", "text/html; charset=iso-8859-1", "<p>größer", "größer"},
		{"declared GBK, valid as UTF-8 by chance", "text/html; charset=gbk", "<p>\xc1\xaa\xcd\xa8", "联通"},
		{"declared GBK, but UTF-8", "text/html; charset=gbk", "<p>" + strings.Repeat(chinese, 4), chinese},
		{"an unknown label, then the page's", "text/html; charset=klingon", "<meta charset=euc-kr>" + in(korean.EUCKR, korean1), korean1},
		{"Big5", "text/html; charset=big5", in(traditionalchinese.Big5, "網頁的內容"), "網頁的內容"},
		{"Shift JIS", "text/html", "<meta charset=Shift_JIS>" + in(japanese.ShiftJIS, japaneseText), japaneseText},
		{"UTF-16 by its mark", "text/plain", in(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), polish), polish},
		{"UTF-16 by the header", "text/plain; charset=utf-16be", in(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), polish), polish},
		{"UTF-16 undeclared", "text/plain", in(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "plain words"), "plain words"},
		{"a page that says UTF-16 in ASCII", "text/html", "<meta charset=utf-16><p>für", "für"},
		{"a mark against a header", "text/html; charset=windows-1252", "\xef\xbb\xbf<p>für", "für"},
		{"XML's own", "application/xml", `<?xml version="1.0" encoding="windows-1251"?><a>` + in(charmap.Windows1251, "привет") + "</a>", "привет"},
	}
	for _, test := range tests {
		p := readAs(t, test.contentType, test.body)
		if !strings.Contains(p.Text, test.want) {
			t.Errorf("%s: %q, want %q", test.name, p.Text, test.want)
		}
	}
	for name, label := range map[string]string{"HZ": "hz-gb-2312", "ISO-2022-KR": "iso-2022-kr"} {
		p := &Page{}
		if err := p.read(t.Context(), []byte("<p>~{<:Ky2;V~}"), "text/html; charset="+label, nil, Options{}); err == nil || !strings.Contains(err.Error(), label) {
			t.Errorf("%s: error is %v, text %q", name, err, p.Text)
		}
	}
}

func readAs(t *testing.T, contentType, body string) *Page {
	t.Helper()
	base, err := url.Parse("https://site.example/")
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{}
	if err := p.read(t.Context(), []byte(body), contentType, base, Options{}); err != nil {
		t.Errorf("%s: %v", contentType, err)
	}
	return p
}

func TestKindsOfText(t *testing.T) {
	for _, kind := range []string{
		"application/yaml", "application/x-yaml", "application/toml", "application/x-sh", "application/x-ndjson", "application/jsonl", "application/x-javascript", "application/javascript", "application/sql", "application/graphql",
		"application/typescript", "application/csv", "application/x-tex", "application/x-latex", "application/vnd.api+json", "application/openapi+yaml", "application/x-httpd-php", "application/rtf", "application/x-perl", "application/pgp-keys",
		"application/x-subrip", "application/vnd.acme.unheard-of", "application/octet-stream", "binary/octet-stream", "image/svg+xml", "message/rfc822", "text/x-unheard-of", "nonsense",
	} {
		if p := readAs(t, kind, "key: wört\n- two\n"); p.Text != "key: wört\n- two\n" {
			t.Errorf("%s: %q", kind, p.Text)
		}
	}
	for _, kind := range []string{"application/yaml", "application/octet-stream", "text/plain", "application/vnd.acme.unheard-of"} {
		p := &Page{}
		if err := p.read(t.Context(), []byte("\x7fELF\x02\x01\x01\x00\x00\x00"), kind, nil, Options{}); err == nil {
			t.Errorf("%s: a program is shown as %q", kind, p.Text)
		}
	}
}

// TestInvisibleText leaves out of texts of any kind what nobody would see: a model might
// follow what is written in it.
func TestInvisibleText(t *testing.T) {
	for _, kind := range []string{"text/plain", "application/json", "text/markdown", "application/octet-stream"} {
		if p := readAs(t, kind, "a\u200b\u202e\U000E0041\U000E0042 b\r\nc\u2066\u00ad"); p.Text != "a b\nc" {
			t.Errorf("%s: %q", kind, p.Text)
		}
	}
}

func TestKindsOfPDF(t *testing.T) {
	const pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
	for _, kind := range []string{"application/pdf", "application/x-pdf", "binary/octet-stream", "application/octet-stream", "", "text/pdf", "application/download", "text/html"} {
		for _, before := range []string{"", "\n", "\xef\xbb\xbf", "\r\n \n", "\n\xef\xbb\xbf\n"} {
			if p := readAs(t, kind, before+pdf); p.Kind != "application/pdf" || !bytes.HasPrefix(p.Data, []byte("%PDF-")) {
				t.Errorf("%s after %q: %s, %.20q", kind, before, p.Kind, p.Data)
			}
		}
	}
	many := strings.Replace(pdf, "[3 0 R]/Count 1", "["+strings.Repeat("3 0 R ", 150)+"]/Count 150", 1)
	refused := map[string]struct{ body, want string }{
		"too many pages": {many, "150 pages"},
		"a lying count":  {strings.Replace(pdf, "/Count 1", "/Count 700", 1), "700 pages"},
		"a low count":    {strings.Replace(many, "/Count 150", "/Count 1", 1), "150 pages"},
		"encrypted":      {strings.Replace(pdf, "<</Root", "<</Encrypt 9 0 R/Root", 1), "encrypted"},
		"cut off":        {pdf[:120], "truncated"},
		"no pages":       {"%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF", "damaged"},
	}
	for name, test := range refused {
		p := &Page{}
		if err := p.read(t.Context(), []byte(test.body), "application/pdf", nil, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, test.want)
		}
	}
	p := &Page{}
	if err := p.read(t.Context(), []byte(many), "application/pdf", nil, Options{MaxPages: 600}); err != nil {
		t.Errorf("150 pages for a model that takes 600: %v", err)
	}
}
