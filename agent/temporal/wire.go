package temporal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

// What the activity "step" takes and returns is in the history of each action. It is
// JSON without the name of the encoding: the number of records alone, where there is
// no more to say than that, and the object otherwise. Both ways are read, with the
// name of the encoding and without.

// rawPayload is what the activity is given. The session is left out where the id of the
// workflow says it.
func rawPayload(p Payload, workflow string) (converter.RawValue, error) {
	if workflow == ID(p.Session) {
		return raw(strconv.Itoa(p.Records)), nil
	}
	data, err := json.Marshal(p)
	return raw(string(data)), err
}

// parsePayload reads what the activity was given.
func parsePayload(v converter.RawValue, workflow string) (p Payload, err error) {
	p.Session, _ = strings.CutPrefix(workflow, ID(""))
	if err := parse(v, &p.Records, &p); err != nil {
		return p, fmt.Errorf("the payload of the activity: %w", err)
	}
	return p, nil
}

// raw is what the activity returns.
func (o Outcome) raw() (converter.RawValue, error) {
	if o.Do == "" && o.Wait == 0 {
		return raw(strconv.Itoa(o.Records)), nil
	}
	data, err := json.Marshal(o)
	return raw(string(data)), err
}

// parseOutcome reads what the activity has returned.
func parseOutcome(v converter.RawValue) (o Outcome, err error) {
	if err := parse(v, &o.Records, &o); err != nil {
		return o, fmt.Errorf("the outcome of the activity: %w", err)
	}
	return o, nil
}

func raw(data string) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{Data: []byte(data)})
}

// parse reads a number, or an object.
func parse(v converter.RawValue, number *int, object any) error {
	data := v.Payload().GetData()
	if len(data) > 0 && data[0] == '{' {
		return json.Unmarshal(data, object)
	}
	if err := json.Unmarshal(data, number); err != nil {
		return fmt.Errorf("neither a number nor an object: %.60q: %w", data, err)
	}
	return nil
}
