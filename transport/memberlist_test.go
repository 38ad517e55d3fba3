package transport

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A changed list says the same as a merged object.
func TestMemberListAgreesWithMerge(t *testing.T) {
	values := []string{"null", "1", `"x"`, `{"a":1}`}
	var objects []string
	for _, first := range []string{"", `"a"`, `"\u0061"`, `"b"`} {
		for _, second := range []string{"", `"a"`, `"b"`, `"c"`} {
			for i, v := range values {
				switch {
				case second == first, first == `"\u0061"` && second == `"a"`: // a repeated key
				case first != "" && second != "":
					objects = append(objects, fmt.Sprintf("{ %s : %s,%s:%s }", first, v, second, values[(i+1)%len(values)]))
				case first != "":
					objects = append(objects, fmt.Sprintf("{%s:%s}", first, v))
				}
			}
		}
	}
	objects = append(objects, "{}")
	var l memberList
	var room [2][]byte
	for _, base := range objects {
		for _, over := range objects {
			l = l.parse([]byte(base))
			for key, v := range rawjson.Fields([]byte(over)) {
				l = l.set(key, v)
			}
			room[0], room[1] = l.write(room[1]), room[0]
			want := string(rawjson.MergeValues([]byte(base), []byte(over)))
			if got := string(room[0]); got != want || len(l) > 0 && l.size() != len(got)-1 {
				t.Fatalf("%s and %s: %s, want %s", base, over, got, want)
			}
			if again := string(l.write(nil)); again != want { // from where it points to now
				t.Fatalf("%s and %s, written again: %s, want %s", base, over, again, want)
			}
		}
	}
}
