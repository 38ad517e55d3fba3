package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

type supported struct {
	Supported bool `json:"supported"`
}

// modelObject is an entry of GET /v1/models (late 2026 §1.2).
type modelObject struct {
	Type           string         `json:"type"`
	ID             string         `json:"id"`
	DisplayName    string         `json:"display_name"`
	CreatedAt      string         `json:"created_at"`
	Line           string         `json:"line"`
	Lifecycle      string         `json:"lifecycle"`
	MaxInputTokens int            `json:"max_input_tokens"`
	MaxTokens      int            `json:"max_tokens"`
	Capabilities   map[string]any `json:"capabilities"`
}

func (m *modelInfo) object() modelObject {
	parts := strings.Split(m.id, "-")
	name := "Claude " + strings.ToUpper(parts[1][:1]) + parts[1][1:]
	if len(parts) > 2 {
		name += " " + parts[2]
	}
	if len(parts) > 3 {
		name += "." + parts[3]
	}
	effort := map[string]any{"supported": m.efforts != "none"}
	for _, level := range []string{"low", "medium", "high", "xhigh", "max"} {
		effort[level] = supported{slices.Contains(strings.Split(m.efforts, ", "), level)}
	}
	return modelObject{
		Type: "model", ID: m.id, DisplayName: name, CreatedAt: "2026-01-01T00:00:00Z", Line: parts[1], Lifecycle: "active",
		MaxInputTokens: m.context, MaxTokens: m.output,
		Capabilities: map[string]any{
			"effort": effort,
			"thinking": map[string]any{"supported": true, "types": map[string]any{
				"adaptive": supported{m.adaptive}, "enabled": supported{m.enabled},
				"disabled": supported{m.disabled}, "between_tools": supported{m.betweenTools},
			}},
			"image_input": supported{true}, "pdf_input": supported{true}, "citations": supported{true},
			"batch": supported{true}, "structured_outputs": supported{true},
		},
	}
}

// serveModels answers GET /v1/models, and of one model if id isn't empty.
func (s *Server) serveModels(w http.ResponseWriter, id string) *Refusal {
	if id != "" {
		m, ok := lookUpModel(id, s.opts.RetiredModels)
		if !ok {
			return notFound("model: %s", id)
		}
		writeJSON(w, m.object())
		return nil
	}
	var list []modelObject
	for key, m := range models {
		if key == m.id {
			list = append(list, m.object())
		}
	}
	slices.SortFunc(list, func(a, b modelObject) int { return strings.Compare(a.ID, b.ID) })
	writeJSON(w, map[string]any{"data": list, "has_more": false, "first_id": list[0].ID, "last_id": list[len(list)-1].ID})
	return nil
}
