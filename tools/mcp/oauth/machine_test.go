package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport/secret"
)

func (i *issuer) machine(o oauth.MachineOptions) (*mcp.Client, error) {
	i.t.Helper()
	h, err := oauth.NewMachine(i.URL+"/mcp", o)
	if err != nil {
		i.t.Fatal(err)
	}
	c, err := mcp.HTTP(i.t.Context(), i.URL+"/mcp", nil, mcp.Options{OAuth: h})
	if err != nil {
		return nil, err
	}
	i.t.Cleanup(func() { c.Close() })
	return c, i.call(c)
}

// A program gets tokens for itself, by its secret or by its key, again when they expire
// or are revoked, and no user is asked.
func TestMachine(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]oauth.MachineOptions{
		"secret": {ClientID: "robot", ClientSecret: secret.New("pass word")},
		"key":    {ClientID: "robot", Key: key},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.key, i.life = &key.PublicKey, 5*time.Second // used up when it is given
			c, err := i.machine(o)
			if err != nil {
				t.Fatal(err)
			}
			i.mu.Lock()
			i.life = time.Hour
			i.mu.Unlock()
			before := i.counts("machine")
			if err := errors.Join(i.call(c), i.call(c)); err != nil || i.counts("machine") != before+1 {
				t.Errorf("expired: %v, %d tokens", err, i.counts("machine")-before)
			}
			i.revoke(true)
			if err := i.call(c); err != nil || i.counts("machine") != before+2 {
				t.Errorf("revoked: %v, %d tokens", err, i.counts("machine")-before)
			}
			if i.counts("asked") != 0 || i.counts("served robot") == 0 {
				t.Errorf("a user was asked %d times", i.counts("asked"))
			}
		})
	}
}

// A program that the issuer doesn't know is an error that doesn't hold its secret, and
// another issuer is given none.
func TestMachineRefused(t *testing.T) {
	i := newIssuer(t)
	_, err := i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("wrong secret 0815")})
	var failed *oauth.AuthorizationError
	if err == nil || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "0815") {
		t.Errorf("a wrong secret: %v", err)
	}
	if strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("robot:wrong+secret"))) {
		t.Errorf("the secret is in the error: %v", err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.machine(oauth.MachineOptions{ClientID: "robot", Key: stranger})
	if err == nil || !strings.Contains(err.Error(), "seen:") || strings.Contains(err.Error(), "eyJ") { // as each JWT begins
		t.Errorf("a wrong key: %v", err)
	}
	before := i.counts("machine")
	_, err = i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), Issuer: "https://issuer.example"})
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "issuer.example") || i.counts("machine") != before {
		t.Errorf("another issuer: %v", err)
	}
	// Names that only begin as the other one does, either way.
	for _, name := range []string{i.URL[:len(i.URL)-1], i.URL + "0", i.URL + "/tenant", strings.Replace(i.URL, "http:", "https:", 1)} {
		_, err = i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), Issuer: name})
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "MachineOptions.Issuer is "+name) || i.counts("machine") != before {
			t.Errorf("the issuer %s in the place of %s: %v", name, i.URL, err)
		}
	}
	if _, err = i.machine(oauth.MachineOptions{ClientID: "robot", ClientSecret: secret.New("pass word"), Issuer: i.URL + "/"}); err != nil {
		t.Errorf("the issuer with a slash: %v", err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]oauth.MachineOptions{
		"must have a ClientID": {ClientSecret: secret.New("x")},
		"either":               {ClientID: "robot"},
		"P-256":                {ClientID: "robot", Key: p384},
		"a Key":                {ClientID: "robot", ClientSecret: secret.New("x"), Key: stranger},
		"or an Assertion":      {Key: stranger, Assertion: (&oauth.IdentityProvider{}).Assertion},
	} {
		if _, err := oauth.NewMachine(i.URL, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
