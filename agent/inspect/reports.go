package inspect

import (
	"cmp"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
)

// reportsLink is the line of the page that leads to the reports.
const reportsLink = "  <a id=\"reports\" href=\"reports/\">Evals</a>\n"

// A report is a page of its own, with its own styles. It holds what models said, so
// that nothing in it runs, loads or leads anywhere.
const reportPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

type reportView struct {
	Name string
	When time.Time
}

// reports lists the reports, the newest first.
func (p *Page) reports(w http.ResponseWriter, r *http.Request) {
	if p.opts.Reports == nil {
		http.Error(w, "There are no reports: set Options.Reports to the folder that evals.Suite.HTML writes to.", http.StatusNotFound)
		return
	}
	entries, err := fs.ReadDir(p.opts.Reports, ".")
	if err != nil {
		p.opts.Logger.Warn("inspect: the folder of reports can't be read", "error", err)
		http.Error(w, "The folder of reports can't be read.", http.StatusInternalServerError)
		return
	}
	var list []reportView
	for _, e := range entries {
		if info, err := e.Info(); err == nil && isReport(e.Name()) && info.Mode().IsRegular() {
			list = append(list, reportView{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b reportView) int {
		return cmp.Or(b.When.Compare(a.When), strings.Compare(a.Name, b.Name))
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := reportsTemplate.Execute(w, list); err != nil {
		p.opts.Logger.Warn("inspect: the list of reports was not delivered", "error", err)
	}
}

// report serves one report.
func (p *Page) report(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if p.opts.Reports == nil || !isReport(name) || !fs.ValidPath(name) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", reportPolicy)
	http.ServeFileFS(w, r, p.opts.Reports, name)
}

func isReport(name string) bool {
	return strings.HasSuffix(name, ".html") && name != "index.html" && !strings.Contains(name, "/")
}

var reportsTemplate = template.Must(template.New("reports").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Evals</title>
<link rel="stylesheet" href="../assets/style.css">
</head>
<body>
<header class="top"><a href="..">All sessions</a> <h1>Evals</h1></header>
<main class="reports">
{{range .}}<p><a href="{{.Name}}">{{.Name}}</a> <span class="quiet">{{.When.Format "2006-01-02 15:04"}}</span></p>
{{else}}<p>There is no report in the folder yet.</p>
{{end}}</main>
</body>
</html>
`))
