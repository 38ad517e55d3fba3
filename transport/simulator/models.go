package simulator

import (
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/models"
)

// modelInfo is what the checks know of a model: the transport's table, and what
// only a service has to know. What is unknown of a model is allowed.
type modelInfo struct {
	models.Model
	traits
	resolved string // the id that responses carry: the one with a date, if any
	omits    bool   // thinking text is omitted unless display says otherwise
	oneOf    bool   // not temperature and top_p together
	retired  bool
}

// lookUpModel finds a model by its id or alias, among the retired ones too if
// the simulator takes them.
func lookUpModel(id string, retired bool) (*modelInfo, bool) {
	m, ok := models.Lookup(id)
	if !ok && retired {
		m, ok = retiredModel(id)
	}
	if !ok {
		return nil, false
	}
	_, active := models.Lookup(id)
	info := &modelInfo{Model: m, traits: traitsOf[m.ID], resolved: m.ID, retired: !active}
	if len(m.Aliases) > 0 {
		info.resolved = m.Aliases[0]
	}
	if m.Limits.MinCacheTokens == 0 {
		info.Limits.MinCacheTokens = 1024
	}
	// Until the 4.6 generation thinking was summarized and sampling free (wire §2.3, §9.1).
	old := strings.HasSuffix(m.ID, "-4-5") || strings.HasSuffix(m.ID, "-4-6")
	info.omits = !old && m.Thinking.Adaptive != models.Unsupported
	info.oneOf = old || m.ID == "claude-haiku-5-5" || strings.HasPrefix(m.ID, "claude-opus-4-1")
	return info, true
}

func (m *modelInfo) takes(s models.Support) bool { return s != models.Unsupported }

// thinksByDefault reports whether the model may think if the request doesn't say.
func (m *modelInfo) thinksByDefault() bool {
	return m.Thinking.Default == "on" || m.Thinking.Default == "always"
}

// forcedAlone is true for the model that calls forced tool use incompatible with
// itself in words of its own (wire row 98). Fable 5 and Mythos 5 take it, by
// the documentation.
func (m *modelInfo) forcedAlone() bool { return m.ID == "claude-mythos-preview" }

// supportedEfforts lists the levels as refusals do.
func (m *modelInfo) supportedEfforts() string {
	levels := make([]string, len(m.Effort.Levels))
	for i, l := range m.Effort.Levels {
		levels[i] = string(l)
	}
	slices.Sort(levels)
	return strings.Join(levels, ", ")
}

// retiredIDs begin the ids of the retired models, with their most max_tokens.
var retiredIDs = []struct {
	prefix string
	output int
}{
	{"claude-3-7-sonnet-", 128_000}, {"claude-3-5-", 8192}, {"claude-3-", 4096}, {"claude-2", 4096},
	{"claude-opus-4-1", 32_000}, {"claude-opus-4-0", 32_000}, {"claude-opus-4-2025", 32_000},
	{"claude-sonnet-4-0", 64_000}, {"claude-sonnet-4-2025", 64_000},
}

// retiredModel makes what the checks need to know of a retired model.
func retiredModel(id string) (models.Model, bool) {
	const yes, no = models.Supported, models.Unsupported
	for _, old := range retiredIDs {
		if strings.HasPrefix(id, old.prefix) {
			return models.Model{
				ID:       id,
				Limits:   models.Limits{ContextTokens: 200_000, MaxOutputTokens: old.output, MinCacheTokens: 1024},
				Thinking: models.Thinking{Adaptive: no, Enabled: yes, Disabled: yes, BetweenTools: no, Default: "off", Kept: no, Bound: no},
				Effort:   models.Effort{Support: no},
				Supports: models.Supports{ForcedToolChoice: yes, Sampling: yes, Prefill: yes, SystemMessages: no, ComputerTools: yes},
			}, true
		}
	}
	return models.Model{}, false
}

// takesFast reports whether the model takes speed "fast" at that time. Opus 4.6
// takes it, and answers at its usual speed all the same (wire §2.2).
func (m *modelInfo) takesFast(now time.Time) bool {
	if !m.fastUntil.IsZero() && !now.Before(m.fastUntil) {
		return false
	}
	_, fast := m.PriceAt(now, "fast", 0)
	return fast || m.ID == "claude-opus-4-6"
}
