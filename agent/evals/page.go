package evals

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/internal/runes"
)

// HTML returns the report as a self-contained page: the cases side by side, what
// changed in their tool calls, and what they cost. What cases, models and tools say is
// shown as text, with the characters in it that can't be seen. A long conversation is
// cut in its middle; of a page that would be too big for a browser the conversations of
// attempts that passed are left out, and then those of others.
func (r *Report) HTML() ([]byte, error) { return r.page(nil) }

// Bounds of the conversations on a page, in bytes.
const (
	maxTranscript  = 100 << 10
	maxTranscripts = 16 << 20 // of all of them
)

type pageCase struct {
	*CaseReport
	ID       string // of the case's place on the page
	Attempts []pageAttempt
	Now, Was *pageNumbers
	Low      float64
	High     float64
	Changed  string
}

type pageAttempt struct {
	Attempt
	Conversation string
}

type pageNumbers struct {
	Passed, Attempts int
	Steps, Tokens    string
	Cache            string
	Cost             agent.Cost
	Trajectories     [][]string
}

func numbersOnPage(n *baselineCase) *pageNumbers {
	return &pageNumbers{n.Passed, n.Attempts, n.steps(), n.tokens(), fmt.Sprintf("%.0f%%", 100*n.CacheRead), n.cost(), n.Trajectories}
}

func (r *Report) page(b *baseline) ([]byte, error) {
	var list []pageCase
	for i, c := range r.Cases {
		now := c.numbers()
		p := pageCase{CaseReport: c, ID: fmt.Sprint("case-", i+1), Now: numbersOnPage(now)}
		p.Low, p.High = Wilson(now.Passed, now.Attempts)
		for _, a := range c.Attempts {
			p.Attempts = append(p.Attempts, pageAttempt{Attempt: a})
		}
		if b != nil && b.Cases[c.Name] != nil {
			was := b.Cases[c.Name]
			p.Was = numbersOnPage(was)
			p.Changed = was.unseen(now)
		}
		list = append(list, p)
	}
	setConversations(list, maxTranscripts)
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, struct {
		Report *Report
		Cases  []pageCase
	}{r, list})
	return out.Bytes(), err
}

// setConversations sets what the page shows of each attempt, at most bytes together.
func setConversations(list []pageCase, most int) {
	for _, passed := range []bool{false, true} {
		for i := range list {
			for k := range list[i].Attempts {
				if a := &list[i].Attempts[k]; a.Passed() == passed {
					a.Conversation, most = conversation(a.Transcript(), most)
				}
			}
		}
	}
}

// shown is a text with the characters in it that can't be seen.
func shown(text string) string { return visible.Text(strings.ReplaceAll(text, "\r\n", "\n")) }

// conversation is what a page shows of one, and how many bytes are left for others.
func conversation(text string, left int) (string, int) {
	text = strings.TrimSpace(text)
	if size := len(text); size > maxTranscript {
		head, tail := runes.Start(text, maxTranscript/2), runes.Start(text, size-maxTranscript/2)
		text = fmt.Sprintf("%s\n\n[%d bytes are left out here]\n\n%s", text[:head], tail-head, text[tail:])
	}
	text = shown(text)
	size := len(template.HTMLEscapeString(text))
	if size > left {
		return fmt.Sprintf("[%d bytes are left out, as the page would be too big]", len(text)), left
	}
	return text, left - size
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"join": func(list []string) string { return shown(orNone(list)) },
	"show": shown,
}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{show .Report.Name}}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: #c22; --good: #283; --dim: #666 }
@media (prefers-color-scheme: dark) { :root { --bad: #f77; --good: #7d8; --dim: #aaa } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
.wide { overflow-x: auto; overflow-wrap: normal }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
td.calls { max-width: 40rem; overflow-wrap: anywhere }
.bad { color: var(--bad) } .good { color: var(--good) } .dim { color: var(--dim) }
p, li { white-space: pre-wrap }
pre { white-space: pre-wrap; background: #8881; padding: .5rem .7rem; border-radius: 4px }
details { margin: .5rem 0 } summary { cursor: pointer }
</style>
<h1>{{show .Report.Name}}</h1>
<p>{{.Report.Summary}}</p>
<div class="wide" role="region" aria-label="Cases" tabindex="0"><table>
<thead><tr><th scope="col">Case<th scope="col" class="n">Passed<th scope="col" class="n">95%<th scope="col" class="n">Steps<th scope="col" class="n">Tokens<th scope="col" class="n">From the cache<th scope="col" class="n">Cost<th scope="col">Tool calls</thead>
{{range .Cases}}<tr>
<td><a href="#{{.ID}}">{{show .Name}}</a> {{if .Problems}}<span class="bad">fails</span>{{else}}<span class="good">passes</span>{{end}}{{range .Tags}} <span class="dim">{{show .}}</span>{{end}}
<td class="n">{{.Now.Passed}}/{{.Now.Attempts}}{{with .Was}}<br><span class="dim">{{.Passed}}/{{.Attempts}}</span>{{end}}
<td class="n">{{printf "%.2f–%.2f" .Low .High}}
<td class="n">{{.Now.Steps}}{{with .Was}}<br><span class="dim">{{.Steps}}</span>{{end}}
<td class="n">{{.Now.Tokens}}{{with .Was}}<br><span class="dim">{{.Tokens}}</span>{{end}}
<td class="n">{{.Now.Cache}}{{with .Was}}<br><span class="dim">{{.Cache}}</span>{{end}}
<td class="n">{{.Now.Cost}}{{with .Was}}<br><span class="dim">{{.Cost}}</span>{{end}}
<td class="calls">{{range .Now.Trajectories}}{{join .}}<br>{{end}}{{with .Changed}}<span class="bad">{{show .}}</span>{{end}}
</tr>{{end}}
</table></div>
<p class="dim">Steps, tokens, cache reads and cost are means of a case's attempts. The second line of a cell is the baseline's.</p>
{{range .Cases}}<h2 id="{{.ID}}">{{show .Name}}</h2>
{{range .Problems}}<p class="bad">{{show .}}</p>
{{end}}{{range .Attempts}}<details><summary>Attempt {{.Attempt.Attempt}}: {{if .Passed}}<span class="good">passes</span>{{else}}<span class="bad">fails</span>{{end}}, {{.Steps}} {{if eq .Steps 1}}step{{else}}steps{{end}}, {{.Bill.Cost}}</summary>
<ul>{{with .Err}}<li><span class="bad">ended with</span> {{show .Error}}</li>{{end}}{{range .Checks}}<li>{{if .Pass}}<span class="good">pass</span>{{else}}<span class="bad">fail</span>{{end}} {{show .Name}}{{with .Reason}}: {{show .}}{{end}}</li>{{end}}</ul>
<pre>{{.Conversation}}</pre>
</details>
{{end}}{{end}}
</html>
`))
