package simulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/whorl-go/whorl/transport"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// What is left of limits after requests, and when a request is refused.
func TestMeter(t *testing.T) {
	l := RateLimits{Requests: 3, InputTokens: 1000, OutputTokens: 600}
	m := &meter{}
	take := func(what string, input int, at time.Duration, wait time.Duration, unit string) {
		t.Helper()
		why := m.take(l, input, noon.Add(at))
		if (why == nil) != (wait == 0) || why != nil && (why.RetryAfter != wait || why.Status != 429 || !strings.Contains(why.Message, unit+" per minute")) {
			t.Errorf("%s: %+v, want a wait of %v", what, why, wait)
		}
	}
	take("more than there is at all", 1001, 0, time.Second, "1,000 input tokens")
	take("all of the tokens", 1000, 0, 0, "")
	take("none are left", 500, 0, 30*time.Second, "1,000 input tokens")
	take("not enough yet", 500, 29*time.Second, time.Second, "1,000 input tokens")
	take("enough", 500, 30*time.Second, 0, "")
	m.spend(899)
	take("output tokens were overdrawn", 1, 45*time.Second, 15*time.Second, "600 output tokens")
	take("one is there", 1, time.Minute, 0, "")
	m.spend(1)
	take("none is left", 1, time.Minute, time.Second, "600 output tokens")
	m = &meter{}
	for range 3 {
		take("a request", 0, 0, 0, "")
	}
	take("one too many", 0, 0, 20*time.Second, "3 requests")
	take("the clock went back", 0, -time.Hour, 20*time.Second, "3 requests")
	m = &meter{}
	if why := m.take(RateLimits{OutputTokens: 1}, 1<<40, noon); why != nil {
		t.Errorf("a limit that isn't there refuses: %v", why.Message)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 999_999: "999,999", 1_000_000: "1,000,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// The headers tell what is left, in thousands of tokens, and when all is there again.
func TestLimitHeaders(t *testing.T) {
	s := New(Options{Limits: RateLimits{Requests: 100, InputTokens: 10_000, OutputTokens: 20_000}})
	h := http.Header{}
	s.setLimits(h, &meter{left: [3]float64{50, 2499, -5}}, noon)
	for name, want := range map[string]string{
		"Requests-Limit": "100", "Requests-Remaining": "50", "Requests-Reset": "2026-11-28T12:00:30Z",
		"Input-Tokens-Limit": "10000", "Input-Tokens-Remaining": "2000", "Input-Tokens-Reset": "2026-11-28T12:00:48Z",
		"Output-Tokens-Limit": "20000", "Output-Tokens-Remaining": "0", "Output-Tokens-Reset": "2026-11-28T12:01:00Z",
		"Tokens-Limit": "30000", "Tokens-Remaining": "2000",
	} {
		if got := h.Get("Anthropic-Ratelimit-" + name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// Pages of a list, from either end.
func TestCutPage(t *testing.T) {
	list := strings.Split("abcdefghij", "")
	for query, want := range map[string]string{
		"": "abcdefghij false", "limit=3": "abc true", "limit=10": "abcdefghij false", "limit=9": "abcdefghi true", "limit=3&after_id=c": "def true", "limit=3&after_id=g": "hij false", "after_id=j": " false",
		"limit=3&before_id=d": "abc false", "limit=3&before_id=f": "cde false", "before_id=a": " false", "after_id=zz&limit=1": "a true", "after_id=b&before_id=e": "cd false",
		"limit=0": "refused", "limit=11": "refused", "limit=x": "refused", "limit=-1": "refused",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		page, why := cutPage(list, q, 10, func(s string) string { return s })
		got := "refused"
		if why == nil {
			got = fmt.Sprint(strings.Join(page.Data, ""), " ", page.HasMore)
			if (page.FirstID == nil) != (len(page.Data) == 0) || page.FirstID != nil && (*page.FirstID != page.Data[0] || *page.LastID != page.Data[len(page.Data)-1]) || page.Data == nil {
				t.Errorf("%s: from %v to %v", query, page.FirstID, page.LastID)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	long := make([]string, 30)
	if page, why := cutPage(long, url.Values{}, 1000, func(s string) string { return s }); why != nil || len(page.Data) != 20 || !page.HasMore {
		t.Errorf("without a limit: %d, %v", len(page.Data), why)
	}
}

// Each fault by its name, there and back; what is none, and what each status says.
func TestFaultNames(t *testing.T) {
	for text, want := range map[string]Fault{
		"none": {}, "status=503": {Status: 503}, "status=529;after=3": {Status: 529, AfterEvents: 3}, "retry-after=1.5s": {RetryAfter: 1500 * time.Millisecond}, "reset": {Reset: true}, "cut=12": {CutAfter: 12},
		"stall=5s": {Stall: 5 * time.Second}, "drip=10ms": {Drip: 10 * time.Millisecond}, "empty": {Empty: true}, "truncate": {Truncate: true}, "duplicate": {Duplicate: true}, "no-stop": {NoStop: true},
		"strange": {Strange: true}, "content-type=text/html": {ContentType: "text/html"}, "code=ramp_limit_exceeded": {Code: "ramp_limit_exceeded", Status: 429},
	} {
		got, err := ParseFault(" " + text + " ; ")
		if got != want || err != nil || got.String() != text {
			t.Errorf("%s: %+v, %v, written as %s", text, got, err, got)
		}
	}
	for _, text := range []string{"status=x", "after=", "cut=1b", "retry-after=3", "stall=x", "drip=1", "code=no", "Reset", "resets"} {
		if _, err := ParseFault(text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("fault %q", text)) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for status, want := range map[int]transport.ErrorType{400: transport.ErrInvalidRequest, 401: transport.ErrAuthentication, 403: transport.ErrPermission, 409: transport.ErrConflict, 429: transport.ErrRateLimit, 500: transport.ErrAPI, 502: transport.ErrAPI, 504: transport.ErrTimeout, 529: transport.ErrOverloaded} {
		why := Fault{Status: status, RetryAfter: 3 * time.Second}.refusal()
		if why.Type != want || why.Status != status || (status == 429 || status == 529 || status == 502) && why.RetryAfter != 3*time.Second {
			t.Errorf("%d: %+v", status, why)
		}
	}
	s := New(Options{Faults: []Fault{{Status: 500}, {}}, FaultRate: 1, Seed: 7})
	req := httptest.NewRequest("POST", "/v1/messages", nil)
	first, _ := s.fault(req)
	second, _ := s.fault(req)
	third, _ := s.fault(req)
	if first.Status != 500 || second != (Fault{}) || third == (Fault{}) || third != s.someFault(3) {
		t.Errorf("%s, %s, %s", first, second, third)
	}
	req.Header.Set(FaultHeader, "empty")
	if f, why := s.fault(req); why != nil || f != (Fault{Empty: true}) || s.requests.Load() != 3 {
		t.Errorf("by the header: %s, %v; %d requests", f, why, s.requests.Load())
	}
}

// What faults make of a reply, and of the bytes on their way.
func TestFaultsChange(t *testing.T) {
	reply := &Reply{Content: []Part{Text("a"), Call("x", nil), Call("y", nil), Text("b")}}
	got := Fault{Truncate: true}.change(reply)
	if len(got.Content) != 3 || !got.Content[2].truncated || got.Content[1].truncated || len(reply.Content) != 4 || reply.Content[2].truncated {
		t.Errorf("%+v of %+v", got, reply)
	}
	if got := (Fault{Truncate: true}).change(&Reply{Content: []Part{Text("a")}}); len(got.Content) != 1 {
		t.Errorf("%+v", got)
	}
	if got := (Fault{}).change(reply); got != reply {
		t.Error("no fault changes the reply")
	}
	if got := (Fault{Empty: true}).change(reply); len(got.Content) != 0 {
		t.Errorf("%+v", got)
	}
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("nothing was cut")
			}
		}()
		out := Fault{CutAfter: 10}.wrap(w)
		for range 3 {
			if n, err := out.Write([]byte("abcd")); n != 4 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
	}()
	if got := w.Body.String(); got != "abcdabcdab" {
		t.Errorf("cut to %q", got)
	}
	w = httptest.NewRecorder()
	if n, err := (Fault{Drip: 1}).wrap(w).Write([]byte(strings.Repeat("x", 1300))); n != 1300 || err != nil || w.Body.Len() != 1300 || !w.Flushed {
		t.Errorf("dripped %d, %v: %d bytes", n, err, w.Body.Len())
	}
}

// What is sealed opens as what it was, for its kind and its key only.
func TestSealer(t *testing.T) {
	a, b := newSealer([]byte("a")), newSealer([]byte("b"))
	sealed := a.seal(kindPage, []byte("text"))
	if got, ok := a.open(kindPage, sealed); string(got) != "text" || !ok || sealed != a.seal(kindPage, []byte("text")) {
		t.Errorf("%q, %v", got, ok)
	}
	for name, open := range map[string]func() ([]byte, bool){
		"another kind": func() ([]byte, bool) { return a.open(kindIndex, sealed) },
		"another key":  func() ([]byte, bool) { return b.open(kindPage, sealed) },
		"cut":          func() ([]byte, bool) { return a.open(kindPage, sealed[:8]) },
		"changed":      func() ([]byte, bool) { return a.open(kindPage, "AAAA"+sealed[4:]) },
		"no base64":    func() ([]byte, bool) { return a.open(kindPage, "?") },
		"nothing":      func() ([]byte, bool) { return a.open(kindPage, "") },
	} {
		if got, ok := open(); ok {
			t.Errorf("%s: opened %q", name, got)
		}
	}
	if a.seal(kindPage, []byte("x")) == a.seal(kindIndex, []byte("x")) {
		t.Error("two kinds are sealed alike")
	}
}

// An entry of the cache lives until its time is over, each reading renews it for the
// time that it was written with, and writing it again doesn't make that longer.
func TestCacheLifetimes(t *testing.T) {
	c := promptCache{entries: map[uint64]entry{}, sweepAt: 1 << 16}
	of := func(ttl transport.TTL) prompt {
		return prompt{last: (&chunk{list: []position{{hash: 1, tokens: 2000, mark: ttl}, {hash: 2, tokens: 2500}}, hash: 2, tokens: 2500}).self()}
	}
	send := func(what string, ttl transport.TTL, minimum int, at time.Duration, want charge) {
		t.Helper()
		got := c.price(of(ttl), minimum, noon.Add(at))
		if got.input != want.input || got.read != want.read || got.write5m != want.write5m || got.write1h != want.write1h || got.tooShort != want.tooShort {
			t.Errorf("%s: %+v", what, got)
		}
		c.commit(got)
	}
	const m = time.Minute
	send("too short by one", transport.TTL5m, 2001, 0, charge{input: 2500, tooShort: true})
	send("just long enough", transport.TTL5m, 2000, 0, charge{input: 500, write5m: 2000})
	send("at its last moment", transport.TTL5m, 2000, 5*m-1, charge{input: 500, read: 2000})
	send("renewed", transport.TTL1h, 2000, 10*m-2, charge{input: 500, read: 2000})
	send("for five minutes still", transport.TTL5m, 2000, 15*m-2, charge{input: 500, write5m: 2000})
	send("over", transport.TTL1h, 2000, 20*m-2, charge{input: 500, write1h: 2000})
	send("an hour", transport.TTL5m, 2000, 80*m-3, charge{input: 500, read: 2000})
	send("another", transport.TTL5m, 2000, 140*m-4, charge{input: 500, read: 2000})
	send("over, too", transport.TTL5m, 2000, 200*m-4, charge{input: 500, write5m: 2000})
	c.sweepAt = 0
	for i := range 10 {
		c.entries[uint64(100+i)] = entry{expires: noon.Add(200*m - time.Duration(i%2))}
	}
	c.commit(charge{start: noon.Add(200*m - 1), writes: []write{{7, m}}})
	if len(c.entries) != 1+5+1 || c.sweepAt != 1<<16 {
		t.Errorf("%d entries are left, the next sweep at %d", len(c.entries), c.sweepAt)
	}
	if got := c.price(prompt{}, 1, noon); got.input != 0 || got.read != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

// self is c as a chunk that knows of its marks.
func (c *chunk) self() *chunk {
	c.marked = c
	return c
}

// What an edit keeps, and whose inputs it clears.
func TestEdits(t *testing.T) {
	for keep, want := range map[string]int{``: 3, `"all"`: -1, `{"type":"all"}`: -1, `{"type":"tool_uses","value":0}`: 0, `{"type":"thinking_turns","value":7}`: 7, `{}`: 3} {
		if got := (&edit{Keep: []byte(keep)}).keeps(3); got != want {
			t.Errorf("%s: %d", keep, got)
		}
	}
	for clear, want := range map[string]bool{``: false, `true`: true, `false`: false, `["a","b"]`: true, `["a"]`: false, `[]`: false} {
		if got := (&edit{ClearToolInputs: []byte(clear)}).clearsInput("b"); got != want {
			t.Errorf("%s: %v", clear, got)
		}
	}
}

// What a page is, and which comes first in a search.
func TestPages(t *testing.T) {
	x := &pageIndex{base: "https://p/", fsys: fstest.MapFS{
		"a.html":    {Data: []byte("<html><head><title>All &amp; more</title><style>whale</style></head><body><script>whale()</script><p>Tide</p>\n\n \n\n<p>Foam</p></body></html>")},
		"sub/b.md":  {Data: []byte("# Waves\nwhale whale tide")},
		"c.txt":     {Data: []byte("# Not\nwhale and a very long text that says much else of other things besides")},
		"d.png":     {Data: []byte("whale")},
		"e.md":      {Data: []byte(strings.Repeat("x", maxPage) + " whale")},
		"same1.txt": {Data: []byte("gull")}, "same0.txt": {Data: []byte("gull")},
	}}
	for query, want := range map[string]string{"WHALE": "sub/b.md c.txt", "tide": "sub/b.md a.html", "gull!": "same0.txt same1.txt", "nothing": "", "a": "", "waves": "sub/b.md"} {
		var got []string
		for _, p := range x.search(query) {
			got = append(got, strings.TrimPrefix(p.url, "https://p/"))
		}
		gotText := strings.Join(got, " ")
		if query == "tide" {
			slices.Sort(got)
			gotText = strings.Join(got, " ")
			want = "a.html sub/b.md"
		}
		if gotText != want {
			t.Errorf("%s: %s, want %s", query, gotText, want)
		}
	}
	if p, code := x.fetch(t.Context(), "https://p/a.html#part"); code != "" || p.title != "All & more" || p.text != "Tide\n\nFoam" {
		t.Errorf("%q %+v", code, p)
	}
	if p, _ := x.fetch(t.Context(), "https://p/sub/b.md"); p.title != "Waves" {
		t.Errorf("%+v", p)
	}
	for target, want := range map[string]string{"https://p/d.png": "url_not_accessible", "https://elsewhere/a.html": "url_not_accessible", "https://p/a": "url_not_accessible"} {
		if _, code := x.fetch(t.Context(), target); code != want {
			t.Errorf("%s: %s", target, code)
		}
	}
	var none *pageIndex
	if _, code := none.fetch(t.Context(), "https://p/a.html"); code != "unavailable" {
		t.Errorf("%s", code)
	}
}

// What is fetched from this machine: text and JSON, no redirect, nothing but a 200.
func TestLocalPages(t *testing.T) {
	followed := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/html", http.StatusFound)
		case "/html":
			followed = r.Header.Get("Referer") != ""
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<p>Hi</p>")
		case "/json":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"a":"<b>"}`)
		case "/long":
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, strings.Repeat("x", 2*maxPage))
		case "/png":
			w.Header().Set("Content-Type", "image/png")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer srv.Close()
	for path, want := range map[string]string{"/html": "Hi", "/json": `{"a":"<b>"}`, "/png": "unsupported_content_type", "/moved": "url_not_accessible", "/none": "url_not_accessible"} {
		p, code := (*pageIndex)(nil).fetch(t.Context(), srv.URL+path)
		if code == "" {
			code = p.text
		}
		if code != want {
			t.Errorf("%s: %q, want %q", path, code, want)
		}
	}
	if p, code := (*pageIndex)(nil).fetch(t.Context(), srv.URL+"/long"); code != "" || len(p.text) != maxPage || followed {
		t.Errorf("%q, %d bytes", code, len(p.text))
	}
}

// What a picture costs.
func TestPictureTokens(t *testing.T) {
	for p, want := range map[*picture]int{{width: 750, height: 1}: 1, {width: 1500, height: 1000}: 2000, {width: 1568, height: 1568}: 3278, {width: 1569, height: 1000}: 522, {width: 4000, height: 100}: 33, {width: 1, height: 1}: 1, {pages: 3, width: 9}: 4500} {
		if got := p.tokens(); got != want {
			t.Errorf("%+v: %d, want %d", *p, got, want)
		}
	}
}

// Who may ask, by which header.
func TestAuthenticate(t *testing.T) {
	open, shut := New(Options{}), New(Options{APIKey: "k"})
	for _, tt := range []struct {
		key, auth  string
		open, shut bool
	}{
		{"", "", false, false}, {"k", "", true, true}, {"x", "", true, false}, {"", "Bearer k", true, true}, {"", "Bearer x", true, false}, {"", "Bearer ", false, false},
		{"", "Basic k", false, false}, {"k", "Basic x", true, true}, {"k", "Bearer k", true, true}, {"k", "Bearer x", false, false},
	} {
		h := http.Header{"X-Api-Key": {tt.key}, "Authorization": {tt.auth}}
		a, whyOpen := open.authenticate(h)
		b, whyShut := shut.authenticate(h)
		if (whyOpen == nil) != tt.open || (whyShut == nil) != tt.shut || whyOpen != nil && whyOpen.Status != 401 || whyOpen == nil && whyShut == nil && a != b {
			t.Errorf("%q, %q: open %v, with a key %v", tt.key, tt.auth, whyOpen, whyShut)
		}
	}
	one, _ := open.authenticate(http.Header{"X-Api-Key": {"a"}})
	other, _ := open.authenticate(http.Header{"X-Api-Key": {"b"}})
	same, _ := open.authenticate(http.Header{"Authorization": {"Bearer a"}})
	if one == other || one != same {
		t.Error("a key is an account, whichever header it comes in")
	}
}

// Whose a batch is, when it has ended, and what may be done with it until then.
func TestBatchesOfAccounts(t *testing.T) {
	now := noon
	s := New(Options{Now: func() time.Time { return now }, BatchTime: time.Hour})
	do := func(method, path, key, body string) (int, string) {
		t.Helper()
		req := httptest.NewRequest(method, "/v1/messages/batches"+path, strings.NewReader(body))
		req.Header.Set("X-Api-Key", key)
		req.Header.Set("Anthropic-Version", version2023)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	const item = `{"requests":[{"custom_id":"a","params":{"model":"claude-opus-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}}]}`
	var ids []string
	for range 30 { // all at one time
		_, raw := do("POST", "", "mine", item)
		id, _, _ := strings.Cut(strings.TrimPrefix(raw, `{"id":"`), `"`)
		ids = append(ids, id)
	}
	id := "/" + ids[0]
	for _, step := range []struct {
		what, method, path, key string
		status                  int
		has                     string
	}{
		{"running", "GET", id, "mine", 200, `"processing_status":"in_progress","request_counts":{"processing":1,`},
		{"another's", "GET", id, "theirs", 404, "not found"},
		{"canceled by another", "POST", id + "/cancel", "theirs", 404, "not found"},
		{"deleted while it runs", "DELETE", id, "mine", 400, "still in progress"},
		{"results of another's", "GET", id + "/results", "theirs", 404, "not found"},
		{"another way", "PUT", id, "mine", 404, "Not found"},
		{"a part that there isn't", "GET", id + "/cancel", "mine", 404, "Not found"},
	} {
		if status, raw := do(step.method, step.path, step.key, ""); status != step.status || !strings.Contains(raw, step.has) {
			t.Errorf("%s: %d %s", step.what, status, raw)
		}
	}
	var paged []string
	after := ""
	for range ids {
		_, raw := do("GET", "?limit=1"+after, "mine", "")
		i := strings.Index(raw, `"id":"`) + len(`"id":"`)
		id, _, _ := strings.Cut(raw[i:], `"`)
		paged, after = append(paged, id), "&after_id="+id
	}
	slices.Sort(paged)
	slices.Sort(ids)
	if !slices.Equal(paged, ids) {
		t.Errorf("pages of one have %q, want %q", paged, ids)
	}
	if _, raw := do("GET", "", "theirs", ""); !strings.Contains(raw, `"data":[]`) {
		t.Errorf("another lists %s", raw)
	}
	now = now.Add(time.Hour - 1)
	if _, raw := do("GET", id, "mine", ""); !strings.Contains(raw, "in_progress") {
		t.Errorf("before its time: %s", raw)
	}
	now = now.Add(1)
	if _, raw := do("GET", id, "mine", ""); !strings.Contains(raw, `"ended"`) || !strings.Contains(raw, `"succeeded":1,`) || !strings.Contains(raw, `"cancel_initiated_at":null`) {
		t.Errorf("at its time: %s", raw)
	}
	if status, raw := do("DELETE", id, "mine", ""); status != 200 || !strings.Contains(raw, "message_batch_deleted") {
		t.Errorf("%d %s", status, raw)
	}
	if status, _ := do("GET", id, "mine", ""); status != 404 {
		t.Errorf("a deleted batch: %d", status)
	}
	for body, want := range map[string]string{
		`{"requests":[]}`: "1 to 100000 items", `{}`: "1 to 100000 items", `{"requests":[],"x":1}`: "x: Extra inputs", `{"requests":[{"custom_id":"a"}]}`: "requests.0.params: Field required",
		strings.Replace(item, `[{`, `[{"custom_id":"a","params":{}},{`, 1): "found a more than once", `{"requests":`: "not valid JSON",
	} {
		if status, raw := do("POST", "", "mine", body); status != 400 || !strings.Contains(raw, want) {
			t.Errorf("%s: %d %s", body, status, raw)
		}
	}
}

// Whose a file is, and until when.
func TestFilesOfAccounts(t *testing.T) {
	now := noon
	s := New(Options{Now: func() time.Time { return now }})
	do := func(method, path, key, body string) (int, string) {
		t.Helper()
		req := httptest.NewRequest(method, "/v1/files"+path, strings.NewReader(body))
		req.Header.Set("X-Api-Key", key)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	form := func(name, more string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nabc\r\n" + more + "--b--\r\n"
	}
	expires := func(n string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"expires_in_seconds\"\r\n\r\n" + n + "\r\n"
	}
	status, raw := do("POST", "", "mine", form("a.txt", expires("60")))
	if status != 200 || !strings.Contains(raw, `"mime_type":"text/plain","size_bytes":3`) || !strings.Contains(raw, `"expires_at":"2026-11-28T12:01:00Z"`) {
		t.Fatalf("%d %s", status, raw)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(raw, `{"id":"`), `"`)
	for _, step := range []struct {
		method, path, key string
		status            int
	}{{"GET", "/" + id, "mine", 200}, {"GET", "/" + id, "theirs", 404}, {"DELETE", "/" + id, "theirs", 404}, {"GET", "/" + id + "/other", "mine", 404}, {"PUT", "/" + id, "mine", 404}, {"PUT", "", "mine", 404}} {
		if status, raw := do(step.method, step.path, step.key, ""); status != step.status {
			t.Errorf("%s %s by %s: %d %s", step.method, step.path, step.key, status, raw)
		}
	}
	if _, raw := do("GET", "", "theirs", ""); !strings.Contains(raw, `"data":[]`) || !strings.Contains(raw, `"next_page":null`) {
		t.Errorf("another lists %s", raw)
	}
	do("POST", "", "mine", form("b.txt", ""))
	if _, raw := do("GET", "?limit=1", "mine", ""); !strings.Contains(raw, `"has_more":true`) || !strings.Contains(raw, `"next_page":"file_`) {
		t.Errorf("%s", raw)
	}
	now = now.Add(time.Minute)
	if status, _ := do("GET", "/"+id, "mine", ""); status != 200 {
		t.Errorf("at its last moment: %d", status)
	}
	now = now.Add(1)
	if status, raw := do("GET", "/"+id, "mine", ""); status != 404 || !strings.Contains(raw, "file_expired") {
		t.Errorf("a moment later: %d %s", status, raw)
	}
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"the longest name": {form(strings.Repeat("x", 500), ""), 200}, "one too long": {form(strings.Repeat("x", 501), ""), 400}, "no file": {expires("60") + "--b--\r\n", 400},
		"no time": {form("a", expires("0")), 400}, "no number": {form("a", expires("x")), 400}, "the shortest time": {form("a", expires("1")), 200}, "cut": {form("a", "")[:60], 400},
	} {
		if status, raw := do("POST", "", "mine", tt.body); status != tt.status {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}
