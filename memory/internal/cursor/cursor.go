// Package cursor reads and writes the cursors of lists of sessions.
package cursor

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The orders of a list.
const (
	Changed = "changed"
	Created = "created"
	ID      = "id"
)

// A Cursor is a place in a list: behind a session.
type Cursor struct {
	Sort string // the order; never empty
	Set  bool   // false at the beginning of the list, where there is no session
	Time time.Time
	ID   string
}

// Parse reads an order, of which "" is Changed, and a cursor, of which "" is the
// beginning.
func Parse(sort, after string) (Cursor, error) {
	c := Cursor{Sort: sort}
	switch sort {
	case "":
		c.Sort = Changed
	case Changed, Created, ID:
	default:
		return c, fmt.Errorf("unknown order %q: use %q, %q or %q", sort, Changed, Created, ID)
	}
	if after == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(after)
	of, rest, _ := strings.Cut(string(raw), " ")
	at, id, ok := strings.Cut(rest, " ")
	nanos, err2 := strconv.ParseInt(at, 10, 64)
	if err != nil || err2 != nil || !ok || of != c.Sort {
		return c, fmt.Errorf("the cursor %q doesn't belong to a list in the order %q", after, c.Sort)
	}
	c.Set, c.Time, c.ID = true, time.Unix(0, nanos), id
	return c, nil
}

// Behind is the cursor behind a session, in the same order.
func (c Cursor) Behind(id string, changed, created time.Time) string {
	at := changed
	switch c.Sort {
	case Created:
		at = created
	case ID:
		at = time.Unix(0, 0)
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s", c.Sort, Nanos(at), id))
}

// Nanos is t.UnixNano, but for times that an int64 can't tell: the last or the first one
// that it can.
func Nanos(t time.Time) int64 {
	switch {
	case t.After(time.Unix(0, math.MaxInt64)): // in the year 2262
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)): // in the year 1677
		return math.MinInt64
	}
	return t.UnixNano()
}
