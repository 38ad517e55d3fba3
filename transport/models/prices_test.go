package models

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A sourced price is what the sources say of a model at a time, in USD for a million
// tokens: input, writes for 5m and for 1h, reads, output.
type sourced struct {
	model, speed string
	tokens       int64 // of the prompt
	from, until  string
	usd          [5]float64
}

// sources are the tables of the service's documentation and program, with the
// days from which they hold (wire §13.2, wire §13.3).
var sources = []sourced{
	{"claude-fable-5-2", "", 1, "2026-11-09", "", [5]float64{8, 10, 16, 0.20, 40}},
	{"claude-fable-5-2", "fast", 1, "2026-11-09", "", [5]float64{16, 20, 32, 0.40, 80}},
	{"claude-mythos-5-2", "", 1, "2026-11-09", "", [5]float64{8, 10, 16, 0.20, 40}},
	{"claude-mythos-5-2", "fast", 1, "2026-11-09", "", [5]float64{16, 20, 32, 0.40, 80}},
	{"claude-fable-5-1", "", 1, "", "", [5]float64{10, 12.5, 20, 0.25, 50}},
	{"claude-mythos-5-1", "", 1, "", "", [5]float64{10, 12.5, 20, 0.25, 50}},
	{"claude-fable-5", "", 1, "", "", [5]float64{10, 12.5, 20, 1, 50}},
	{"claude-mythos-5", "", 1, "", "", [5]float64{10, 12.5, 20, 1, 50}},
	{"claude-opus-5-5", "", 1, "", "", [5]float64{4, 5, 8, 0.20, 20}},
	{"claude-opus-5-5", "fast", 1, "", "", [5]float64{8, 10, 16, 0.40, 40}},
	{"claude-opus-5", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-opus-5", "fast", 1, "", "", [5]float64{10, 12.5, 20, 1, 50}},
	{"claude-opus-4-8", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-opus-4-8", "fast", 1, "", "2026-12-01", [5]float64{10, 12.5, 20, 1, 50}},
	{"claude-opus-4-7", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-opus-4-6", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-opus-4-5", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-opus-4-5-20251101", "", 1, "", "", [5]float64{5, 6.25, 10, 0.50, 25}},
	{"claude-sonnet-5-5", "", 1, "", "2026-10-07", [5]float64{2, 2.5, 4, 0.20, 10}},
	{"claude-sonnet-5-5", "", 1, "2026-10-07", "", [5]float64{2, 2.5, 4, 0.10, 10}},
	{"claude-sonnet-5", "", 1, "", "", [5]float64{2, 2.5, 4, 0.20, 10}},
	{"claude-sonnet-4-6", "", 1, "", "", [5]float64{3, 3.75, 6, 0.30, 15}},
	{"claude-sonnet-4-5", "", 1, "", "", [5]float64{3, 3.75, 6, 0.30, 15}},
	{"claude-sonnet-4-5-20250929", "", 1, "", "", [5]float64{3, 3.75, 6, 0.30, 15}},
	{"claude-haiku-5-5", "", 100_000, "2026-10-07", "", [5]float64{0.10, 0.125, 0.20, 0.01, 0.50}},
	{"claude-haiku-5-5", "", 100_001, "2026-10-07", "", [5]float64{0.50, 0.625, 1, 0.05, 2.50}},
	{"claude-haiku-4-5", "", 1, "", "", [5]float64{1, 1.25, 2, 0.10, 5}},
	{"claude-haiku-4-5-20251001", "", 1, "", "", [5]float64{1, 1.25, 2, 0.10, 5}},
}

func date(t *testing.T, s string, otherwise time.Time) time.Time {
	t.Helper()
	if s == "" {
		return otherwise
	}
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Every price of the table is that of the sources on the first and on the last
// moment of the time that it holds, and so is what a usage of each kind costs.
func TestPricesAgainstTheSources(t *testing.T) {
	priced := map[string]bool{}
	for _, s := range sources {
		m, ok := Lookup(s.model)
		if !ok {
			t.Errorf("%s is not in the table", s.model)
			continue
		}
		priced[m.ID] = true
		first := date(t, s.from, day(2026, time.August, 1))
		last := date(t, s.until, AsOf().AddDate(1, 0, 0)).Add(-1)
		for _, at := range []time.Time{first, last} {
			p, ok := m.PriceAt(at, s.speed, s.tokens)
			if got := [5]float64{p.Input, p.CacheWrite5m, p.CacheWrite1h, p.CacheRead, p.Output}; !ok || got != s.usd {
				t.Errorf("%s %s, %d tokens, on %v: %v %v, want %v", s.model, s.speed, s.tokens, at, got, ok, s.usd)
			}
			n := s.tokens
			for i, u := range []transport.Usage{
				{InputTokens: n},
				{CacheCreationInputTokens: n},
				{CacheCreationInputTokens: n, CacheCreation: transport.CacheCreation{Ephemeral1hInputTokens: n}},
				{CacheReadInputTokens: n},
				{InputTokens: n, OutputTokens: 1e6},
			} {
				u.Speed = s.speed
				want := s.usd[i] * float64(n) / 1e6
				if i == 4 {
					want = s.usd[4] + s.usd[0]*float64(n)/1e6
				}
				if usd, known := m.Cost(u, at); !known || math.Abs(usd-want) > 1e-12 {
					t.Errorf("%s %s, price %d on %v: %v %v, want %v", s.model, s.speed, i, at, usd, known, want)
				}
			}
		}
	}
	if p, ok := mustLookup(t, "claude-opus-4-8").PriceAt(day(2026, time.December, 1), "fast", 1); ok {
		t.Errorf("fast mode of Opus 4.8 has a price after its end: %+v", p)
	}
	for _, m := range Known() {
		if priced[m.ID] != (len(m.Prices) > 0) {
			t.Errorf("%s: priced by the sources %v, by the table %v", m.ID, priced[m.ID], len(m.Prices) > 0)
		}
		if m.ID != "claude-mythos-preview" && len(m.Prices) == 0 {
			t.Errorf("%s has no price", m.ID)
		}
	}
	if len(priced) < 18 {
		t.Errorf("only %d models", len(priced))
	}
}

func mustLookup(t *testing.T, id string) Model {
	t.Helper()
	m, ok := Lookup(id)
	if !ok {
		t.Fatalf("%s is not in the table", id)
	}
	return m
}

// At every moment at most one price holds for a prompt of a size and a speed.
func TestPricesDontOverlap(t *testing.T) {
	for _, m := range Known() {
		for _, at := range []time.Time{day(2026, time.August, 1), sonnetReads.Add(-1), sonnetReads, AsOf(), day(2026, time.November, 30), day(2026, time.December, 1)} {
			last := map[string]int64{}
			for _, p := range m.Prices {
				if at.Before(p.From) || !p.Until.IsZero() && !at.Before(p.Until) {
					continue
				}
				before, seen := last[p.Speed]
				if seen && (before == 0 || p.UpToTokens != 0 && p.UpToTokens <= before) {
					t.Errorf("%s on %v: the price up to %d tokens stands behind that up to %d", m.ID, at, p.UpToTokens, before)
				}
				last[p.Speed] = p.UpToTokens
			}
			for speed, to := range last {
				if to != 0 {
					t.Errorf("%s %q on %v: no price for prompts over %d tokens", m.ID, speed, at, to)
				}
			}
		}
	}
}

var ends = regexp.MustCompile(`"const":\s*"(claude-[a-z0-9-]+)"[^}]*"x-stainless-deprecation-message":\s*"Will reach end-of-life on ([A-Z][a-z]+ \d+, \d{4})\. Please migrate to (claude-[a-z0-9-]+)\.`)

// The ends are those of the service's own descriptions, but for Mythos Preview,
// whose end its documentation leaves open.
func TestEndsAgainstTheDescription(t *testing.T) {
	dir := os.Getenv("WHORL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "reference")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "messages-openapi-2026-10-21.json"))
	if err != nil {
		t.Skipf("no description of the API: %v; set WHORL_REFERENCE", err)
	}
	found := map[string]bool{}
	for _, match := range ends.FindAllStringSubmatch(string(raw), -1) {
		m := mustLookup(t, match[1])
		found[m.ID] = true
		want, err := time.Parse("January 2, 2006", match[2])
		if err != nil {
			t.Fatal(err)
		}
		if m.ID == "claude-mythos-preview" {
			want = time.Time{}
		}
		if !m.Ends.Equal(want) || m.Successor != match[3] {
			t.Errorf("%s ends on %v for %q, want %v for %q", m.ID, m.Ends, m.Successor, want, match[3])
		}
	}
	for _, m := range Known() {
		if !m.Ends.IsZero() && !found[m.ID] {
			t.Errorf("%s ends on %v by the table alone", m.ID, m.Ends)
		}
		if !m.Ends.IsZero() && !m.Deprecated.Before(m.Ends) {
			t.Errorf("%s is deprecated on %v and ends on %v", m.ID, m.Deprecated, m.Ends)
		}
		if _, ok := Lookup(m.Successor); m.Successor != "" && !ok {
			t.Errorf("%s: its successor %s is not in the table", m.ID, m.Successor)
		}
	}
	if len(found) < 3 {
		t.Errorf("the description tells of %d ends", len(found))
	}
}

func TestEndsSoon(t *testing.T) {
	opus, fable := mustLookup(t, "claude-opus-4-5"), mustLookup(t, "claude-fable-5-2")
	for _, tt := range []struct {
		m    Model
		at   time.Time
		want bool
	}{
		{opus, day(2026, time.November, 22), false},
		{opus, day(2026, time.November, 23), false},
		{opus, day(2026, time.November, 23).Add(1), true},
		{opus, day(2027, time.January, 22), true},
		{opus, day(2030, time.January, 1), true},
		{fable, day(2030, time.January, 1), false},
		{Model{ID: "mine", Ends: time.Now().Add(EndNotice - time.Hour)}, time.Time{}, true},
		{Model{ID: "mine", Ends: time.Now().Add(EndNotice + time.Hour)}, time.Time{}, false},
	} {
		if got := tt.m.EndsSoon(tt.at); got != tt.want {
			t.Errorf("%s on %v: %v", tt.m.ID, tt.at, got)
		}
	}
}

// Once a week continuous integration holds the table against its date: after 90
// days somebody has to look at the sources again.
func TestTableIsOfLate(t *testing.T) {
	if os.Getenv("WHORL_WEEKLY") == "" {
		t.Skip("WHORL_WEEKLY is not set")
	}
	if age := time.Since(AsOf()); age > 90*24*time.Hour {
		t.Errorf("the table of models is of %s, %d days ago: compare it with the service's pages of models, prices and deprecations, and set asOf", AsOf().Format(time.DateOnly), int(age.Hours()/24))
	}
}

var (
	backticked = regexp.MustCompile("`(claude-[a-z0-9-]+)`")
	docRow     = regexp.MustCompile(`^\| (.+?) \| *(.*?) *\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|`)
)

// The table of wire §13.2 has the prices of this one.
func TestPricesAsDocumented(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "wire.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(raw), "### \u00a713.2 ")
	section, _, end := strings.Cut(section, "\n### ")
	if !found || !end {
		t.Fatal("docs/wire.md has no prices")
	}
	type row struct {
		ids    []string
		speed  string
		tokens int64
		from   time.Time
		usd    [5]float64
	}
	var rows []row
	for line := range strings.Lines(section) {
		cells := docRow.FindStringSubmatch(line)
		if cells == nil {
			continue
		}
		r := row{tokens: 1}
		for _, id := range backticked.FindAllStringSubmatch(cells[1], -1) {
			r.ids = append(r.ids, id[1])
		}
		if strings.HasPrefix(cells[1], "the same") {
			r.ids = rows[len(rows)-1].ids
		}
		if strings.HasSuffix(cells[1], "fast") {
			r.speed = "fast"
		}
		if strings.Contains(cells[1], "larger prompts") {
			r.tokens = 100_001
		}
		if cells[2] != "" {
			if r.from, err = time.Parse("2 Jan 2006", cells[2]); err != nil {
				t.Error(err)
			}
		}
		for i := range r.usd {
			if r.usd[i], err = strconv.ParseFloat(cells[3+i], 64); err != nil {
				t.Error(err)
			}
		}
		rows = append(rows, r)
	}
	documented := map[string]bool{}
	for i, r := range rows {
		for _, id := range r.ids {
			at := r.from
			if at.IsZero() {
				at = day(2026, time.August, 1)
			}
			p, ok := mustLookup(t, id).PriceAt(at, r.speed, r.tokens)
			if got := [5]float64{p.Input, p.CacheWrite5m, p.CacheWrite1h, p.CacheRead, p.Output}; !ok || got != r.usd {
				t.Errorf("row %d, %s %s: the table has %v %v, the documentation %v", i, id, r.speed, got, ok, r.usd)
			}
			documented[fmt.Sprint(id, r.speed, p.UpToTokens, p.From)] = true
		}
	}
	for _, m := range Known() {
		for _, p := range m.Prices {
			if !documented[fmt.Sprint(m.ID, p.Speed, p.UpToTokens, p.From)] {
				t.Errorf("docs/wire.md doesn't have %s %+v", m.ID, p)
			}
		}
	}
}
