package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

type supported struct {
	Supported bool `json:"supported"`
}

// modelObject is an entry of GET /v1/models (wire §12.3).
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
	parts := strings.Split(m.ID, "-")
	name := "Claude " + strings.ToUpper(parts[1][:1]) + parts[1][1:]
	if len(parts) > 2 {
		name += " " + strings.Join(parts[2:], ".")
	}
	effort := map[string]any{"supported": m.takes(m.Effort.Support)}
	for _, level := range []string{"low", "medium", "high", "xhigh", "max"} {
		effort[level] = supported{slices.Contains(m.Effort.Levels, transport.Effort(level))}
	}
	yes := func(s models.Support) supported { return supported{s == models.Supported} }
	return modelObject{
		Type: "model", ID: m.resolved, DisplayName: name, CreatedAt: "2026-01-01T00:00:00Z", Line: parts[1], Lifecycle: "active",
		MaxInputTokens: m.Limits.ContextTokens, MaxTokens: m.Limits.MaxOutputTokens,
		Capabilities: map[string]any{
			"effort": effort,
			"thinking": map[string]any{"supported": true, "types": map[string]any{
				"adaptive": yes(m.Thinking.Adaptive), "enabled": yes(m.Thinking.Enabled), "disabled": yes(m.Thinking.Disabled), "between_tools": yes(m.Thinking.BetweenTools),
			}},
			"context_management": map[string]any{"supported": true, "clear_thinking_20251015": supported{true},
				"clear_tool_uses_20250919": supported{true}, "compact_20260112": yes(m.Supports.Compaction)},
			"server_tools": map[string]any{"supported": true, "web_search": supported{true}, "code_execution": supported{false}},
			"image_input":  supported{true}, "pdf_input": supported{true}, "citations": supported{true},
			"batch": supported{true}, "structured_outputs": supported{true}, "code_execution": supported{false},
		},
	}
}

// serveModels answers GET /v1/models, and of one model if id isn't empty.
func (s *Server) serveModels(w http.ResponseWriter, query url.Values, id string) *Refusal {
	if id != "" {
		m, ok := lookUpModel(id, s.opts.RetiredModels)
		if !ok {
			return notFound("model: %s", id)
		}
		writeJSON(w, m.object())
		return nil
	}
	var list []modelObject
	for _, known := range models.Known() {
		m, _ := lookUpModel(known.ID, false)
		list = append(list, m.object())
	}
	page, why := cutPage(list, query, 1000, func(m modelObject) string { return m.ID })
	if why != nil {
		return why
	}
	writeJSON(w, page)
	return nil
}

// A listPage is an answer to a GET of a list.
type listPage[T any] struct {
	Data    []T     `json:"data"`
	HasMore bool    `json:"has_more"`
	FirstID *string `json:"first_id"`
	LastID  *string `json:"last_id"`
}

// cutPage applies the query parameters limit, after_id and before_id to a list.
func cutPage[T any](list []T, query url.Values, most int, id func(T) string) (listPage[T], *Refusal) {
	limit := 20
	if v := query.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most {
			return listPage[T]{}, refuse("limit: Input should be between 1 and %d", most)
		}
		limit = n
	}
	place := func(key string) int {
		return slices.IndexFunc(list, func(v T) bool { return id(v) == query.Get(key) })
	}
	if i := place("after_id"); query.Has("after_id") && i >= 0 {
		list = list[i+1:]
	}
	if i := place("before_id"); query.Has("before_id") && i >= 0 {
		list = list[:i]
		list = list[max(0, len(list)-limit):]
	}
	page := listPage[T]{Data: list[:min(limit, len(list))], HasMore: len(list) > limit}
	if n := len(page.Data); n > 0 {
		first, last := id(page.Data[0]), id(page.Data[n-1])
		page.FirstID, page.LastID = &first, &last
	} else {
		page.Data = []T{}
	}
	return page, nil
}
