package main

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{"visible": visible.Text, "json": toJSON, "raw": func(raw json.RawMessage) string { return string(raw) }, "text": text}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>What the agent asks</title>
<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}.error{color:#b00020}fieldset{margin:1em 0}.hint{color:#555}</style></head>
<body><h1>What the agent asks</h1>
{{with .Error}}<p class="error" role="alert">{{visible .}}</p>{{end}}
{{range .Items}}<form method="post"><fieldset><legend>{{visible .Item.Why}}</legend>
<input type="hidden" name="item" value="{{json .Item}}">
{{$several := .Form.Several}}
{{range .Form.Choices}}<p><label><input type="{{if $several}}checkbox{{else}}radio{{end}}" name="choice" value="{{raw .Value}}"> {{visible .Label}}</label></p>
{{end}}{{$beside := .Form.Choices}}
{{range .Form.Fields}}{{$name := printf "field.%s" .Name}}{{if eq .Kind "choice" "choices"}}<fieldset><legend>{{template "label" .}}</legend>
{{$type := "radio"}}{{if eq .Kind "choices"}}{{$type = "checkbox"}}{{end}}{{$default := raw .Default}}
{{range .Choices}}<label><input type="{{$type}}" name="{{$name}}" value="{{raw .Value}}"{{if eq (raw .Value) $default}} checked{{end}}> {{visible .Label}}</label><br>
{{end}}</fieldset>{{else}}<p><label>{{if .Name}}{{template "label" .}}{{else if $beside}}In your own words{{else}}{{with .Title}}{{visible .}}{{else}}Your answer{{end}}{{end}}:
{{if eq .Kind "boolean"}}<select name="{{$name}}"><option value=""></option>{{$default := raw .Default}}<option value="true"{{if eq $default "true"}} selected{{end}}>yes</option><option value="false"{{if eq $default "false"}} selected{{end}}>no</option></select>
{{else if eq .Kind "json"}}<textarea name="{{$name}}" rows="3" cols="40" spellcheck="false">{{raw .Default}}</textarea> (JSON)
{{else}}<input name="{{$name}}" size="40"{{if eq .Kind "number"}} inputmode="decimal"{{end}} value="{{text .Default}}">{{end}}</label></p>{{end}}
{{with .Description}}<p class="hint">{{visible .}}</p>{{end}}{{end}}
<p><button name="do" value="answer">Answer</button> <button name="do" value="cancel">I will not answer</button></p></fieldset></form>
{{else}}<p>Nothing waits.</p>{{with .Said}}<h2>The agent says</h2><p>{{visible .}}</p>{{end}}{{end}}</body></html>
{{define "label"}}{{visible .Title}}{{if not .Required}} (may be left out){{end}}{{end}}`))

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

func toJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

// handler serves the form. It keeps nothing: each request reads the session.
func handler(a *agent.Agent, store memory.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { show(w, r, store, http.StatusOK, "") })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		if err := answer(w, r, store); err != nil {
			show(w, r, store, http.StatusUnprocessableEntity, err.Error())
			return
		}
		_, err := a.Run(r.Context(), agent.Input{Store: store, Session: sessionID})
		if err != nil && !errors.Is(err, agent.ErrAwaitingApproval) {
			show(w, r, store, http.StatusInternalServerError, "The answer is taken, but the agent could not go on: "+err.Error())
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// answer takes what was sent. The item came from List and back through the browser: it
// is refused if it isn't what waits.
func answer(w http.ResponseWriter, r *http.Request, store memory.Store) error {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return err
	}
	var it waiting.Item
	if err := json.Unmarshal([]byte(r.PostForm.Get("item")), &it); err != nil || it.Question == nil || it.Root != sessionID {
		return errors.New("the form is not one of this page's; load it again")
	}
	if r.PostForm.Get("do") == "cancel" {
		return it.Cancel(r.Context(), store, "the user will not answer")
	}
	value, err := filledIn(waiting.FormOf(it.Question.Question), r.PostForm)
	if err != nil {
		return err
	}
	return it.Answer(r.Context(), store, value, "the form")
}

// filledIn is the answer that a form gives: a choice, or what is in the fields.
func filledIn(f waiting.Form, posted url.Values) (json.RawMessage, error) {
	given := make(map[string][]string)
	for key, values := range posted {
		if name, ok := strings.CutPrefix(key, "field."); ok && strings.Join(values, "") != "" {
			given[name] = values
		}
	}
	if len(f.Choices) == 0 {
		return f.Value(given)
	}
	var values []string
	for _, v := range posted["choice"] {
		if !json.Valid([]byte(v)) {
			return nil, errors.New("the form is not one of this page's; load it again")
		}
		values = append(values, v)
	}
	if len(given) > 0 {
		words, err := f.Value(given)
		if err != nil {
			return nil, err
		}
		values = append(values, string(words))
	}
	switch {
	case f.Several:
		return json.RawMessage("[" + strings.Join(values, ",") + "]"), nil
	case len(values) != 1:
		return nil, errors.New("give one answer, you gave " + strconv.Itoa(len(values)))
	}
	return json.RawMessage(values[0]), nil
}

// shown is a question, and the form for its answer.
type shown struct {
	Item waiting.Item
	Form waiting.Form
}

func show(w http.ResponseWriter, r *http.Request, store memory.Store, status int, failure string) {
	data := struct {
		Error, Said string
		Items       []shown
	}{Error: failure}
	items, err := waiting.List(r.Context(), store, sessionID)
	switch {
	case errors.Is(err, memory.ErrNoSession):
		data.Error = "Nobody has begun; run the program with -ask."
	case err != nil:
		data.Error = err.Error()
	default:
		for _, it := range items {
			if it.Question != nil {
				data.Items = append(data.Items, shown{it, waiting.FormOf(it.Question.Question)})
			}
		}
		if log, err := memory.Open(r.Context(), store, sessionID); err == nil && log.State().Response != nil {
			data.Said = log.State().Response.Text()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	w.WriteHeader(status)
	_ = page.Execute(w, data) // the browser has gone if it fails
}
