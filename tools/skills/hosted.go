package skills

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Hosted is a skill that runs at the provider, in the container of the code execution
// tool: a skill of Anthropic's, or an uploaded one.
type Hosted struct {
	Type    string `json:"type"`              // "anthropic" or "custom"; empty means anthropic
	ID      string `json:"skill_id"`          // for instance "pdf"; 1 to 64 characters
	Version string `json:"version,omitempty"` // empty means the newest; set it to keep the request's prefix the same
}

// Container returns the container parameter of a request that uses skills at the
// provider, at most 20. Assign it to Container in the agent's Options.Template, and add
// the tool [tools.CodeExecution].
func Container(list ...Hosted) (json.RawMessage, error) {
	if len(list) == 0 || len(list) > 20 {
		return nil, fmt.Errorf("skills: there are %d hosted skills; a request can have 1 to 20", len(list))
	}
	list = append([]Hosted(nil), list...)
	for i := range list {
		if h := &list[i]; h.Type == "" {
			h.Type = "anthropic"
		}
		switch h := list[i]; {
		case h.Type != "anthropic" && h.Type != "custom":
			return nil, fmt.Errorf("skills: the hosted skill %q has the type %q; give anthropic or custom", h.ID, h.Type)
		case h.ID == "" || len(h.ID) > 64 || len(h.Version) > 64:
			return nil, errors.New("skills: a hosted skill has an ID of 1 to 64 characters, and a Version of at most 64")
		}
	}
	return rawjson.Marshal(struct {
		Skills []Hosted `json:"skills"`
	}{list})
}
