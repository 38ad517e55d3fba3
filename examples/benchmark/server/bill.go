package main

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
)

// Prices of input, relative to that of a token that has nothing to do with the
// cache, and the rules of the cache. No conversation here outlives an entry.
const (
	priceRead      = 0.1
	priceWrite     = 1.25 // for 5 minutes
	priceWriteHour = 2
	// lookBack is how many blocks in front of a mark are searched for an entry, the
	// marked one included.
	lookBack = 20
	// leastCached is the smallest prefix that is cached, in tokens.
	leastCached = 1024
	// bytesPerToken is an estimate; it cancels out of the ratio but for leastCached.
	bytesPerToken = 4
)

// bills reckons what conversations cost by the marks that their requests carry,
// and what they would cost at the least: where each request reads all that the
// one before it held, and writes what is new, but for the last, which needn't
// write.
type bills struct {
	mu     sync.Mutex
	all    map[int]*bill
	marks  int
	failed int
}

type bill struct {
	entries map[[32]byte]bool // prefixes that were written
	cost    float64
	least   float64 // up to the newest request, which is reckoned as not the last
	last    float64 // what is taken off if the newest is the last
	before  float64 // tokens of the newest request
}

func newBills() *bills { return &bills{all: make(map[int]*bill)} }

// A piece is a block of a prompt as the cache sees it.
type piece struct {
	tokens float64 // of the prompt up to and with it
	prefix [32]byte
	write  float64 // the price of writing up to its mark; 0 if it has none
}

func (b *bills) add(conversation int, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pieces, automatic, err := prompt(body)
	if err != nil || len(pieces) == 0 {
		b.failed++
		return
	}
	if automatic {
		pieces[len(pieces)-1].write = priceWrite
	}
	c := b.all[conversation]
	if c == nil {
		c = &bill{entries: make(map[[32]byte]bool)}
		b.all[conversation] = c
	}
	b.marks = max(b.marks, c.add(pieces))
}

func (c *bill) add(pieces []piece) (marks int) {
	total := pieces[len(pieces)-1].tokens
	var read float64
	for i, p := range pieces {
		if p.write == 0 {
			continue
		}
		marks++
		if p.tokens < leastCached {
			continue
		}
		for j := i; j >= 0 && j > i-lookBack; j-- {
			if c.entries[pieces[j].prefix] {
				read = max(read, pieces[j].tokens)
				break
			}
		}
	}
	c.cost += read * priceRead
	paid := read
	for _, p := range pieces {
		if p.write == 0 || p.tokens < leastCached {
			continue
		}
		c.entries[p.prefix] = true
		c.cost += max(0, p.tokens-paid) * p.write
		paid = max(paid, p.tokens)
	}
	c.cost += total - paid

	fresh := total - c.before
	c.least += c.before*priceRead + fresh*priceWrite
	c.last = fresh * (priceWrite - 1)
	c.before = total
	return marks
}

// ratio is the cost of all conversations over the least possible.
func (b *bills) ratio() (ratio float64, marks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var cost, least float64
	for _, c := range b.all {
		cost += c.cost
		least += c.least - c.last
	}
	if least == 0 || b.failed > 0 {
		return 0, b.marks
	}
	return cost / least, b.marks
}

// prompt lists the blocks of a request in the order of the cache: tools, system,
// messages. automatic is true if the service is asked to place a mark itself.
func prompt(body []byte) (pieces []piece, automatic bool, err error) {
	var req struct {
		Tools        []json.RawMessage `json:"tools"`
		System       json.RawMessage   `json:"system"`
		CacheControl json.RawMessage   `json:"cache_control"`
		Messages     []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, false, err
	}
	var c chain
	for _, t := range req.Tools {
		c.add("tool", t)
	}
	for _, blk := range blocks(req.System) {
		c.add("system", blk)
	}
	for _, m := range req.Messages {
		for _, blk := range blocks(m.Content) {
			c.add(m.Role, blk)
		}
	}
	return c.pieces, len(req.CacheControl) > 0 && string(req.CacheControl) != "null", c.err
}

// blocks are the elements of a content, which may be a string.
func blocks(content json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	if len(content) > 0 && content[0] == '[' && json.Unmarshal(content, &list) == nil {
		return list
	}
	if len(content) > 2 {
		return []json.RawMessage{content}
	}
	return nil
}

// A chain is a prompt of blocks.
type chain struct {
	pieces []piece
	tokens float64
	prefix [32]byte
	err    error
}

func (c *chain) add(role string, raw json.RawMessage) {
	// Decoded and encoded again, so that white space and the order of keys don't count.
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		c.err = err
		return
	}
	write := unmark(value)
	plain, err := json.Marshal(value)
	if err != nil {
		c.err = err
		return
	}
	c.tokens += float64(len(plain)) / bytesPerToken
	h := sha256.New()
	h.Write(c.prefix[:])
	h.Write([]byte(role))
	h.Write(plain)
	h.Sum(c.prefix[:0])
	c.pieces = append(c.pieces, piece{tokens: c.tokens, prefix: c.prefix, write: write})
}

// unmark takes the cache_control members off a value and returns the price of
// writing up to it, 0 if it had none.
func unmark(value any) (write float64) {
	v, ok := value.(map[string]any)
	if !ok {
		return 0
	}
	if c, ok := v["cache_control"].(map[string]any); ok {
		write = priceWrite
		if c["ttl"] == "1h" {
			write = priceWriteHour
		}
	}
	delete(v, "cache_control")
	if content, ok := v["content"].([]any); ok {
		for _, inner := range content {
			write = max(write, unmark(inner))
		}
	}
	return write
}
