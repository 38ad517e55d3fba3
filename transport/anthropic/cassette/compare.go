package cassette

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Difference is the first place where a request differs from a recorded one.
// Members of the body are compared in the order of the prompt, parameters first.
type Difference struct {
	Exchange       int    // the number of the recorded exchange, from 1
	Path           string // for instance "messages.3.content.0.text"
	Sent, Recorded string // JSON, shortened; empty if the member is missing
}

// difference compares a request with a recorded one by value. It leaves out what
// changes nothing of the answer, the cache_control marks, and what was scrubbed.
func difference(e *exchange, req *http.Request, body []byte) *Difference {
	if req.Method != e.Request.Method {
		return &Difference{Path: "the method", Sent: req.Method, Recorded: e.Request.Method}
	}
	if p := string(withoutSecrets([]byte(pathOf(req.URL)))); p != e.Request.Path {
		return &Difference{Path: "the path", Sent: p, Recorded: e.Request.Path}
	}
	if b := req.Header.Get("Anthropic-Beta"); b != e.Request.Beta {
		return &Difference{Path: "the anthropic-beta header", Sent: b, Recorded: e.Request.Beta}
	}
	if len(e.Request.Body) == 0 {
		return nil
	}
	sent, err := decode(withoutSecrets(body))
	if err != nil {
		return &Difference{Path: "the body", Sent: err.Error(), Recorded: "JSON"}
	}
	recorded, err := decode(e.Request.Body)
	if err != nil {
		return &Difference{Path: "the body", Sent: "JSON", Recorded: err.Error()}
	}
	return compare("", sent, recorded)
}

// withoutSecrets replaces in a request what was replaced when it was recorded.
// Ids are not among it: they come from the recorded answers.
func withoutSecrets(body []byte) []byte {
	body = keyPattern.ReplaceAll(body, []byte("scrubbed"))
	return memberPattern.ReplaceAll(body, []byte(`"$1"$2"scrubbed"`))
}

func decode(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// compare returns the first difference at or below path, or nil.
func compare(path string, sent, recorded any) *Difference {
	s, sentObject := sent.(map[string]any)
	r, recordedObject := recorded.(map[string]any)
	if sentObject && recordedObject {
		for _, key := range keysOf(s, r) {
			sv, inSent := s[key]
			rv, inRecorded := r[key]
			switch {
			case !inSent:
				return &Difference{Path: join(path, key), Recorded: brief(rv)}
			case !inRecorded:
				return &Difference{Path: join(path, key), Sent: brief(sv)}
			}
			if d := compare(join(path, key), sv, rv); d != nil {
				return d
			}
		}
		return nil
	}
	sl, sentList := sent.([]any)
	rl, recordedList := recorded.([]any)
	if sentList && recordedList {
		for i := range max(len(sl), len(rl)) {
			at := join(path, strconv.Itoa(i))
			switch {
			case i >= len(sl):
				return &Difference{Path: at, Recorded: brief(rl[i])}
			case i >= len(rl):
				return &Difference{Path: at, Sent: brief(sl[i])}
			}
			if d := compare(at, sl[i], rl[i]); d != nil {
				return d
			}
		}
		return nil
	}
	if reflect.DeepEqual(sent, recorded) {
		return nil
	}
	return &Difference{Path: join(path, ""), Sent: brief(sent), Recorded: brief(recorded)}
}

// keysOf lists the members of both, those of the prompt last and in its order.
func keysOf(a, b map[string]any) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	delete(all, "cache_control")
	last := []string{"tools", "system", "messages"}
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(last, key) {
			keys = append(keys, key)
		}
	}
	for _, key := range last {
		if _, ok := all[key]; ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func join(path, key string) string {
	switch {
	case path == "" && key == "":
		return "the body"
	case path == "":
		return key
	case key == "":
		return path
	}
	return path + "." + key
}

// brief is a value as JSON, cut in the middle if it is long: what differs is
// often at its end.
func brief(v any) string {
	raw, err := rawjson.Marshal(v)
	if err != nil {
		return err.Error()
	}
	const most = 400
	if len(raw) <= most {
		return string(raw)
	}
	text := string(raw)
	return fmt.Sprintf("%s … %s (%d bytes)", runes.Cut(text, most/2), text[runes.Start(text, len(text)-most/2):], len(raw))
}
