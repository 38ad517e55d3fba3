package inspect

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy lets the page load its own files and nothing else, keeps it out of other
// pages' frames, and makes the browser refuse markup that a script makes of text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard lets in who may see the page: whoever has the token, from wherever the
// options say.
//
// The address that a request comes from can't stand for that. A reverse proxy on
// this machine, a command of the agent itself, and any other user's program come
// from this machine too. Without a token of the program's own other machines are
// refused all the same, and names that aren't this machine's: a page of some other
// site whose name was made to point at 127.0.0.1 (DNS rebinding) sends that name in
// Host. Other sites can't make the browser act here either: what changes something
// has to come from this page's own origin.
func (p *Page) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")

		if p.opts.Token == "" && (!isLocal(r) || !p.knows(r.Host)) {
			http.Error(w, "This page answers to this machine only, as localhost. To open it to others set Options.Token; for another name of this machine, Options.Hosts.", http.StatusForbidden)
			return
		}
		if !p.admit(w, r) {
			return
		}
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			http.Error(w, "Requests from other sites are refused.", http.StatusForbidden)
			return
		case p.opts.ReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "This page is read-only.", http.StatusForbidden)
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// isLocal reports whether the request came from this machine.
func isLocal(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// knows reports whether the page may be called by that name.
func (p *Page) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || slices.Contains(p.opts.Hosts, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
