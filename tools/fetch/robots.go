package fetch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// maxRobots is how much of a robots.txt is read (RFC 9309 §2.5).
const maxRobots = 500 << 10

// A robotsRule is a line of a robots.txt that concerns us.
type robotsRule struct {
	allow   bool
	pattern string
}

// robotsFile marks the context of the request for a robots.txt, which is fetched
// wherever it is.
type robotsFile struct{}

// obey refuses a URL that the host's robots.txt keeps robots from. A file that
// isn't there allows all, one that can't be had forbids all (RFC 9309 §2.3.1).
func (f *Fetcher) obey(ctx context.Context, u *url.URL) error {
	host := u.Scheme + "://" + u.Host
	rules, ok := f.robots.get(host).([]robotsRule)
	if !ok {
		var err error
		if rules, err = f.robotsRules(ctx, host); err != nil {
			return err
		}
		f.robots.put(host, rules, rulesSize(rules))
	}
	if allowed(rules, u.RequestURI()) {
		return nil
	}
	return fmt.Errorf("the robots.txt of %s asks not to fetch %s", u.Host, clip(u.EscapedPath()))
}

func (f *Fetcher) robotsRules(ctx context.Context, host string) ([]robotsRule, error) {
	u, err := url.Parse(host + "/robots.txt")
	if err != nil {
		return nil, err
	}
	resp, err := f.open(context.WithValue(ctx, robotsFile{}, true), u)
	if err != nil {
		return nil, fmt.Errorf("the robots.txt of %s was not fetched: %w", u.Host, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("the robots.txt of %s is not available now (%s), so its pages are not fetched", u.Host, statusOf(resp))
	case resp.StatusCode != http.StatusOK:
		return []robotsRule{}, nil
	}
	return parseRobots(io.LimitReader(resp.Body, maxRobots), f.options.UserAgent), nil
}

// parseRobots reads the group for agent, or else that for all.
func parseRobots(r io.Reader, agent string) []robotsRule {
	product, _, _ := strings.Cut(strings.ToLower(agent), "/")
	ours, all := []robotsRule{}, []robotsRule{}
	found, forUs, forAll, inAgents := false, false, false, false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxRobots+1)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(strings.TrimPrefix(key, "\ufeff"))) {
		case "user-agent":
			if !inAgents {
				forUs, forAll = false, false
			}
			inAgents = true
			if value == "*" {
				forAll = true
			} else if strings.HasPrefix(product, strings.ToLower(value)) && value != "" {
				forUs, found = true, true
			}
		case "allow", "disallow":
			inAgents = false
			rule := robotsRule{strings.ToLower(strings.TrimSpace(key)) == "allow", encoded(value)}
			if forUs {
				ours = append(ours, rule)
			}
			if forAll {
				all = append(all, rule)
			}
		}
	}
	if found {
		return slices.Clip(ours)
	}
	return slices.Clip(all)
}

// encoded writes a path in the one way in which paths are compared (RFC 9309 §2.2.2):
// what need not be percent-encoded isn't, and what is not ASCII is.
func encoded(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' && i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				c, escaped = byte(n), true
				i += 2
			}
		}
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
		if letter || !escaped && c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// rulesSize is the memory that rules take.
func rulesSize(rules []robotsRule) int {
	size := cap(rules) * int(unsafe.Sizeof(robotsRule{}))
	for _, r := range rules {
		size += len(r.pattern) + 16
	}
	return size
}

// allowed goes by the longest pattern that matches, and for Allow between equals.
func allowed(rules []robotsRule, path string) bool {
	ok, longest := true, -1
	path = encoded(path)
	for _, r := range rules {
		if r.pattern == "" || !robotsMatch(r.pattern, path) {
			continue
		}
		if n := len(r.pattern); n > longest || n == longest && r.allow {
			ok, longest = r.allow, n
		}
	}
	return ok
}

// robotsMatch matches a pattern with * and a final $ against the start of path.
func robotsMatch(pattern, path string) bool {
	pattern, atEnd := strings.CutSuffix(pattern, "$")
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(path, parts[0])
	if !ok {
		return false
	}
	for i, part := range parts[1:] {
		if atEnd && i == len(parts)-2 {
			return strings.HasSuffix(rest, part)
		}
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return !atEnd || rest == ""
}
