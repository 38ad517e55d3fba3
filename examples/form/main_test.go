package main

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
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
	if status != 200 || found == nil || !strings.Contains(body, "Window or aisle?") || !strings.Contains(body, `value="&#34;aisle&#34;"`) {
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
		{url.Values{"item": {strings.ReplaceAll(item, "aisle?", "attic?")}, "choice": {`"aisle"`}, "do": {"answer"}}, 422, "changed"},
		{url.Values{"item": {item}, "choice": {`"aisle"`}, "field.": {"by the door"}, "do": {"answer"}}, 422, "you gave 2"},
		{url.Values{"item": {item}, "choice": {`aisle`}, "do": {"answer"}}, 422, "load it again"},
		{url.Values{"item": {item}, "choice": {`"aisle"`}, "field.": {""}, "do": {"answer"}}, 200, "I have booked what you wished: aisle."},
		{url.Values{"item": {item}, "choice": {`"window"`}, "do": {"answer"}}, 422, "decided"},
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

// A form is made from the schema that an answer has to fit, whichever process asked.
func TestAFormFromASchema(t *testing.T) {
	store := new(memory.RAM)
	trip := tools.External("trip", "Asks for a trip.", nil, tools.ExternalOptions{Output: json.RawMessage(`{"type":"object","properties":{
		"to":{"type":"string","title":"Where to?"},"seats":{"type":"integer","minimum":1},"class":{"enum":["first","second"],"default":"second"},
		"extras":{"type":"array","items":{"enum":["bike","dog"]}},"back":{"type":"boolean"},"note":{"type":"object"}},"required":["to","seats","class","back"]}`)})
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("trip", map[string]any{})), simulator.Say("Have a good trip."))})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{trip}})
	if err != nil {
		t.Fatal(err)
	}
	if err := begin(t.Context(), a, store, "go"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler(a, store))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`Where to?:`, `<input name="field.to" size="40" value="">`, `<input name="field.seats" size="40" inputmode="decimal"`,
		`<input type="radio" name="field.class" value="&#34;second&#34;" checked> second`, `<input type="checkbox" name="field.extras" value="&#34;dog&#34;"> dog`,
		`<select name="field.back">`, `<textarea name="field.note"`, `note (may be left out)`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("there is no %s in %s", want, body)
		}
	}
	found := regexp.MustCompile(`name="item" value="([^"]*)"`).FindStringSubmatch(string(body))
	if found == nil {
		t.Fatal(string(body))
	}
	given := url.Values{"item": {html.UnescapeString(found[1])}, "do": {"answer"}, "field.to": {`the "sea"`}, "field.seats": {"none"}, "field.class": {`"first"`},
		"field.extras": {`"bike"`, `"dog"`}, "field.back": {"true"}, "field.note": {""}}
	for _, c := range []struct {
		seats  string
		status int
		says   string
	}{{"none", 422, "seats: it is not a number"}, {"0", 422, "seats"}, {"2", 200, "Have a good trip."}} {
		given["field.seats"] = []string{c.seats}
		resp, err := http.PostForm(server.URL, given)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s seats: %d, %v: %s", c.seats, resp.StatusCode, err, body)
		}
	}
	log, err := memory.Open(t.Context(), store, sessionID)
	if err != nil {
		t.Fatal(err)
	}
	if m := string(log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, `{\"to\":\"the \\\"sea\\\"\",\"seats\":2,\"class\":\"first\",\"extras\":[\"bike\",\"dog\"],\"back\":true}`) {
		t.Errorf("the model is told %s", m)
	}
}
