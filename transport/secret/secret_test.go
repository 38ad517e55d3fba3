package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/whorl-go/whorl/transport/secret"
)

const key = "sk-ant-api03/plus+slash=and\"quote<é"

// No printer and no encoder of the standard library writes the secret, wherever it stands.
func TestEveryFormatIsRedacted(t *testing.T) {
	type config struct {
		Key   secret.Value
		inner secret.Value
		Ptr   *secret.Value
		Map   map[string]secret.Value
		List  []secret.Value
		any   any
	}
	v := secret.New(key)
	c := config{v, v, &v, map[string]secret.Value{"k": v}, []secret.Value{v}, v}
	var out bytes.Buffer
	for _, x := range []any{v, &v, c, &c, []any{v}, struct{ config }{c}, fmt.Errorf("key %v", v)} {
		for _, verb := range []string{"%+v", "%#v", "%T %v", "%10.3v", "% x", "%#x", "%+q", "%08d"} {
			fmt.Fprintf(&out, verb, x)
		}
		for c := 'A'; c <= 'z'; c++ { // every verb that there is or may be
			fmt.Fprintf(&out, "%"+string(c), x)
		}
		fmt.Fprint(&out, x)
		log.New(&out, "", 0).Println(x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "key", x)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "key", x, slog.Any("again", []any{x}))
	}
	public := struct {
		Key  secret.Value
		Map  map[string]secret.Value
		List []secret.Value
		Any  any
	}{v, c.Map, c.List, v}
	if err := json.NewEncoder(&out).Encode(public); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewEncoder(&out).Encode(struct{ Key secret.Value }{v}); err != nil {
		t.Fatal(err)
	}
	if err := xml.NewEncoder(&out).Encode(struct {
		XMLName xml.Name `xml:"a"`
		Key     secret.Value
		Attr    secret.Value `xml:",attr"`
	}{Key: v, Attr: v}); err != nil {
		t.Fatal(err)
	}
	if err := template.Must(template.New("").Parse("{{.}} {{.Key}} {{printf `%s` .Key}} {{html .Key}}")).Execute(&out, c); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { fmt.Fprintf(&out, "%v", recover()) }()
		panic(v)
	}()
	text := out.String()
	for name, s := range spelled(key) {
		if strings.Contains(text, s) {
			t.Errorf("the key was written, %s: %q", name, s)
		}
	}
	if strings.Count(text, secret.Redacted) < 50 {
		t.Errorf("%q is written %d times", secret.Redacted, strings.Count(text, secret.Redacted))
	}
}

// spelled are ways in which a key may turn up.
func spelled(key string) map[string]string {
	quoted, _ := json.Marshal(key)
	return map[string]string{
		"as it is":       key,
		"the first half": key[:len(key)/2],
		"the last half":  key[len(key)/2:],
		"URL query":      url.QueryEscape(key),
		"URL path":       url.PathEscape(key),
		"JSON":           strings.Trim(string(quoted), `"`),
		"HTML":           html.EscapeString(key),
		"hexadecimal":    hex.EncodeToString([]byte(key)),
		"base64":         base64.StdEncoding.EncodeToString([]byte(key)),
		"base64 for URL": base64.RawURLEncoding.EncodeToString([]byte(key)),
		"lower case":     strings.ToLower(key),
		"upper case":     strings.ToUpper(key),
	}
}

func TestZeroValue(t *testing.T) {
	var v secret.Value
	if !v.IsZero() || v.Reveal() != "" || fmt.Sprintf("%v%s%q%#v", v, v, v, v) != "" || !secret.New("").IsZero() {
		t.Errorf("the zero Value is %q, written %q", v.Reveal(), fmt.Sprint(v))
	}
	if !v.Equal(secret.New("")) || v.Equal(secret.New("a")) || !secret.New("a").Equal(secret.New("a")) {
		t.Error("Equal doesn't compare")
	}
}

// A configuration is read; what was written from a Value doesn't become a key.
func TestReading(t *testing.T) {
	var c struct{ Key secret.Value }
	if err := json.Unmarshal([]byte(`{"Key":"abc"}`), &c); err != nil || c.Key.Reveal() != "abc" {
		t.Errorf("got %q, %v", c.Key.Reveal(), err)
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &c); err == nil {
		t.Errorf("%s was read as a key", out)
	}
	t.Setenv("WHORL_TEST_KEY", "abc")
	if v := secret.FromEnv("WHORL_TEST_KEY"); v.Reveal() != "abc" {
		t.Errorf("got %q from the environment", v.Reveal())
	}
}

// A Redactor finds every spelling, inside of other text too.
func TestRedactor(t *testing.T) {
	r := secret.NewRedactor(secret.New(key), secret.New("short"))
	for name, s := range spelled(key) {
		if strings.HasSuffix(name, "half") {
			continue // not the key
		}
		for _, text := range []string{s, "before " + s + " after", s + s} {
			got := r.String(text)
			if strings.Contains(got, s) || !strings.Contains(got, secret.Redacted) {
				t.Errorf("%s: %q became %q", name, text, got)
			}
			if string(r.Bytes([]byte(text))) != got || r.Err(errors.New(text)).Error() != got {
				t.Errorf("%s: String, Bytes and Err differ", name)
			}
		}
	}
	for _, user := range []string{"", "u:", "us:", "use:", "user:"} { // wherever base64 begins
		for _, written := range []string{key, url.QueryEscape(key)} { // escaped, as OAuth has it
			in := base64.StdEncoding.EncodeToString([]byte(user + written + "!!"))
			got := r.String(in)
			if plain, _ := base64.StdEncoding.DecodeString(got); strings.Contains(string(plain), written) || !strings.Contains(got, secret.Redacted) {
				t.Errorf("behind %q: %q became %q", user, in, got)
			}
		}
	}
	err := io.EOF
	if r.Err(err) != err || r.Err(nil) != nil || r.String("short words stay") != "short words stay" {
		t.Error("what holds no secret was changed")
	}
	if (secret.Redactor{}).String(key) != key {
		t.Error("the zero Redactor changes something")
	}
	if text := fmt.Sprintf("%+v %#v", struct{ r secret.Redactor }{r}, r); strings.Contains(text, key) {
		t.Errorf("a Redactor shows its secrets: %s", text)
	}
}

// Where a secret is the beginning or a part of another one, all of the longer one goes,
// in whichever order they were given.
func TestSecretsThatBeginAlike(t *testing.T) {
	short, long := secret.New("sk-ant-0123456789"), secret.New("sk-ant-0123456789-of-the-gateway")
	inner := secret.New("of-the-gateway")
	for i, r := range []secret.Redactor{secret.NewRedactor(short, long, inner), secret.NewRedactor(inner, long, short)} {
		for name, s := range map[string]string{"plain": long.Reveal(), "hex": hex.EncodeToString([]byte(long.Reveal()))} {
			if got := r.String("key " + s + " end"); got != "key "+secret.Redacted+" end" {
				t.Errorf("redactor %d, %s: %q", i, name, got)
			}
		}
		if got := r.String("key " + short.Reveal() + " end"); got != "key "+secret.Redacted+" end" {
			t.Errorf("redactor %d, the short one: %q", i, got)
		}
	}
}

func TestInHeader(t *testing.T) {
	r := secret.NewRedactor(secret.InHeader(http.Header{
		"X-Api-Key":     {"key-number-1"},
		"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ann:password-2"))},
		"Cookie":        {"id=cookie-number-3; b=1"},
		"Accept":        {"application/json"},
	})...)
	const text = "key-number-1 password-2 cookie-number-3 application/json"
	if got, want := r.String(text), "[redacted] [redacted] [redacted] application/json"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// All headers with secrets are looked at, whatever the scheme.
func TestInHeaderNames(t *testing.T) {
	h := http.Header{}
	for name, value := range map[string]string{
		"X-Api-Key": "secret-of-a", "Api-Key": "secret-of-b", "Authorization": "Bearer secret-of-c", "Proxy-Authorization": "bAsIc  " + base64.StdEncoding.EncodeToString([]byte("secret-of-d:secret-of-e")),
		"Cookie": "x=secret-of-f; y=secret-of-g", "X-Amz-Security-Token": "secret-of-h", "Accept": "not-secret-i",
		"Helicone-Auth": "Bearer secret-of-l", "Ocp-Apim-Subscription-Key": "secret-of-m", "X-Proxy-Password": "secret-of-n", "Cf-Access-Client-Secret": "secret-of-o",
	} {
		h.Set(name, value)
	}
	h.Add("X-Api-Key", "secret-of-k")
	got := map[string]bool{}
	for _, v := range secret.InHeader(h) {
		got[v.Reveal()] = true
	}
	for _, want := range []string{"secret-of-a", "secret-of-b", "secret-of-c", "secret-of-d:secret-of-e", "secret-of-e", "secret-of-f", "secret-of-g", "secret-of-h", "secret-of-k", "secret-of-l", "secret-of-m", "secret-of-n", "secret-of-o"} {
		if !got[want] {
			t.Errorf("%s is not among %v", want, got)
		}
	}
	if got["not-secret-i"] {
		t.Error("Accept is a secret")
	}
	// What can't be decoded is no password.
	for _, v := range secret.InHeader(http.Header{"Authorization": {"Basic QUJDRDpFRkdISUpLTA=!"}, "Cookie": {"alone"}}) {
		if s := v.Reveal(); s != "Basic" && s != "QUJDRDpFRkdISUpLTA=!" && s != "alone" && s != "" {
			t.Errorf("%q is taken for a secret", s)
		}
	}
}

// Gateways' parameters with secrets are found by their names, others are not.
func TestInQuery(t *testing.T) {
	u, err := url.Parse("https://a.example/v1?api_key=one&sig=two&Token=three&token=four&design=round&q=x&X-Amz-Signature=five")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range secret.InQuery(u) {
		got = append(got, v.Reveal())
	}
	if slices.Sort(got); strings.Join(got, " ") != "five four one three two" {
		t.Errorf("%q", got)
	}
}

// Where a text was shortened the beginning of a secret is one too.
func TestSecretsThatWereCut(t *testing.T) {
	const long = "sk-ant-api03-0123456789-abcdefghij"
	r := secret.NewRedactor(secret.New(long), secret.New("token/with\"signs-in-it"))
	for text, want := range map[string]string{
		"at the end " + long[:20]:                              "at the end [redacted]",
		"quoted \"" + long[:20] + "\"… (300 bytes)":            "quoted \"[redacted]\"… (300 bytes)",
		long[:9] + "… and " + long + " and " + long[:33] + "…": "[redacted]… and [redacted] and [redacted]…",
		"escaped token/with\\\"signs… twice " + long[:8]:       "escaped [redacted]… twice [redacted]",
		"seven bytes " + long[:7] + "…":                        "seven bytes " + long[:7] + "…",
		"in the middle " + long[:20] + " of it":                "in the middle " + long[:20] + " of it",
		"… …":                                                  "… …",
		"":                                                     "",
	} {
		if got := r.String(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// Secrets are looked for from 8 bytes on.
func TestShortestSecret(t *testing.T) {
	r := secret.NewRedactor(secret.New("exactly8"), secret.New("seven77"))
	if got := r.String("exactly8 seven77"); got != "[redacted] seven77" {
		t.Errorf("got %q", got)
	}
}

// Bytes doesn't copy what holds no secret, and the zero Redactor takes everything.
func TestRedactorBytes(t *testing.T) {
	for _, r := range []secret.Redactor{{}, secret.NewRedactor(secret.New(key)), secret.NewRedactor()} {
		in := []byte("nothing in it")
		if got := r.Bytes(in); string(got) != "nothing in it" || &got[0] != &in[0] {
			t.Errorf("got %q, another slice", got)
		}
		if err := r.Err(io.EOF); err != io.EOF {
			t.Errorf("got %v", err)
		}
	}
}
