package memory

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Order is a [Query]'s order and cursor, read: for those who implement a
// [Store].
type Order struct {
	Sort   Sort // never ""
	Behind bool // the query has a cursor: it begins behind what follows
	Time   time.Time
	ID     string
}

// Compile reads the query's order and cursor. It fails for an unknown order, and
// for a cursor that is not of this order.
func (q Query) Compile() (Order, error) {
	o := Order{Sort: q.Sort}
	switch q.Sort {
	case "":
		o.Sort = SortChanged
	case SortChanged, SortCreated, SortID:
	default:
		return o, fmt.Errorf("unknown order %q: use SortChanged, SortCreated or SortID", string(q.Sort))
	}
	if q.After == "" {
		return o, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(q.After)
	sort, rest, _ := strings.Cut(string(raw), " ")
	at, id, ok := strings.Cut(rest, " ")
	nanos, err2 := strconv.ParseInt(at, 10, 64)
	if err != nil || err2 != nil || !ok || Sort(sort) != o.Sort {
		return o, fmt.Errorf("the cursor %q is not one of a list in the order %q", q.After, string(o.Sort))
	}
	o.Behind, o.Time, o.ID = true, time.Unix(0, nanos), id
	return o, nil
}

// At is the cursor of a session in this order.
func (o Order) At(info Info) string {
	at := info.Changed
	switch o.Sort {
	case SortCreated:
		at = info.Created
	case SortID:
		at = time.Unix(0, 0)
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s", o.Sort, at.UnixNano(), info.ID))
}
