package fetch

import (
	"container/list"
	"sync"
	"time"
)

// A cache keeps values for a time, and drops those not used for longest when
// there are too many bytes of them.
type cache struct {
	time time.Duration
	most int // bytes

	mu      sync.Mutex
	entries map[string]*list.Element
	order   list.List // of *cached, the last used in front
	size    int
}

// entryBytes is about what an entry takes besides its key and its value.
const entryBytes = 256

type cached struct {
	key   string
	value any
	size  int
	until time.Time
}

func (c *cache) get(key string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	entry := e.Value.(*cached)
	if time.Now().After(entry.until) {
		c.drop(e)
		return nil
	}
	c.order.MoveToFront(e)
	return entry.value
}

func (c *cache) put(key string, value any, size int) {
	if size += len(key) + entryBytes; c.time <= 0 || size > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[string]*list.Element{}
	}
	if e := c.entries[key]; e != nil {
		c.drop(e)
	}
	c.entries[key] = c.order.PushFront(&cached{key, value, size, time.Now().Add(c.time)})
	c.size += size
	for c.size > c.most {
		c.drop(c.order.Back())
	}
}

func (c *cache) drop(e *list.Element) {
	entry := c.order.Remove(e).(*cached)
	delete(c.entries, entry.key)
	c.size -= entry.size
}
