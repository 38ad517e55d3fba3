package main

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{"visible": visible.Text, "text": text, "json": toJSON}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>What the agent asks</title>
<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}.error{color:#b00020}fieldset{margin:1em 0}</style></head>
<body><h1>What the agent asks</h1>
{{with .Error}}<p class="error" role="alert">{{visible .}}</p>{{end}}
{{range .Items}}{{if .Question}}<form method="post"><fieldset><legend>{{visible .Why}}</legend>
<input type="hidden" name="item" value="{{json .}}">
{{$several := .Question.Question.Several}}
{{range .Question.Question.Choices}}<p><label><input type="{{if $several}}checkbox{{else}}radio{{end}}" name="choice" value="{{text .Value}}"> {{visible (text .Value)}}</label></p>
{{end}}<p><label>In your own words: <input name="words" size="40"></label></p>
<p><button name="do" value="answer">Answer</button> <button name="do" value="cancel">I will not answer</button></p></fieldset></form>
{{end}}{{else}}<p>Nothing waits.</p>{{with .Said}}<h2>The agent says</h2><p>{{visible .}}</p>{{end}}{{end}}</body></html>
`))

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
	values := r.PostForm["choice"]
	if words := r.PostForm.Get("words"); words != "" {
		values = append(values, words)
	}
	var value any = values
	if !it.Question.Question.Several {
		if len(values) != 1 {
			return errors.New("give one answer, you gave " + strconv.Itoa(len(values)))
		}
		value = values[0]
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return it.Answer(r.Context(), store, raw, "the form")
}

func show(w http.ResponseWriter, r *http.Request, store memory.Store, status int, failure string) {
	data := struct {
		Error, Said string
		Items       []waiting.Item
	}{Error: failure}
	items, err := waiting.List(r.Context(), store, sessionID)
	switch {
	case errors.Is(err, memory.ErrNoSession):
		data.Error = "Nobody has begun; run the program with -ask."
	case err != nil:
		data.Error = err.Error()
	default:
		data.Items = items
		if log, err := memory.Open(r.Context(), store, sessionID); err == nil && log.State().Response != nil {
			data.Said = log.State().Response.Text()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	w.WriteHeader(status)
	_ = page.Execute(w, data) // the browser has gone if it fails
}
