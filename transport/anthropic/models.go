package anthropic

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ModelInfo is the service's description of a model (wire §12.3).
type ModelInfo struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	CreatedAt   time.Time `json:"created_at"`
	// Line is "haiku", "sonnet", "opus", "fable", "mythos" or empty.
	Line string `json:"line"`
	// Lifecycle is "active", "deprecated" or "retired".
	Lifecycle      string    `json:"lifecycle"`
	RetiresAt      time.Time `json:"retires_at"`
	MaxInputTokens int       `json:"max_input_tokens"` // 0 if unknown
	MaxTokens      int       `json:"max_tokens"`       // of output; 0 if unknown
	// Capabilities is a tree of objects, each with a member "supported"; it may be nil.
	Capabilities json.RawMessage `json:"capabilities"`
}

// Supports looks up a capability by its path, for instance ("thinking", "types",
// "adaptive"). It returns Unknown for a capability that the service doesn't mention.
func (m ModelInfo) Supports(path ...string) models.Support {
	v := []byte(m.Capabilities)
	for _, p := range path {
		v = rawjson.Get(v, p)
	}
	switch string(rawjson.Get(v, "supported")) {
	case "true":
		return models.Supported
	case "false":
		return models.Unsupported
	}
	return models.Unknown
}

// Model returns the table's entry for the model, corrected by the service's
// description. Use it with [models.Lookup] and in [Options.Models].
func (m ModelInfo) Model() models.Model {
	out, _ := models.Lookup(m.ID)
	out.ID = m.ID
	if m.MaxInputTokens > 0 {
		out.Limits.ContextTokens = m.MaxInputTokens
	}
	if m.MaxTokens > 0 {
		out.Limits.MaxOutputTokens = m.MaxTokens
	}
	correct := func(field *models.Support, path ...string) {
		if s := m.Supports(path...); s != models.Unknown {
			*field = s
		}
	}
	correct(&out.Thinking.Adaptive, "thinking", "types", "adaptive")
	correct(&out.Thinking.Enabled, "thinking", "types", "enabled")
	correct(&out.Thinking.Disabled, "thinking", "types", "disabled")
	correct(&out.Thinking.BetweenTools, "thinking", "types", "between_tools")
	correct(&out.Effort.Support, "effort")
	correct(&out.Supports.Compaction, "compaction")
	var levels []transport.Effort
	for _, level := range []transport.Effort{"low", "medium", "high", "xhigh", "max"} {
		if m.Supports("effort", string(level)) == models.Supported {
			levels = append(levels, level)
		}
	}
	if levels != nil {
		out.Effort.Levels = levels
	}
	return out
}

// Models yields the models that the key may use, newest first.
func (c *Client) Models(ctx context.Context) iter.Seq2[ModelInfo, error] {
	return list[ModelInfo](ctx, c, "/v1/models", "1000")
}

// Model returns the service's description of one model, by its id or an alias.
func (c *Client) Model(ctx context.Context, id string) (ModelInfo, error) {
	var m ModelInfo
	id, err := pathID("model", id)
	if err == nil {
		err = c.fetch(ctx, &call{method: http.MethodGet, path: "/v1/models/" + id, needs: []string{"id"}}, &m)
	}
	return m, err
}

// list yields the entries of all pages of a list, of either way of paging that
// the service has (wire §12.3, §12.4). A page may be empty and not the last. A list
// that comes back to a page, as that of some gateways may, ends with an error.
func list[T any](ctx context.Context, c *Client, path, limit string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query, seen := url.Values{"limit": {limit}}, map[string]bool{}
		var zero T
		for {
			var page struct {
				Data     []T    `json:"data"`
				HasMore  bool   `json:"has_more"`
				LastID   string `json:"last_id"`
				NextPage string `json:"next_page"`
			}
			k := &call{method: http.MethodGet, path: path, query: query, needs: []string{"data"}}
			if err := c.fetch(ctx, k, &page); err != nil {
				yield(zero, err)
				return
			}
			for _, v := range page.Data {
				if !yield(v, nil) {
					return
				}
			}
			by, next := "page", page.NextPage
			if next == "" && page.HasMore {
				by, next = "after_id", page.LastID
			}
			switch {
			case next == "":
				return
			case seen[by+next]:
				yield(zero, c.unexpected(k, "the next page that it names was there before", nil))
				return
			}
			seen[by+next] = true
			query.Set(by, next)
		}
	}
}
