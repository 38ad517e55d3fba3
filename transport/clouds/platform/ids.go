package platform

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// An IDForm is the form of a platform's model ids.
type IDForm int

const (
	// PlainIDs are those of the Claude API: claude-opus-5-5.
	PlainIDs IDForm = iota
	// VertexIDs have an @ before the date, if there is one: claude-haiku-4-5@20251001.
	VertexIDs
	// BedrockIDs begin with anthropic., which may follow the name of an inference
	// profile, and may end with a version: us.anthropic.claude-haiku-4-5-20251001-v1:0.
	// The ARN of a profile or of a model is also a Bedrock id.
	BedrockIDs
	// DeploymentNames are the names that the account has given its deployments; by
	// default, the ids of the Claude API.
	DeploymentNames
)

// profiles are the names of Bedrock's inference profiles that span regions, as they
// stand in front of an id.
var profiles = []string{"global", "us", "eu", "apac", "jp", "au", "ca", "us-gov"}

var (
	bedrockID = regexp.MustCompile(`^(?:arn:[^/]*/)?(?:[a-z-]+\.)?anthropic\.(claude-[a-z0-9-]+?)(?:-v\d+(?::\d+)?)?$`)
	vertexID  = regexp.MustCompile(`^(claude-[a-z0-9-]+)@(\d{8})$`)
)

// Plain returns the Claude API's id of the model that a platform calls id. It returns
// false for a model that isn't in the table of package models, and for a name from which
// the model can't be derived, such as that of an account's own profile.
func Plain(id string) (string, bool) {
	name := id
	if m := bedrockID.FindStringSubmatch(id); m != nil {
		name = m[1]
	} else if m := vertexID.FindStringSubmatch(id); m != nil {
		name = m[1] + "-" + m[2]
	}
	m, ok := models.Lookup(name)
	if !ok {
		return "", false
	}
	return m.ID, true
}

// ID returns the platform's id of the model that another platform, or the Claude API,
// calls id. It returns false for a model that isn't in the table of package models.
func (f IDForm) ID(id string) (string, bool) {
	plain, ok := Plain(id)
	if !ok {
		return "", false
	}
	m, _ := models.Lookup(plain)
	return f.of(&m), true
}

func (f IDForm) of(m *models.Model) string {
	dated := m.ID
	if len(m.Aliases) > 0 {
		dated = m.Aliases[0]
	}
	switch f {
	case VertexIDs:
		if name, date, ok := cutDate(dated); ok {
			return name + "@" + date
		}
	case BedrockIDs:
		switch _, _, ok := cutDate(dated); {
		case ok:
			return "anthropic." + dated + "-v1:0"
		case m.ID == "claude-opus-4-6":
			return "anthropic." + m.ID + "-v1"
		}
		return "anthropic." + m.ID
	}
	return m.ID
}

var date = regexp.MustCompile(`^(.*)-(\d{8})$`)

func cutDate(id string) (name, day string, ok bool) {
	if m := date.FindStringSubmatch(id); m != nil {
		return m[1], m[2], true
	}
	return id, "", false
}

// check refuses an id of another platform. What isn't an id of a platform that is
// known here passes: the platform decides.
func (f IDForm) check(id string) *transport.RequestError {
	var wrong bool
	switch f {
	case BedrockIDs:
		_, known := Plain(id)
		wrong = known && !bedrockID.MatchString(id)
	case VertexIDs:
		_, _, dated := cutDate(id)
		wrong = bedrockID.MatchString(id) || dated && strings.HasPrefix(id, "claude-")
	default:
		wrong = bedrockID.MatchString(id) || vertexID.MatchString(id)
	}
	if !wrong {
		return nil
	}
	e := &transport.RequestError{Field: "model", Reason: `"` + id + `" is an id of ` + formOf(id), Remedy: "see docs/clouds.md for the ids of this platform"}
	if here, ok := f.ID(id); ok {
		e.Remedy = "here it is " + here
		if f == BedrockIDs {
			e.Remedy += ", or with a profile that spans regions global." + here + ", us." + here + " and so on"
		}
	}
	return e
}

func formOf(id string) string {
	switch {
	case bedrockID.MatchString(id):
		return "Amazon Bedrock"
	case vertexID.MatchString(id):
		return "Vertex AI"
	}
	return "the Claude API"
}

// table is the table of package models under the platform's ids and at its prices.
// The days on which models end are the Claude API's; platforms have their own.
func (r *Rules) table() []models.Model {
	var out []models.Model
	for _, m := range models.Known() {
		plain := slices.Concat([]string{m.ID}, m.Aliases)
		id := r.IDs.of(&m)
		if r.OwnEnds {
			m.Deprecated, m.Ends = time.Time{}, time.Time{}
		}
		if s, ok := r.IDs.ID(m.Successor); ok {
			m.Successor = s
		}
		if r.IDs != BedrockIDs {
			m.ID, m.Aliases = id, slices.DeleteFunc(plain, func(p string) bool { return p == id })
			m.Prices = surcharged(m.Prices, r.Surcharge)
			out = append(out, m)
			continue
		}
		stem, _, _ := strings.Cut(id, "-v1") // the version may be left out, or be another
		forms := slices.Compact([]string{id, stem})
		in, global := m, m
		in.ID, in.Aliases, in.Prices = id, nil, surcharged(m.Prices, r.Surcharge)
		global.ID, global.Aliases = "global."+id, nil
		for _, form := range forms {
			for _, p := range profiles {
				if p == "global" {
					global.Aliases = append(global.Aliases, p+"."+form)
				} else {
					in.Aliases = append(in.Aliases, p+"."+form)
				}
			}
			in.Aliases = append(in.Aliases, form)
		}
		// Answers name the model without profile: it is priced as the global one unless
		// Client.Models is told otherwise.
		global.Aliases = append(global.Aliases, plain...)
		out = append(out, in, global)
	}
	return out
}

// surcharged are prices times factor; 0 stands for 1.
func surcharged(prices []models.Price, factor float64) []models.Price {
	if factor == 0 || factor == 1 {
		return prices
	}
	out := slices.Clone(prices)
	for i := range out {
		p := &out[i]
		for _, v := range []*float64{&p.Input, &p.CacheWrite5m, &p.CacheWrite1h, &p.CacheRead, &p.Output} {
			*v *= factor
		}
	}
	return out
}
