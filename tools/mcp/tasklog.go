package mcp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A task that is served is a session of a store: what happens to it is appended, so that
// each replica reads the same and nothing is lost that was reported.

const (
	taskSession = "mcp-task-" // and the task's id
	taskNoteOf  = "mcp/task"  // the name of its notes
	taskMeta    = "mcp-task"  // its metadata have "yes" as this key's value
)

// A taskEntry is one step of a task. Exactly one field is set.
type taskEntry struct {
	Begin   *taskBegin                `json:"begin,omitempty"`
	Owner   string                    `json:"owner,omitempty"` // who runs the tool from here on
	Note    *taskNote                 `json:"note,omitempty"`
	Results map[string]innerResult    `json:"results,omitempty"` // of inner calls
	Ask     map[string]tools.Question `json:"ask,omitempty"`     // what the run has ended to wait for
	Answers map[string]given          `json:"answers,omitempty"`
	Message string                    `json:"message,omitempty"`
	End     *taskEnd                  `json:"end,omitempty"`
}

// taskBegin is what a task is made from.
type taskBegin struct {
	Tool      string          `json:"tool"`
	Input     json.RawMessage `json:"input"`
	Principal string          `json:"principal,omitempty"` // a hash of the user's id
	Created   time.Time       `json:"created"`
	TTL       time.Duration   `json:"ttl"`
	Form      bool            `json:"form,omitempty"` // the client takes questions of the mode
	URL       bool            `json:"url,omitempty"`
	State     state           `json:"state"` // what the call had come to before it was a task
}

type taskNote struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// taskEnd is what a task has come to.
type taskEnd struct {
	Status string          `json:"status"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// applyTo adds what an entry brings to the state of the call.
func (e taskEntry) applyTo(s *state) {
	if n := e.Note; n != nil {
		if s.Notes == nil {
			s.Notes = map[string][]json.RawMessage{}
		}
		s.Notes[n.Name] = append(s.Notes[n.Name], n.Data)
	}
	if e.Answers != nil {
		if s.Answers == nil {
			s.Answers = map[string]given{}
		}
		maps.Copy(s.Answers, e.Answers)
	}
	if e.Results != nil {
		if s.Results == nil {
			s.Results = map[string]innerResult{}
		}
		maps.Copy(s.Results, e.Results)
	}
}

// clone is a state that changes by itself.
func (s state) clone() state {
	s.Notes = maps.Clone(s.Notes)
	for name, notes := range s.Notes {
		s.Notes[name] = slices.Clone(notes)
	}
	s.Answers, s.Results = maps.Clone(s.Answers), maps.Clone(s.Results)
	return s
}

// A servedTask is what the entries of a task come to.
type servedTask struct {
	begin   *taskBegin
	state   state
	owner   string // who runs the tool; empty if nobody has begun to
	asked   map[string]tools.Question
	message string
	end     *taskEnd
	changed time.Time
}

func (t *servedTask) apply(at time.Time, e taskEntry) {
	t.changed = at
	e.applyTo(&t.state)
	switch {
	case e.Begin != nil && t.begin == nil:
		t.begin, t.state = e.Begin, e.Begin.State.clone()
	case e.Owner != "":
		t.owner, t.message = e.Owner, ""
	case e.Ask != nil:
		t.asked, t.owner, t.message = maps.Clone(e.Ask), "", ""
	case e.Answers != nil:
		for key := range e.Answers {
			delete(t.asked, key)
		}
	case e.Message != "":
		t.message = e.Message
	case e.End != nil && t.end == nil:
		t.end, t.owner, t.asked = e.End, "", nil
	}
}

func (t *servedTask) status() string {
	switch {
	case t.end != nil:
		return t.end.Status
	case len(t.asked) > 0:
		return "input_required"
	}
	return "working"
}

func (t *servedTask) expires() time.Time { return t.begin.Created.Add(t.begin.TTL) }

var (
	errTaskUnknown = errors.New("no task of this id is known here: it was never made, has expired, or belongs to somebody else")
	errTaskEnded   = errors.New("the task has ended")
	errTaskTaken   = errors.New("another process goes on with the task")
)

// A taskLog is the log of one task, and what it comes to.
type taskLog struct {
	store memory.Store
	id    string // the task's
	owner string // who appends: the process that runs the tool; empty for all others

	mu   sync.Mutex
	task servedTask
	at   memory.Position
}

func (l *taskLog) session() string { return taskSession + l.id }

// newTaskLog makes a task.
func newTaskLog(ctx context.Context, store memory.Store, id, owner string, begin *taskBegin) (*taskLog, error) {
	l := &taskLog{store: store, id: id, owner: owner}
	incarnation := rand.Text()
	at := memory.Position{Start: &memory.Start{Incarnation: incarnation, Meta: map[string]string{taskMeta: "yes"}}}
	entries := []taskEntry{{Begin: begin}, {Owner: owner}}
	now := time.Now()
	var records []memory.Record
	for _, e := range entries {
		r, err := e.record(now)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
		l.task.apply(now, e)
	}
	if err := store.Append(ctx, l.session(), at, records...); err != nil {
		return nil, err
	}
	l.at = memory.Position{Incarnation: incarnation, Records: len(records)}
	return l, nil
}

func (e taskEntry) record(at time.Time) (memory.Record, error) {
	raw, err := rawjson.Marshal(e)
	return memory.Record{Kind: memory.KindNote, Time: at, Note: taskNoteOf, Data: raw}, err
}

// loadTask reads a task; it fails with errTaskUnknown if there is none.
func loadTask(ctx context.Context, store memory.Store, id string) (*taskLog, error) {
	l := &taskLog{store: store, id: id}
	info, err := store.Info(ctx, l.session())
	if errors.Is(err, memory.ErrNoSession) {
		return nil, errTaskUnknown
	}
	if err != nil {
		return nil, err
	}
	l.at.Incarnation = info.Incarnation
	if err := l.reload(ctx); err != nil {
		return nil, err
	}
	if l.task.begin == nil {
		return nil, errTaskUnknown
	}
	return l, nil
}

// reload reads what others have appended. The caller holds l.mu, or has l for itself.
func (l *taskLog) reload(ctx context.Context) error {
	for r, err := range l.store.Load(ctx, l.session(), l.at) {
		switch {
		case errors.Is(err, memory.ErrNoSession), errors.Is(err, memory.ErrReplaced):
			return errTaskUnknown
		case err != nil:
			return err
		}
		l.at.Records++
		if r.Kind != memory.KindNote || r.Note != taskNoteOf {
			continue
		}
		var e taskEntry
		if err := json.Unmarshal(r.Data, &e); err != nil {
			return err
		}
		l.task.apply(r.Time, e)
	}
	return nil
}

// read calls look with the task as it is known here.
func (l *taskLog) read(look func(*servedTask)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	look(&l.task)
}

// refresh reads what others have appended, and fails if the task goes on without l's
// owner.
func (l *taskLog) refresh(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.reload(ctx); err != nil {
		return err
	}
	return l.mine()
}

func (l *taskLog) mine() error {
	switch {
	case l.task.end != nil:
		return errTaskEnded
	case l.owner != "" && l.task.owner != l.owner:
		return errTaskTaken
	}
	return nil
}

// append appends an entry, if check, which may be nil, allows it for the task as it is
// then.
func (l *taskLog) append(ctx context.Context, e taskEntry, check func(*servedTask) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		err := l.mine()
		if err == nil && check != nil {
			err = check(&l.task)
		}
		if err != nil {
			return err
		}
		now := time.Now()
		r, err := e.record(now)
		if err != nil {
			return err
		}
		err = l.store.Append(ctx, l.session(), l.at, r)
		switch {
		case err == nil:
			l.at.Records++
			l.task.apply(now, e)
			return nil
		case errors.Is(err, memory.ErrNoSession), errors.Is(err, memory.ErrReplaced):
			return errTaskUnknown
		case !errors.Is(err, memory.ErrConflict):
			return err
		}
		before := l.at.Records
		if err := l.reload(ctx); err != nil {
			return err
		}
		if l.at.Records == before {
			return err
		}
	}
}
