package evals

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/whorl-go/whorl/internal/money"
)

// HTML returns the report as a self-contained page: the cases side by side, what
// changed in their tool calls, and what they cost.
func (r *Report) HTML() ([]byte, error) { return r.page(nil) }

type pageCase struct {
	*CaseReport
	Now, Was *baselineCase
	Low      float64
	High     float64
	Changed  string
}

func (r *Report) page(b *baseline) ([]byte, error) {
	var list []pageCase
	for _, c := range r.Cases {
		p := pageCase{CaseReport: c, Now: c.numbers()}
		p.Low, p.High = Wilson(p.Now.Passed, p.Now.Attempts)
		if b != nil {
			p.Was = b.Cases[c.Name]
		}
		if p.Was != nil && len(p.Was.Trajectories) > 0 && len(p.Now.Trajectories) > 0 {
			p.Changed = changed(p.Was.Trajectories[0], p.Now.Trajectories[0])
		}
		list = append(list, p)
	}
	var out bytes.Buffer
	err := pageTemplate.Execute(&out, struct {
		Report *Report
		Cases  []pageCase
	}{r, list})
	return out.Bytes(), err
}

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"join":    func(list []string) string { return orNone(list) },
	"usd":     func(v float64) string { return money.USD(v, 4) },
	"percent": func(f float64) float64 { return 100 * f },
	"trim":    strings.TrimSpace,
}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Report.Name}}</title>
<style>
:root { color-scheme: light dark; --line: #8884; --bad: #c22; --good: #283; --dim: #777 }
@media (prefers-color-scheme: dark) { :root { --bad: #f77; --good: #7d8; --dim: #aaa } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.bad { color: var(--bad) } .good { color: var(--good) } .dim { color: var(--dim) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #8881; padding: .5rem .7rem; border-radius: 4px }
details { margin: .5rem 0 } summary { cursor: pointer }
</style>
<h1>{{.Report.Name}}</h1>
<p>{{.Report.Summary}}</p>
<div class="wide"><table>
<tr><th>Case<th class="n">Passed<th class="n">95%<th class="n">Steps<th class="n">Tokens<th class="n">From the cache<th class="n">Cost<th>Tool calls</tr>
{{range .Cases}}<tr>
<td><a href="#{{.Name}}">{{.Name}}</a> {{if .Problems}}<span class="bad">fails</span>{{else}}<span class="good">passes</span>{{end}}{{range .Tags}} <span class="dim">{{.}}</span>{{end}}
<td class="n">{{.Now.Passed}}/{{.Now.Attempts}}{{with .Was}}<br><span class="dim">{{.Passed}}/{{.Attempts}}</span>{{end}}
<td class="n">{{printf "%.2f–%.2f" .Low .High}}
<td class="n">{{.Now.Steps}}{{with .Was}}<br><span class="dim">{{.Steps}}</span>{{end}}
<td class="n">{{.Now.Tokens}}{{with .Was}}<br><span class="dim">{{.Tokens}}</span>{{end}}
<td class="n">{{printf "%.0f%%" (percent .Now.CacheRead)}}{{with .Was}}<br><span class="dim">{{printf "%.0f%%" (percent .CacheRead)}}</span>{{end}}
<td class="n">{{usd .Now.CostUSD}}{{with .Was}}<br><span class="dim">{{usd .CostUSD}}</span>{{end}}
<td>{{range .Now.Trajectories}}{{join .}}<br>{{end}}{{with .Changed}}<span class="bad">{{.}}</span>{{end}}
</tr>{{end}}
</table></div>
<p class="dim">The second line of a cell is the baseline's.</p>
{{range .Cases}}<h2 id="{{.Name}}">{{.Name}}</h2>
{{range .Problems}}<p class="bad">{{.}}</p>{{end}}
{{range .Attempts}}<details><summary>Attempt {{.Attempt}}: {{if .Passed}}<span class="good">passes</span>{{else}}<span class="bad">fails</span>{{end}}, {{.Steps}} steps, {{.Bill.Cost}}</summary>
<ul>{{range .Checks}}<li>{{if .Pass}}<span class="good">pass</span>{{else}}<span class="bad">fail</span>{{end}} {{.Name}}{{with .Reason}}: {{.}}{{end}}</li>{{end}}</ul>
<pre>{{trim .Transcript}}</pre>
</details>{{end}}{{end}}
</html>
`))
