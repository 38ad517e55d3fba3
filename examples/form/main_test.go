package main

import (
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory/sqlite"
)

// The agent asks and its process ends; the form answers in another one, once.
func TestTheFormAnswersAnAgentThatIsGone(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "")
	t.Setenv("COMETAPI_KEY", "")
	db := filepath.Join(t.TempDir(), "form.db")
	if err := form(t.Context(), db, "Book me a seat.", ""); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, closeClient, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	defer closeClient()
	a, err := newAgent(client)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler(a, store))
	defer server.Close()
	read := func(resp *http.Response, err error) (int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	status, body := read(http.Get(server.URL))
	found := regexp.MustCompile(`name="item" value="([^"]*)"`).FindStringSubmatch(body)
	if status != 200 || found == nil || !strings.Contains(body, "Window or aisle?") || !strings.Contains(body, `value="aisle"`) {
		t.Fatalf("%d: %s", status, body)
	}
	item := html.UnescapeString(found[1])
	for _, c := range []struct {
		form   url.Values
		status int
		says   string
	}{
		{url.Values{"item": {"nonsense"}, "do": {"answer"}}, 422, "load it again"},
		{url.Values{"item": {item}, "do": {"answer"}}, 422, "give one answer"},
		{url.Values{"item": {strings.ReplaceAll(item, "aisle?", "attic?")}, "choice": {"aisle"}, "do": {"answer"}}, 422, "changed"},
		{url.Values{"item": {item}, "choice": {"aisle"}, "do": {"answer"}}, 200, "I have booked what you wished: aisle."},
		{url.Values{"item": {item}, "choice": {"window"}, "do": {"answer"}}, 422, "decided"},
	} {
		status, body := read(http.PostForm(server.URL, c.form))
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%v: %d: %s", c.form["choice"], status, body)
		}
	}
	req, err := http.NewRequest("POST", server.URL, strings.NewReader("do=cancel"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _ := read(http.DefaultClient.Do(req)); status != 403 {
		t.Errorf("another site's form: %d", status)
	}
}
