package failover_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/failover"
)

// An endpoint is told of a container that it or another one of its account has made, and
// of no other: it would refuse the request.
func TestContainersOfAccounts(t *testing.T) {
	same := []bool{true, true, true, false, false} // of the account of the first
	for owner := range same {
		for target := range same {
			up := owner
			stubs := make([]*stub, len(same))
			var o failover.Options
			o.Rest = time.Nanosecond
			for i := range same {
				stubs[i] = &stub{answer: func(*transport.Request) (*transport.Response, error) {
					if i != up {
						return nil, overloaded()
					}
					return transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_%d","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":"end_turn","stop_sequence":null,`+
						`"container":{"id":"container_%[1]d","expires_at":"2026-12-01T00:00:00Z"},"usage":{"input_tokens":10,"output_tokens":2}}`, i))
				}}
				o.Endpoints = append(o.Endpoints, failover.Endpoint{Name: fmt.Sprint(i), Client: stubs[i], SameAccount: i > 0 && same[i]})
			}
			client := newClient(t, o)
			if _, _, _, err := collect(client.Stream(t.Context(), hello())); err != nil {
				t.Fatal(err)
			}
			up = target
			req := hello()
			req.Container = json.RawMessage(fmt.Sprintf(`"container_%d"`, owner))
			if _, _, _, err := collect(client.Stream(t.Context(), req)); err != nil {
				t.Fatal(err)
			}
			body, err := stubs[target].seen[len(stubs[target].seen)-1].Body()
			if err != nil {
				t.Fatal(err)
			}
			want := owner == target || same[owner] && same[target]
			if got := strings.Contains(string(body.Bytes()), "container_"); got != want {
				t.Errorf("endpoint %d is told of the container of endpoint %d: %v, want %v", target, owner, got, want)
			}
		}
	}
}
