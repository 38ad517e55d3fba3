package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	clocks "github.com/whorl-go/whorl/agent/internal/clock"
	"github.com/whorl-go/whorl/tools"
)

type sleepIn struct {
	Until   string `json:"until,omitempty" jsonschema_description:"When to go on, as 2026-11-28T15:00:00Z"`
	Seconds int    `json:"seconds,omitempty" jsonschema:"minimum=1" jsonschema_description:"Or for how many seconds to sleep"`
	Why     string `json:"why,omitempty" jsonschema_description:"What is waited for"`
}

// SleepUntil returns a tool with which the model continues at a later time, at most
// longest from now; 0 means 30 days. The call waits in the log and costs nothing
// meanwhile; a worker wakes the session. A message ends the sleep.
func SleepUntil(longest time.Duration) *tools.FuncTool {
	if longest == 0 {
		longest = 30 * 24 * time.Hour
	}
	return tools.FuncWith("sleep_until", "Sleeps, and goes on at a later time. Give until or seconds.", func(ctx context.Context, in sleepIn) (string, error) {
		host, ok := tools.HostOf(ctx)
		if !ok {
			return "", fmt.Errorf("there is no run that could sleep")
		}
		at, err := wakeTime(ctx, host, in, longest)
		if err != nil {
			return "", err
		}
		_, err = host.Ask(ctx, tools.Question{Key: "sleep", Kind: "timer", Prompt: in.Why, Deadline: at, Default: json.RawMessage("true")})
		if err != nil {
			return "", err
		}
		return "It is " + clocks.Now(ctx).UTC().Format(time.RFC3339) + ".", nil
	}, tools.Options{})
}

// wakeTime is when the sleep ends. It is noted, so that the call has the same when it
// runs again.
func wakeTime(ctx context.Context, host tools.Host, in sleepIn, longest time.Duration) (time.Time, error) {
	notes, err := host.Notes(ctx, "wake")
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	if len(notes) > 0 {
		return at, json.Unmarshal(notes[0], &at)
	}
	now := clocks.Now(ctx)
	switch {
	case in.Until != "" && in.Seconds > 0:
		return at, fmt.Errorf("give until or seconds, not both")
	case in.Until != "":
		if at, err = time.Parse(time.RFC3339, in.Until); err != nil {
			return at, fmt.Errorf("until is %q, and no time such as %s", in.Until, now.UTC().Format(time.RFC3339))
		}
	case in.Seconds > 0:
		// What is beyond longest is refused below, also what a Duration can't hold.
		at = now.Add(time.Duration(min(int64(in.Seconds), int64(longest/time.Second)+1)) * time.Second)
	default:
		return at, fmt.Errorf("give until or seconds")
	}
	switch {
	case !at.After(now):
		return at, fmt.Errorf("%s is past; it is %s now", at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case at.After(now.Add(longest)):
		return at, fmt.Errorf("%s is too far ahead; %s is the latest", at.UTC().Format(time.RFC3339), now.Add(longest).UTC().Format(time.RFC3339))
	}
	at = at.UTC().Truncate(time.Millisecond)
	data, err := json.Marshal(at)
	if err != nil {
		return at, err
	}
	return at, host.Note(ctx, "wake", data)
}
