package inspect

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// A key is what opens the page: a token, and the cookie that stands for it in a
// browser.
type key struct {
	token string
	// cookie and value are made from the token by a one-way function: who reads the
	// cookie doesn't learn the token. Browsers keep the cookies of all ports of a host
	// together; a name of its own keeps pages on other ports from replacing it.
	cookie, value string
}

// newKey makes the key of a token; of a random one if it is empty.
func newKey(token string) key {
	if token == "" {
		token = rand.Text()
	}
	derive := func(use string) string {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte("whorl inspect: " + use))
		return hex.EncodeToString(mac.Sum(nil))
	}
	return key{token: token, cookie: "whorl_inspect_" + derive("cookie's name")[:12], value: derive("cookie's value")}
}

// URL returns the address of the page with its token. base is the address that the page
// is mounted at, such as "http://127.0.0.1:8100/debug/agents/". Anyone who has the URL
// can see and do everything that the page allows: show it to the user of the program, and
// keep it out of logs.
func (p *Page) URL(base string) string {
	return strings.TrimSuffix(base, "/") + "/?token=" + url.QueryEscape(p.key.token)
}

// admit checks the token. One in the address of the page is moved into a cookie,
// so that it doesn't stay in the address bar.
func (p *Page) admit(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if query.Has("token") && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/") {
		if same(query.Get("token"), p.key.token) {
			// Without a Path the cookie is for the folder of this address as the browser sees
			// it, also where a proxy has the page under another path. The same goes for the
			// redirect. http.Redirect would make it absolute.
			http.SetCookie(w, &http.Cookie{
				Name: p.key.cookie, Value: p.key.value, HttpOnly: true, SameSite: http.SameSiteStrictMode,
				Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
			})
			w.Header().Set("Location", "./")
			w.WriteHeader(http.StatusSeeOther)
			return false
		}
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(bearer, p.key.token) {
		return true
	}
	if c, err := r.Cookie(p.key.cookie); err == nil && same(c.Value, p.key.value) {
		return true
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "A token is needed. Open this page by the address with ?token=… that the program shows (inspect.Page.URL).", http.StatusUnauthorized)
	return false
}

// same reports whether what was given is what is wanted. Nothing is never enough.
func same(given, want string) bool {
	return given != "" && want != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}
