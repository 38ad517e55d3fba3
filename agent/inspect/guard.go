package inspect

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const cookieName = "whorl_inspect"

// policy lets the page load its own files and nothing else, and keeps it out of
// other pages' frames.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard lets in who may see the page.
//
// Without a token that is this machine, by a name of its own: a page of some
// other site whose name was made to point at 127.0.0.1 (DNS rebinding) sends that
// name in Host. Other sites can't make the browser act here either: what changes
// something has to come from this page's own origin.
func (h *handler) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")

		if h.opts.Token != "" {
			if !h.admit(w, r) {
				return
			}
		} else if !isLocal(r) || !h.knows(r.Host) {
			http.Error(w, "This page answers to this machine only, as localhost. To open it to others set Options.Token; for another name of this machine, Options.Hosts.", http.StatusForbidden)
			return
		}
		switch site := r.Header.Get("Sec-Fetch-Site"); {
		case site == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			http.Error(w, "Requests from other sites are refused.", http.StatusForbidden)
			return
		case h.opts.ReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "This page is read-only.", http.StatusForbidden)
			return
		}
		sameOrigin.ServeHTTP(w, r)
	})
}

// admit checks the token. One in the URL is moved into a cookie, so that it
// doesn't stand in the history of the browser for long.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) bool {
	if h.isToken(r.URL.Query().Get("token")) && r.Method == http.MethodGet {
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: h.opts.Token, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
		})
		http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
		return false
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if h.isToken(bearer) {
		return true
	}
	if c, err := r.Cookie(cookieName); err == nil && h.isToken(c.Value) {
		return true
	}
	http.Error(w, "A token is needed: open this page with ?token=… once.", http.StatusUnauthorized)
	return false
}

func (h *handler) isToken(s string) bool {
	return subtle.ConstantTimeCompare([]byte(s), []byte(h.opts.Token)) == 1
}

// isLocal reports whether the request came from this machine.
func isLocal(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// knows reports whether the page may be called by that name.
func (h *handler) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || slices.Contains(h.opts.Hosts, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
