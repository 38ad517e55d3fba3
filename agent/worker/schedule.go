package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/rescue"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Schedule begins a session at each of its times. All processes that have it agree
// by the session's id, so that each time begins one session, however many they are.
type Schedule struct {
	// Name is the beginning of the sessions' ids: "NAME/2026-11-28T09:00:00Z".
	Name string
	// Next is the first time after another one; the zero time, or one that is not after
	// it, means never. [Cron] and [Every] make such functions, as do cron libraries.
	Next func(after time.Time) time.Time
	// Message is what the session begins with, Meta its metadata.
	Message func(at time.Time) transport.Message
	Meta    map[string]string
	// CatchUp is how far back times are made up for that no process was there for, also
	// because the machine slept or its clock was set; 0 means not at all.
	CatchUp time.Duration
}

// keep begins a schedule's sessions until ctx ends.
func (w *Worker) keep(ctx context.Context, s Schedule) {
	for failures := 1; ; failures++ { // the times are those of the store
		err := w.readClock(ctx)
		if err == nil {
			break
		}
		w.o.Logger.WarnContext(ctx, "a schedule can't begin yet", "schedule", s.Name, "error", err.Error())
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.backoff(failures, w.o.Backoff, time.Minute)):
		}
	}
	last := w.now().Add(-s.CatchUp)
	for failures := 0; ; {
		var at time.Time
		err := rescue.Call("Schedule.Next", func() error { at = s.Next(last); return nil })
		if err == nil && !at.After(last) {
			return
		}
		began := w.now().Round(0) // Round: by what the clock shows
		wait := max(0, at.Sub(began))
		if failures > 0 {
			wait = max(wait, w.backoff(failures, w.o.Backoff, time.Minute))
		}
		wait = min(wait, time.Hour) // a clock may be set
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		now := w.now().Round(0)
		if missed := now.Sub(began) - wait; missed > maxMissed && failures == 0 {
			// The machine has slept, or its clock was set: nobody was there.
			if from := now.Add(-s.CatchUp); from.After(last) {
				last = from
				continue
			}
		}
		if err == nil && now.Before(at) {
			continue
		}
		if err == nil {
			err = w.fire(ctx, s, at)
		}
		if err != nil && ctx.Err() == nil {
			failures++
			w.o.Logger.WarnContext(ctx, "a schedule's session can't be begun yet", "schedule", s.Name, "at", at, "error", err.Error())
			continue
		}
		failures, last = 0, at
	}
}

// maxMissed is how much later than planned a process looks at a schedule that was there
// all the time.
const maxMissed = time.Minute

// fire begins the session of a time, unless another process has.
func (w *Worker) fire(ctx context.Context, s Schedule, at time.Time) (err error) {
	defer rescue.Into("Schedule.Message", &err) // or the store
	id := s.Name + "/" + at.UTC().Format(time.RFC3339)
	m := transport.UserText("It is " + at.UTC().Format(time.RFC3339) + ".")
	if s.Message != nil {
		m = s.Message(at)
	}
	if err := memory.CheckInput(m); err != nil {
		return err
	}
	log, err := memory.Create(w.o.Store, id, &memory.Start{Meta: s.Meta})
	if err != nil {
		return err
	}
	err = log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: m})
	if err != nil && !errors.Is(err, memory.ErrConflict) {
		return err
	}
	// The process that began it may have died before it said so.
	info, err := w.o.Store.Info(ctx, id)
	if err != nil || info.Records > 1 || !info.Due.IsZero() {
		return err
	}
	return w.waker.Wake(ctx, id, w.now())
}

// Every returns a function for the times that are multiples of d since 1970.
func Every(d time.Duration) func(time.Time) time.Time {
	return func(after time.Time) time.Time {
		if d <= 0 {
			return time.Time{}
		}
		return time.Unix(0, (after.UnixNano()/int64(d)+1)*int64(d)).UTC()
	}
}

// A CronError reports a specification that can't be parsed.
type CronError struct {
	Spec  string
	Field string // the part that is wrong
	Why   string
}

// Error describes which part is wrong and why.
func (e *CronError) Error() string {
	return fmt.Sprintf("the schedule %q can't be read: %q: %s", e.Spec, e.Field, e.Why)
}

// Cron returns a function for the times of a specification of five fields, in a time
// zone: minute (0-59), hour (0-23), day of the month (1-31), month (1-12), day of the
// week (0-7, both ends are Sunday). A field is *, a number, a range such as 1-5, either
// with a step such as */15, or several of these with commas. If both days are given,
// one of them has to fit. A nil zone is UTC. A time that a change of clocks leaves out
// is left out; one that it brings twice comes twice.
func Cron(spec string, zone *time.Location) (func(time.Time) time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	fields := strings.Fields(spec)
	if len(fields) != 5 {
		return nil, &CronError{spec, spec, fmt.Sprintf("it has %d fields, not 5: minute, hour, day of the month, month, day of the week", len(fields))}
	}
	var sets [5]uint64
	for i, bounds := range [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}} {
		set, why := cronField(fields[i], bounds[0], bounds[1])
		if why != "" {
			return nil, &CronError{spec, fields[i], why}
		}
		sets[i] = set
	}
	if sets[4]&(1<<7) != 0 {
		sets[4] |= 1
	}
	has := func(i, v int) bool { return sets[i]&(1<<v) != 0 }
	anyDay, anyWeekday := fields[2] == "*", fields[4] == "*"
	fits := func(t time.Time) bool {
		day, weekday := has(2, t.Day()), has(4, int(t.Weekday()))
		switch {
		case anyDay && anyWeekday:
			return true
		case anyDay:
			return weekday
		case anyWeekday:
			return day
		}
		return day || weekday
	}
	return func(after time.Time) time.Time {
		t := after.In(zone).Truncate(time.Minute).Add(time.Minute)
		for limit := t.AddDate(5, 0, 0); t.Before(limit); {
			switch {
			case !has(3, int(t.Month())):
				t = firstOf(t, t.Year(), t.Month()+1, 1)
			case !fits(t):
				t = firstOf(t, t.Year(), t.Month(), t.Day()+1)
			case !has(1, t.Hour()):
				t = t.Truncate(time.Minute).Add(time.Duration(60-t.Minute()) * time.Minute)
			case !has(0, t.Minute()):
				t = t.Add(time.Minute)
			default:
				return t
			}
		}
		return time.Time{} // such as the 30th of February
	}, nil
}

// firstOf is the first minute of a day, after t. Where clocks are changed at midnight a
// day may begin at 1:00, and [time.Date] may give a time of the day before.
func firstOf(t time.Time, year int, month time.Month, day int) time.Time {
	first := time.Date(year, month, day, 0, 0, 0, 0, t.Location())
	for !first.After(t) {
		first = first.Add(time.Minute)
	}
	return first
}

// cronField reads a field as a set of bits.
func cronField(field string, low, high int) (set uint64, why string) {
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, hasStep := strings.Cut(part, "/")
		from, to, step := low, high, 1
		if hasStep {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return 0, "a step is a number from 1"
			}
			step = n
		}
		if span != "*" {
			a, b, isRange := strings.Cut(span, "-")
			n, err := strconv.Atoi(a)
			if err != nil {
				return 0, "a value is a number, a range, or *"
			}
			from = n
			if isRange {
				if to, err = strconv.Atoi(b); err != nil {
					return 0, "a range ends with a number"
				}
			} else if !hasStep {
				to = from
			}
			if from < low || to > high || from > to {
				return 0, fmt.Sprintf("values are from %d to %d, and a range goes up", low, high)
			}
		}
		for v := from; v <= to; v += step {
			set |= 1 << v
		}
	}
	return set, ""
}
