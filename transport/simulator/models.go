package simulator

import "strings"

// modelInfo is what the simulator knows of a model (reference §9.1 and §13,
// late 2026 §1.1).
type modelInfo struct {
	id      string
	context int // tokens
	output  int // most max_tokens
	minimum int // least tokens of a cacheable prefix

	adaptive, enabled, disabled, betweenTools bool // the thinking types it takes

	thinksByDefault bool
	omits           bool // thinking text is omitted unless display says otherwise
	keepsThinking   bool // thinking of earlier turns stays in context
	binds           bool // thinking is bound to its prefix
	efforts         string
	effort          string // the default effort

	fixedSampling bool // no sampling parameters
	oneSampling   bool // not temperature and top_p together
	noForce       bool // tool_choice any and tool are refused
	prefill       bool // a conversation may end with the assistant's words
	systemRole    bool // takes messages of role system
	fallback      bool // has a chain for fallbacks:"default"
	noOldComputer bool
}

const (
	effortsAll  = "high, low, max, medium, xhigh"
	effortsMax  = "high, low, max, medium"
	effortsHigh = "high, low, medium"
)

var models = func() map[string]*modelInfo {
	list := []modelInfo{
		{id: "claude-fable-5-1", minimum: 512, adaptive: true, binds: true, noForce: true, systemRole: true, noOldComputer: true},
		{id: "claude-mythos-5-1", minimum: 512, adaptive: true, noForce: true, systemRole: true, noOldComputer: true},
		{id: "claude-fable-5", minimum: 512, adaptive: true, noForce: true, systemRole: true},
		{id: "claude-mythos-5", minimum: 512, adaptive: true, noForce: true, systemRole: true},
		{id: "claude-opus-5-5", minimum: 512, adaptive: true, binds: true, noForce: true, systemRole: true, noOldComputer: true, effort: "medium"},
		{id: "claude-sonnet-5-5", minimum: 512, adaptive: true, betweenTools: true, binds: true, noForce: true, systemRole: true, noOldComputer: true},
		{id: "claude-haiku-5-5", minimum: 512, adaptive: true, disabled: true, binds: true, systemRole: true, noOldComputer: true, effort: "medium"},
		{id: "claude-opus-5", minimum: 512, adaptive: true, disabled: true, systemRole: true},
		{id: "claude-sonnet-5", minimum: 1024, adaptive: true, disabled: true},
		{id: "claude-opus-4-8", minimum: 1024, adaptive: true, disabled: true, systemRole: true},
		{id: "claude-opus-4-7", minimum: 2048, adaptive: true, disabled: true},
		{id: "claude-opus-4-6", minimum: 4096, adaptive: true, enabled: true, disabled: true, efforts: effortsMax},
		{id: "claude-sonnet-4-6", minimum: 1024, adaptive: true, enabled: true, disabled: true, efforts: effortsMax},
		{id: "claude-opus-4-5-20251101", context: 200_000, output: 64_000, minimum: 4096, enabled: true, disabled: true, efforts: effortsHigh, prefill: true},
		{id: "claude-sonnet-4-5-20250929", context: 200_000, output: 64_000, minimum: 1024, enabled: true, disabled: true, efforts: "none", prefill: true},
		{id: "claude-haiku-4-5-20251001", context: 200_000, output: 64_000, minimum: 4096, enabled: true, disabled: true, efforts: "none", prefill: true},
		{id: "claude-mythos-preview", minimum: 2048, adaptive: true, enabled: true},
	}
	m := make(map[string]*modelInfo, len(list)+4)
	for i := range list {
		info := &list[i]
		if info.context == 0 {
			info.context, info.output = 1_000_000, 128_000
		}
		if info.efforts == "" {
			info.efforts = effortsAll
		}
		if info.effort == "" {
			info.effort = "high"
		}
		old := strings.Contains(info.id, "-4-5-") || strings.HasSuffix(info.id, "-4-6")
		info.omits = !old
		info.oneSampling = old
		info.fixedSampling = !old && info.id != "claude-mythos-preview"
		info.thinksByDefault = !old && info.id != "claude-opus-4-8" && info.id != "claude-opus-4-7"
		info.keepsThinking = !strings.Contains(info.id, "haiku-4-5") && !strings.Contains(info.id, "sonnet-4-5")
		m[info.id] = info
	}
	for _, alias := range []string{"claude-opus-4-5-20251101", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"} {
		m[alias[:strings.LastIndexByte(alias, '-')]] = m[alias]
	}
	return m
}()

// lookUpModel finds a model by its id or alias, among the retired ones too if
// the simulator takes them.
func lookUpModel(id string, retired bool) (*modelInfo, bool) {
	m, ok := models[id]
	if !ok && retired {
		m, ok = retiredModel(id)
	}
	return m, ok
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
func retiredModel(id string) (*modelInfo, bool) {
	for _, old := range retiredIDs {
		if strings.HasPrefix(id, old.prefix) {
			return &modelInfo{id: id, context: 200_000, output: old.output, minimum: 1024, enabled: true, disabled: true,
				efforts: "none", effort: "high", prefill: true, oneSampling: strings.HasPrefix(id, "claude-opus-4-1")}, true
		}
	}
	return nil, false
}

// forcedAlone is true for models that call forced tool use incompatible with
// themselves in words of their own (reference row 98).
func (m *modelInfo) forcedAlone() bool {
	return m.id == "claude-fable-5" || m.id == "claude-mythos-5" || m.id == "claude-mythos-preview"
}
