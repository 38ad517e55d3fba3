package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// said are the claims of a request's proof; nil if it has none.
func said(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	all := r.Header.Values("DPoP")
	if len(all) == 0 {
		return nil
	}
	parts := strings.Split(all[0], ".")
	if len(all) != 1 || len(parts) != 3 {
		t.Fatalf("the proofs are %q", all)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return claims
}

// A request is sent once more only where the server has refused it for the nonce of its
// proof, and has given another one. The body is sent whole both times.
func TestRequestsForAnotherNonce(t *testing.T) {
	const form, challenge = "application/x-www-form-urlencoded", `DPoP error="use_dpop_nonce"`
	answer := func(status int, nonce, challenge, body string) *http.Response {
		h := http.Header{"Dpop-Nonce": {nonce}}
		if challenge != "" {
			h.Set("WWW-Authenticate", challenge)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
	}
	for _, tt := range []struct {
		name   string
		issuer bool
		first  *http.Response
		again  bool
	}{
		{"a server", false, answer(401, "n2", challenge, ""), true},
		{"a server, beside others", false, answer(401, "n2", `Bearer, DPoP error="use_dpop_nonce", algs="ES256"`, ""), true},
		{"a server with the same nonce", false, answer(401, "n1", challenge, ""), false},
		{"a server without a nonce", false, answer(401, "", challenge, ""), false},
		{"a server's new nonce", false, answer(200, "n2", "", "done"), false},
		{"a server that has done it", false, answer(200, "n2", challenge, "done"), false},
		{"a server that fails", false, answer(500, "n2", challenge, ""), false},
		{"a server that wants another token", false, answer(401, "n2", `DPoP error="invalid_token"`, ""), false},
		{"a server with an endless nonce", false, answer(401, strings.Repeat("n", maxNonceBytes+1), challenge, ""), false},
		{"an issuer", true, answer(400, "n2", "", `{"error":"use_dpop_nonce"}`), true},
		{"an issuer, by 401", true, answer(401, "n2", "", `{"error":"use_dpop_nonce"}`), true},
		{"an issuer's new nonce", true, answer(200, "n2", "", `{"access_token":"a"}`), false},
		{"an issuer that has given a token", true, answer(200, "n2", "", `{"access_token":"a","error":"use_dpop_nonce"}`), false},
		{"an issuer that refuses the code", true, answer(400, "n2", "", `{"error":"invalid_grant"}`), false},
		{"an issuer that fails", true, answer(500, "n2", "", `{"error":"use_dpop_nonce"}`), false},
		{"an issuer without JSON", true, answer(400, "n2", "", `use_dpop_nonce`), false},
	} {
		p := &prover{nonces: map[string]string{"https://a.example": "n1"}}
		p.binds("token")
		var bodies []string
		var nonces []any
		rt := &proving{prover: p, issuer: tt.issuer, base: roundTrips(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			bodies, nonces = append(bodies, string(body)), append(nonces, said(t, r)["nonce"])
			if len(bodies) == 1 {
				return tt.first, nil
			}
			return answer(200, "n3", "", "second"), nil
		})}
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://a.example/x?q=1", strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", form)
		if !tt.issuer {
			r.Header.Set("Authorization", "Bearer token")
		}
		want, _ := io.ReadAll(tt.first.Body) // what the caller is to read
		tt.first.Body = io.NopCloser(strings.NewReader(string(want)))
		resp, err := rt.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got, _ := io.ReadAll(resp.Body)
		if tt.again {
			want = []byte("second")
		}
		if string(got) != string(want) {
			t.Errorf("%s: the answer is %q", tt.name, got)
		}
		if (len(bodies) == 2) != tt.again || strings.Join(bodies, "") != strings.Repeat("the body", len(bodies)) || fmt.Sprint(nonces) != map[bool]string{true: "[n1 n2]", false: "[n1]"}[tt.again] {
			t.Errorf("%s: sent %q, with the nonces %v", tt.name, bodies, nonces)
		}
		if kept := p.nonce("https://a.example"); tt.again && kept != "n3" || len(kept) > maxNonceBytes || kept == "" {
			t.Errorf("%s: the next nonce is %.20q", tt.name, kept)
		}
	}
	// A body that is gone can't be sent again.
	p := &prover{}
	n := 0
	rt := &proving{prover: p, issuer: true, base: roundTrips(func(*http.Request) (*http.Response, error) {
		n++
		return answer(400, "n2", "", `{"error":"use_dpop_nonce"}`), nil
	})}
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://a.example/x", io.NopCloser(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form)
	if resp, err := rt.RoundTrip(r); err != nil || resp.StatusCode != 400 || n != 1 {
		t.Errorf("a body that is gone: %v, sent %d times", err, n)
	}
}

// A proof is for one request: its method, its address without what may be secret, its
// token, and the nonce of its server and of no other one. Requests without a bound token
// have none, and go with the token that they have.
func TestWhatAProofIsFor(t *testing.T) {
	p := &prover{}
	p.binds("bound")
	var last *http.Request
	base := roundTrips(func(r *http.Request) (*http.Response, error) {
		last = r
		return &http.Response{StatusCode: 200, Header: http.Header{"Dpop-Nonce": {"of " + r.URL.Host}}, Body: http.NoBody}, nil
	})
	send := func(issuer bool, method, address, authorization, kind string) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {authorization}, "Content-Type": {kind}}
		if _, err := (&proving{base: base, prover: p, issuer: issuer}).RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		return said(t, last)
	}
	const form = "application/x-www-form-urlencoded"
	first := send(false, "POST", "https://ann:pw@a.example/m%2Fcp?key=s3cret#f", "Bearer bound", "application/json")
	if first["htm"] != "POST" || first["htu"] != "https://a.example/m%2Fcp" || first["ath"] != "KH1b5h5KFtc6W0zRhYLpW-H2qhXyWYYENA0fZYhjRuE" && len(fmt.Sprint(first["ath"])) != 43 || first["nonce"] != nil {
		t.Errorf("the proof is %v", first)
	}
	if got := last.Header.Get("Authorization"); got != "DPoP bound" {
		t.Errorf("the token is sent as %q", got)
	}
	second := send(false, "DELETE", "https://a.example/m%2Fcp", "DPoP bound", "")
	if second["htm"] != "DELETE" || second["nonce"] != "of a.example" || second["jti"] == first["jti"] || second["ath"] != first["ath"] {
		t.Errorf("the next proof is %v, after %v", second, first)
	}
	p.binds("another")
	if other := send(false, "GET", "https://b.example/", "Bearer another", ""); other["nonce"] != nil || other["ath"] == first["ath"] {
		t.Errorf("another server's proof is %v", other)
	}
	for _, authorization := range []string{"Bearer of another issuer", "Basic bound", ""} {
		if claims := send(false, "POST", "https://a.example/", authorization, form); claims != nil || last.Header.Get("Authorization") != authorization {
			t.Errorf("with %q: sent %q, %v", authorization, last.Header.Get("Authorization"), claims)
		}
	}
	if claims := send(true, "POST", "https://issuer.example/token", "Basic c2VjcmV0", form); claims["ath"] != nil || claims["htu"] != "https://issuer.example/token" || last.Header.Get("Authorization") != "Basic c2VjcmV0" {
		t.Errorf("an issuer's proof is %v; sent %q", claims, last.Header.Get("Authorization"))
	}
	if claims := send(true, "GET", "https://issuer.example/metadata", "", ""); claims != nil {
		t.Errorf("a request for metadata has the proof %v", claims)
	}
}

// What is kept for proofs is bounded, and the newest is kept.
func TestBoundsOfAProver(t *testing.T) {
	p := &prover{}
	for n := range maxBound + 3 {
		p.binds(fmt.Sprint("token ", n))
		p.binds(fmt.Sprint("token ", n))
	}
	for n := range maxBound + 3 {
		if p.isBound(fmt.Sprint("token ", n)) != (n >= 3) {
			t.Errorf("token %d is bound: %v", n, n < 3)
		}
	}
	for n := range 3 * maxNonces {
		origin := fmt.Sprint("https://", n, ".example")
		p.heed(origin, &http.Response{Header: http.Header{"Dpop-Nonce": {origin}}})
		p.heed(origin, &http.Response{Header: http.Header{}}) // which changes nothing
		if p.nonce(origin) != origin {
			t.Errorf("the nonce of %s is %q", origin, p.nonce(origin))
		}
	}
	if len(p.nonces) > maxNonces {
		t.Errorf("%d nonces are kept", len(p.nonces))
	}
}

// A server's answer about bound tokens can be read by who knows Bearer only; that of an
// issuer stays as it is, and an error is one.
func TestChallengesForBoundTokens(t *testing.T) {
	p := &prover{}
	p.binds("bound")
	gone := errors.New("gone")
	for _, tt := range []struct {
		token        string
		issuer       bool
		header, want string
	}{
		{"bound", false, `DPoP realm="x"`, `Bearer realm="x"`},
		{"", false, `dpop resource_metadata="https://a.example/m"`, `Bearer resource_metadata="https://a.example/m"`},
		{"bound", false, `Basic realm="x"`, `Basic realm="x"`},
		{"bound", false, `DPoPish realm="x"`, `DPoPish realm="x"`},
		{"", true, `DPoP realm="x"`, `DPoP realm="x"`},
	} {
		rt := &proving{prover: p, issuer: tt.issuer, base: roundTrips(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/gone" {
				return nil, gone
			}
			return &http.Response{StatusCode: 401, Header: http.Header{"Www-Authenticate": {tt.header}}, Body: http.NoBody}, nil
		})}
		for _, path := range []string{"/", "/gone"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://a.example"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			resp, err := rt.RoundTrip(r)
			if path == "/gone" {
				if !errors.Is(err, gone) {
					t.Errorf("%s: %v", tt.header, err)
				}
			} else if err != nil || resp.Header.Get("WWW-Authenticate") != tt.want {
				t.Errorf("%s: %v, %v", tt.header, resp.Header, err)
			}
		}
	}
}
