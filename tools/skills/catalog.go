package skills

import (
	"strings"

	"github.com/whorl-go/whorl/transport"
)

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;")

// Catalog is what the model is told of the skills: their names and descriptions,
// and how to load one. It goes into the conversation once, in front of the first
// question, so that it is in the log, and in the cached prefix, as it was then. A
// set of the same skills has the same catalog.
//
// agent/withskills.Input puts it there.
func (s *Set) Catalog() transport.Message {
	var b strings.Builder
	b.WriteString(catalogStart + "\n")
	for _, name := range s.names {
		b.WriteString("<skill>\n<name>\n" + escape.Replace(name) + "\n</name>\n")
		b.WriteString("<description>\n" + escape.Replace(s.skills[name].Description) + "\n</description>\n</skill>\n")
	}
	b.WriteString("</available_skills>\nBefore a task that one of the descriptions is about, load that skill with the tool skill, and follow it.")
	return transport.UserText(b.String())
}

const catalogStart = "<available_skills>"

// IsCatalog reports whether a message is the catalog of a set, of any skills.
func IsCatalog(m transport.Message) bool {
	return m.Role == transport.RoleUser && len(m.Content) == 1 && strings.HasPrefix(m.Text(), catalogStart+"\n")
}
