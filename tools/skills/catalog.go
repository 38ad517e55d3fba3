package skills

import (
	"strings"

	"github.com/whorl-go/whorl/transport"
)

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;")

// Catalog returns the message that describes the skills to the model: their names and
// descriptions, and how to load one. Put it into the conversation once, before the
// first question, so that the log and the cached prefix keep it unchanged. Sets of the
// same skills have the same catalog.
//
// Function Input of package agent/withskills does that.
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

// IsCatalog reports whether a message is the catalog of any set.
func IsCatalog(m transport.Message) bool {
	return m.Role == transport.RoleUser && len(m.Content) == 1 && strings.HasPrefix(m.Text(), catalogStart+"\n")
}
