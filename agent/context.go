package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent/internal/shown"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Spill keeps big tool results out of the conversation, where each later step
// would pay for reading them. The model gets the beginning and the end of such a
// result, and a tool "read_result" to read on in it or to search it. The whole
// text is kept in the log, so it is there after a restart, and in forks.
type Spill struct {
	// Over is the size of a result's text, in bytes, from which on it is spilled; 0
	// means 16,384.
	Over int
	// Preview is how many bytes of it the model is shown; 0 means 2,048.
	Preview int
}

const (
	defaultSpillOver    = 16 << 10
	defaultSpillPreview = 2 << 10
	// maxSpill is the most that is kept of one result.
	maxSpill = 16 << 20

	readResultName = "read_result"
)

// spilled is the data of a note that keeps a result.
type spilled struct {
	CallID string `json:"call_id"`
	Text   string `json:"text"`
}

// spill shortens a big result, and returns what the log is to keep of it.
func (a *Agent) spill(j *job, o outcome) (outcome, []byte) {
	s := a.opts.Context.Spill
	if s == nil || o.err != nil || o.result.IsError || j.call.Name == readResultName {
		return o, nil
	}
	size := 0
	for _, b := range o.result.Content {
		if b.Type() == transport.TypeText {
			size += len(b.Raw())
		}
	}
	if size <= cmp.Or(s.Over, defaultSpillOver) {
		return o, nil
	}
	var err error
	if o.result, err = j.redacted(o.result); err != nil {
		return o, nil // the record of the result will fail for the same reason
	}
	text := transport.Message{Content: o.result.Content}.Text()
	kept := text[:runes.Start(text, min(len(text), maxSpill))]
	raw, err := json.Marshal(spilled{CallID: j.key(), Text: kept})
	if err != nil {
		return o, nil
	}
	res := tools.Text(preview(j.key(), text, len(kept), cmp.Or(s.Preview, defaultSpillPreview)))
	for _, b := range o.result.Content {
		if b.Type() != transport.TypeText {
			res.Content = append(res.Content, b)
		}
	}
	o.result = res
	return o, raw
}

// redacted is a result as the store's redaction leaves it: what keeps it in another
// form than a record of a result, as a note does, is made of that, so that one rule for
// results holds for all of them.
func (j *job) redacted(res tools.Result) (tools.Result, error) {
	redactor, ok := memory.As[memory.Redactor](j.owner.log.Store())
	if !ok {
		return res, nil
	}
	rec := memory.Record{Kind: memory.KindResult, Block: j.call.Answer(res.Content...), Time: time.Now()}
	if res.IsError {
		rec.Block = j.call.AnswerError(res.Content...)
	}
	before := rec.Block.Raw()
	if err := guard("Store", func() error { return safeError("Store", redactor.Redact(&rec)) }); err != nil {
		return res, err
	}
	if bytes.Equal(before, rec.Block.Raw()) {
		return res, nil
	}
	changed := tools.Result{IsError: string(rawjson.Get(rec.Block.Raw(), "is_error")) == "true"}
	content := rawjson.Get(rec.Block.Raw(), "content")
	if text := rawjson.Unquote(content); text != "" {
		changed.Content = []transport.Block{transport.Text(text)}
		return changed, nil
	}
	for raw := range rawjson.Elements(content) {
		b, err := transport.ParseBlock(raw)
		if err != nil {
			return res, err
		}
		changed.Content = append(changed.Content, b)
	}
	return changed, nil
}

// preview is what the model is shown of a text, three quarters of it from the
// beginning.
func preview(id, text string, kept, most int) string {
	head := runes.Start(text, most*3/4)
	tail := max(head, runes.Start(text, len(text)-most/4))
	lost := ""
	if kept < len(text) {
		lost = fmt.Sprintf(" Only the first %d bytes were kept.", kept)
	}
	return fmt.Sprintf("[This result has %d bytes in %d lines. Bytes 0 to %d and %d to the end are shown; read on with %s, id %q.%s]\n%s\n[…]\n%s",
		len(text), strings.Count(text, "\n")+1, head, tail, readResultName, id, lost, text[:head], text[tail:])
}

type readResultInput struct {
	ID     string `json:"id" jsonschema_description:"The id that the shortened result names"`
	Offset int    `json:"offset,omitempty" jsonschema_description:"The byte to begin at" jsonschema:"minimum=0"`
	Length int    `json:"length,omitempty" jsonschema_description:"How many bytes to read, at most 16384; default 8192" jsonschema:"minimum=1,maximum=16384"`
	Find   string `json:"find,omitempty" jsonschema_description:"Begin at the first place from offset on where this text stands, whatever its case"`
}

// readResult is the tool that reads on in what was spilled.
func readResult() tools.Tool {
	return tools.FuncWith(readResultName, "Reads on in a tool result that was too big to be shown whole: length bytes from offset, or from where a text is found.",
		func(ctx context.Context, in readResultInput) (string, error) {
			text, ok := findSpilled(runOf(ctx), in.ID)
			if !ok {
				return "", fmt.Errorf("no shortened result has the id %q; it stands in the result's first line", in.ID)
			}
			from := runes.Start(text, min(in.Offset, len(text)))
			if in.Find != "" {
				i := indexFold(text[from:], in.Find)
				if i < 0 {
					return fmt.Sprintf("%q does not stand in the result from byte %d on.", in.Find, from), nil
				}
				from = runes.Start(text, max(from, min(from+i, len(text))-200))
			}
			to := runes.Start(text, min(len(text), from+cmp.Or(in.Length, 8192)))
			if from == len(text) {
				return fmt.Sprintf("The result ends at byte %d.", len(text)), nil
			}
			return fmt.Sprintf("[bytes %d to %d of %d]\n%s", from, to, len(text), text[from:to]), nil
		}, tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true}})
}

// indexFold is where a text first stands in another, whatever its case, or -1. Some
// letters have more bytes in one case than in the other.
func indexFold(text, find string) int {
	i := strings.Index(strings.ToLower(text), strings.ToLower(find))
	if i <= 0 {
		return i
	}
	lower := 0
	for at, r := range text {
		if lower >= i {
			return at
		}
		lower += utf8.RuneLen(unicode.ToLower(r))
	}
	return len(text)
}

func findSpilled(run *Run, id string) (string, bool) {
	if run == nil {
		return "", false
	}
	var found []byte
	for _, r := range run.log.Records(0) {
		if r.Kind == memory.KindNote && r.Note == notes.Spilled && rawjson.GetString(r.Data, "call_id") == id {
			found = r.Data
		}
	}
	return rawjson.GetString(found, "text"), found != nil
}

// remind appends the text of the moment. While the service has a call of its own
// to finish nothing may stand behind the results (wire §6.4), so the step
// goes without.
func (r *Run) remind(ctx context.Context) error {
	remind := r.agent.opts.Context.Reminder
	if remind == nil || r.lastStep != nil {
		return nil
	}
	if r.log.State().Pending {
		return nil
	}
	text, err := guarded("Reminder", func() (string, error) { return remind(ctx, r.status()), nil })
	if err != nil {
		return err
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return r.append(ctx, memory.Record{Kind: memory.KindInput, Message: r.agent.behind(r.log.Messages(), text, true)})
}

// behind makes the message that tells the model something behind all that was
// sent. A passing one is forgotten with the next message of the user, results
// among them, where the model knows such messages.
func (a *Agent) behind(messages []transport.Message, text string, passing bool) transport.Message {
	if n := len(messages); n > 0 && messages[n-1].Role != transport.RoleAssistant && a.takesSystemMessages() {
		m := transport.SystemText(text)
		if passing {
			m.ClearAt = "next_user_message"
		}
		return m
	}
	return transport.UserText(text)
}

// takesSystemMessages reports whether a system message may stand inside a
// conversation (wire §2.6).
func (a *Agent) takesSystemMessages() bool {
	return a.features.SystemMessages && a.model.Supports.SystemMessages == models.Supported
}

// refused deals with a request that failed. Where it was refused for something that
// the conversation can go on without, the error says what.
func (r *Run) refused(ctx context.Context, req *transport.Request, err error) error {
	found := omit.Find(err, req, r.agent.opts.Models...)
	if found == nil || ctx.Err() != nil {
		return err
	}
	return r.letGo(ctx, found)
}

// letGo asks Options.Context.Omit. If it says yes the log gets the omission, the
// error is nil, and the request is to be made again. Each omission takes something
// away, so that this comes to an end.
func (r *Run) letGo(ctx context.Context, found *omit.Error) error {
	found = r.inLog(found)
	ask := r.agent.opts.Context.Omit
	if ask == nil {
		return found
	}
	yes, err := guarded("Omit", func() (bool, error) { return ask(ctx, found), nil })
	if err != nil {
		return errors.Join(found, err)
	}
	if !yes {
		return found
	}
	if err := r.append(ctx, memory.Record{Kind: memory.KindOmission, Omission: &found.Omission}); err != nil {
		return errors.Join(found, err)
	}
	r.again = true
	r.warn(ctx, "something was left out of the conversation", "what", found.What, "error_type", errorType(found))
	return nil
}

// inLog gives an omission of a request the places that its blocks have in the log.
func (r *Run) inLog(found *omit.Error) *omit.Error {
	e := *found
	written := r.write(new(memory.State))
	e.Omission.Blocks = slices.Clone(e.Omission.Blocks)
	for i := range e.Omission.Blocks {
		e.Omission.Blocks[i].Message = written.InLog(e.Omission.Blocks[i].Message)
	}
	return &e
}

// fitRequest sees to it that no request is sent with more pictures and PDFs than the
// service takes in all.
func (r *Run) fitRequest(ctx context.Context) error {
	if r.shown.Of(r.log, r.responseAt()).Check(r.agent.window()) == nil {
		return nil
	}
	if found := omit.Over(r.nextRequest(), r.agent.opts.Models...); found != nil {
		return r.letGo(ctx, found)
	}
	return nil
}

func isNoText(b transport.Block) bool { return b.Type() != transport.TypeText }

// fit takes out of results what a request could not hold beside all that the log
// shows: it would be a part of every later one. Where there is a way to make room,
// that is done in front of the next request.
func (r *Run) fit(done []*job) {
	var all media.Total
	known := false
	for _, j := range done {
		if !slices.ContainsFunc(j.result.Content, isNoText) {
			r.shown.Plain(j.block)
			continue
		}
		own := shown.OfMessage(transport.Message{Content: []transport.Block{j.block}})
		if own == (media.Total{}) || j.waiting {
			continue
		}
		if !known {
			all, known = r.shown.Of(r.log, r.responseAt()), true
		}
		err := all.Plus(own).Check(r.agent.window())
		if err == nil || r.agent.opts.Context.Omit != nil {
			all = all.Plus(own)
			continue
		}
		res := j.result
		res.Content = nil
		for _, b := range j.result.Content {
			one := shown.OfMessage(transport.Message{Content: []transport.Block{b}})
			if err := all.Plus(one).Check(r.agent.window()); err != nil && one != (media.Total{}) {
				b = leftOut(b, err)
			} else {
				all = all.Plus(one)
			}
			res.Content = append(res.Content, b)
		}
		j.answer(res)
	}
}

// leftOut stands in the place of a block of a result.
func leftOut(b transport.Block, err error) transport.Block {
	return transport.Text(fmt.Sprintf("[%s left out: %v]", b.Type(), err))
}

// checkInputs reports why the service would not take the input's messages, alone or
// beside what the log holds.
func (r *Run) checkInputs() error {
	var more media.Total
	for _, m := range r.input.Messages {
		if m.Role == transport.RoleAssistant {
			continue // the log knows where it may stand
		}
		if err := r.agent.checkInput(m); err != nil {
			return err
		}
		more = more.Plus(shown.OfMessage(m))
	}
	if more == (media.Total{}) || r.agent.opts.Context.Omit != nil {
		return nil // there is a way to make room
	}
	return r.shown.Of(r.log, r.responseAt()).Plus(more).Check(r.agent.window())
}

// window is the model's context, by which the service takes more or fewer pictures
// and pages; of a model that isn't known, a large one.
func (a *Agent) window() int { return cmp.Or(a.model.Limits.ContextTokens, 1_000_000) }

// checkInput reports why the service would not take m, whatever stands before it.
func (a *Agent) checkInput(m transport.Message) error {
	if err := memory.CheckInput(m); err != nil {
		return err
	}
	return shown.OfMessage(m).Check(a.window())
}
