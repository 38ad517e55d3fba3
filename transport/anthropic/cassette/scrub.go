package cassette

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/transport/secret"
)

// A scrubber replaces what a cassette must not hold. An id gets the same
// replacement wherever it stands, so that answers and the requests that refer to
// them still fit together.
type scrubber struct {
	seen   map[string]string
	counts map[string]int
}

func newScrubber() scrubber {
	return scrubber{seen: make(map[string]string), counts: make(map[string]int)}
}

var (
	// ids of the service (wire §3.7), which start with a number.
	idPattern = regexp.MustCompile(`\b(msg|req|toolu|srvtoolu|mcptoolu|container|file|msgbatch|wrkspc)_((?:bdrk_|vrtx_)?)01[A-Za-z0-9]{10,}`)
	// keys, and members that hold secrets or name somebody.
	keyPattern    = regexp.MustCompile(`sk-[A-Za-z0-9_-]{16,}`)
	memberPattern = regexp.MustCompile(`"(authorization_token|user_id|fallback_credit_token)"(\s*:\s*)"(?:[^"\\]|\\.)*"`)
	// an organization, as errors name it.
	uuidPattern = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
)

func (s scrubber) scrub(body []byte, secrets secret.Redactor) []byte {
	text := secrets.String(string(body))
	text = keyPattern.ReplaceAllString(text, "scrubbed")
	text = memberPattern.ReplaceAllString(text, `"$1"$2"scrubbed"`)
	text = idPattern.ReplaceAllStringFunc(text, func(id string) string {
		prefix, _, _ := strings.Cut(id, "_")
		return s.replace(id, prefix, prefix+"_%04d")
	})
	text = uuidPattern.ReplaceAllStringFunc(text, func(id string) string {
		return s.replace(id, "uuid", "00000000-0000-0000-0000-%012d")
	})
	return []byte(text)
}

func (s scrubber) replace(id, kind, format string) string {
	if r, ok := s.seen[id]; ok {
		return r
	}
	s.counts[kind]++
	s.seen[id] = fmt.Sprintf(format, s.counts[kind])
	return s.seen[id]
}
