package fetch

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

var errHost = errors.New("the URL's host is not a name or an address that can be looked up")

// plainHost is the one way to write a host: what IDNA makes of it (UTS #46, as
// net/http does before it looks a name up), in lower case, without a final dot;
// an address in its usual form.
func plainHost(host string) (string, error) {
	address, zone, _ := strings.Cut(host, "%")
	if a, err := netip.ParseAddr(address); err == nil {
		if zone != "" {
			return "", errHost
		}
		return a.Unmap().String(), nil
	}
	if !ascii(host) {
		var err error
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return "", errHost
		}
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String(), nil
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if host == "" || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") || strings.ContainsAny(host, " \t\r\n/\\@<>\"'%") || number(last) {
		return "", errHost // 127.1, 0x7f000001: what resolvers make of these differs
	}
	return host, nil
}

func number(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func ascii(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

// setHost puts host into u in place of the one that it has.
func setHost(u *url.URL, host string) {
	port := u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	u.Host = host
}

// plainHosts are domains as plainHost writes them. One that can't be written so
// matches nothing but itself.
func plainHosts(domains []string) []string {
	list := make([]string, 0, len(domains))
	for _, d := range domains {
		if plain, err := plainHost(strings.TrimPrefix(strings.Trim(d, "[]"), ".")); err == nil {
			d = plain
		}
		list = append(list, d)
	}
	return list
}

func within(host string, domains []string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}
