package oauth

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A prover has the key that tokens are bound to, and signs a proof of it for each
// request (DPoP, RFC 9449).
type prover struct {
	mu     sync.Mutex
	key    *ecdsa.PrivateKey // nil before one is needed
	bound  []string          // the newest access tokens that are bound to a key
	nonces map[string]string // what servers want in the next proof, by their origin
}

const maxBound = 8

// use has the prover sign with a stored key; an empty one is ignored.
func (p *prover) use(stored []byte) error {
	if len(stored) == 0 {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(stored)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return errors.New("the key is none of P-256")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = key
	return nil
}

// stored is the key, to be stored with the tokens that are bound to it.
func (p *prover) stored() ([]byte, error) {
	key, err := p.current()
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// current is the key, which is made when it is first needed.
func (p *prover) current() (*ecdsa.PrivateKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		p.key = key
	}
	return p.key, nil
}

// binds notes that an access token is bound to the key.
func (p *prover) binds(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.bound, token) {
		p.bound = append(p.bound, token)
		p.bound = p.bound[max(0, len(p.bound)-maxBound):]
	}
}

func (p *prover) isBound(token string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.bound, token)
}

func (p *prover) nonce(origin string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nonces[origin]
}

const (
	maxNonces     = 100 // origins: an issuer and a server are two
	maxNonceBytes = 1 << 10
)

// heed keeps the nonce of a response for the next proof.
func (p *prover) heed(origin string, resp *http.Response) {
	nonce := resp.Header.Get("DPoP-Nonce")
	if nonce == "" || len(nonce) > maxNonceBytes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nonces == nil || len(p.nonces) >= maxNonces {
		p.nonces = map[string]string{}
	}
	p.nonces[origin] = nonce
}

// jwk is the public key (RFC 7517), with its members in the order of the thumbprint.
func jwk(key *ecdsa.PrivateKey) (json.RawMessage, error) {
	point, err := key.PublicKey.Bytes() // 0x04, x, y
	if err != nil || len(point) != 65 {
		return nil, errors.New("oauth: the key has no public point")
	}
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:])), nil
}

// thumbprint is that of the key (RFC 7638), by which an issuer knows it.
func (p *prover) thumbprint() (string, error) {
	key, err := p.current()
	if err != nil {
		return "", err
	}
	public, err := jwk(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// proof is the proof for one request (RFC 9449 §4.2). The token is empty for a request
// to an issuer.
func (p *prover) proof(method string, to *url.URL, token, nonce string) (string, error) {
	key, err := p.current()
	if err != nil {
		return "", err
	}
	public, err := jwk(key)
	if err != nil {
		return "", err
	}
	address := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address.String(), "iat": time.Now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return jwt(key, map[string]any{"typ": "dpop+jwt", "jwk": public}, claims)
}

// A proving round tripper adds proofs to requests: to those with a bound token, and to
// those for a token where the issuer is asked for bound ones.
type proving struct {
	base   http.RoundTripper
	prover *prover
	issuer bool // these are requests to issuers
}

// RoundTrip implements [http.RoundTripper]. A server that wants another nonce in the
// proof is sent the request once more.
func (t *proving) RoundTrip(req *http.Request) (*http.Response, error) {
	token := ""
	if t.issuer {
		if !isForm(req) {
			return t.base.RoundTrip(req)
		}
	} else if token = accessToken(req); !t.prover.isBound(token) {
		return t.answer(t.base.RoundTrip(req))
	}
	if req.Body != nil && req.GetBody != nil {
		defer req.Body.Close() // copies are sent
	}
	origin := req.URL.Scheme + "://" + req.URL.Host
	nonce := t.prover.nonce(origin)
	resp, err := t.send(req, token, nonce)
	if err != nil {
		return nil, err
	}
	t.prover.heed(origin, resp)
	if next := t.prover.nonce(origin); next == nonce || !t.wantsNonce(resp) || req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		return t.answer(resp, nil)
	} else {
		drain(resp)
		nonce = next
	}
	if resp, err = t.send(req, token, nonce); err != nil {
		return nil, err
	}
	t.prover.heed(origin, resp)
	return t.answer(resp, nil)
}

func (t *proving) send(req *http.Request, token, nonce string) (*http.Response, error) {
	proof, err := t.prover.proof(req.Method, req.URL, token, nonce)
	if err != nil {
		return nil, err
	}
	out := req.Clone(req.Context())
	if req.GetBody != nil {
		if out.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	if token != "" {
		out.Header.Set("Authorization", "DPoP "+token)
	}
	out.Header.Set("DPoP", proof)
	return t.base.RoundTrip(out)
}

const maxErrorBytes = 64 << 10

// wantsNonce reports whether a request was refused for the nonce in its proof.
func (t *proving) wantsNonce(resp *http.Response) bool {
	if !t.issuer {
		return resp.StatusCode == http.StatusUnauthorized && asksForNonce(resp)
	}
	if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	var says struct {
		Error string `json:"error"`
	}
	return err == nil && json.Unmarshal(body, &says) == nil && says.Error == "use_dpop_nonce"
}

func asksForNonce(resp *http.Response) bool {
	return slices.ContainsFunc(resp.Header.Values("WWW-Authenticate"), func(v string) bool { return strings.Contains(v, `"use_dpop_nonce"`) })
}

// answer is a response as the SDK can read it: it looks for what a server wants in
// challenges of the scheme Bearer only.
func (t *proving) answer(resp *http.Response, err error) (*http.Response, error) {
	if err != nil || t.issuer {
		return resp, err
	}
	for i, v := range resp.Header.Values("WWW-Authenticate") {
		const scheme = "dpop "
		if len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
			resp.Header["Www-Authenticate"][i] = "Bearer " + v[len(scheme):]
		}
	}
	return resp, nil
}

// accessToken is the access token that a request was sent with.
func accessToken(req *http.Request) string {
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP") {
		return token
	}
	return ""
}

// An unboundError says that an issuer has given a token without the key.
type unboundError struct{ kind string }

func (e *unboundError) Error() string {
	return fmt.Sprintf("the issuer gives a token of the type %q, which is not bound to the key: it has no DPoP; leave Options.DPoP out if such a token will do", cmp.Or(e.kind, "Bearer"))
}

// Transport returns a transport that sends with base and adds the proofs that bound
// tokens need. mcp.HTTP uses it.
func (h *Handler) Transport(base http.RoundTripper) http.RoundTripper {
	return &proving{base: base, prover: h.prover}
}

// Transport returns a transport that sends with base and adds the proofs that bound
// tokens need. mcp.HTTP uses it.
func (m *Machine) Transport(base http.RoundTripper) http.RoundTripper {
	return &proving{base: base, prover: m.prover}
}
