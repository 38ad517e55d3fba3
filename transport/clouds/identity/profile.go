package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// A profile is configs/NAME.json in the folder of profiles, as Anthropic's programs
// write it.
type profile struct {
	Authentication struct {
		Type             string `json:"type"` // "oidc_federation" or "user_oauth"
		CredentialsPath  string `json:"credentials_path"`
		FederationRuleID string `json:"federation_rule_id"`
		ServiceAccountID string `json:"service_account_id"`
		IdentityToken    *struct {
			Source string `json:"source"` // "file"
			Path   string `json:"path"`
		} `json:"identity_token"`
		ClientID string `json:"client_id"`
	} `json:"authentication"`
	BaseURL        string `json:"base_url"`
	OrganizationID string `json:"organization_id"`
	WorkspaceID    string `json:"workspace_id"`
}

// folder is where profiles are: ANTHROPIC_CONFIG_DIR, or anthropic in the user's
// folder of configurations.
func folder() (string, error) {
	if dir, ok := os.LookupEnv("ANTHROPIC_CONFIG_DIR"); ok && dir != "" {
		return dir, nil
	}
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("APPDATA"); dir != "" {
			return filepath.Join(dir, "Anthropic"), nil
		}
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "anthropic"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &platform.SettingError{Platform: name, Setting: "folder of profiles", Why: err.Error(), Remedy: "set ANTHROPIC_CONFIG_DIR"}
	}
	return filepath.Join(home, ".config", "anthropic"), nil
}

var profileName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// activeProfile is the name and the file of the profile in use.
func activeProfile() (name, file string, err error) {
	dir, err := folder()
	if err != nil {
		return "", "", err
	}
	name = "default"
	if data, err := readLimited(filepath.Join(dir, "active_config"), 1024); err == nil {
		name = cmp.Or(strings.TrimSpace(string(data)), name)
	}
	return name, filepath.Join(dir, "configs", name+".json"), nil
}

// FromProfile returns a client for a profile: configs/NAME.json in ANTHROPIC_CONFIG_DIR,
// or in ~/.config/anthropic. If the profile has a file with tokens, no other user may be
// able to read it; FromProfile's client updates it. api are further options; api.BaseURL
// takes precedence over the profile's.
func FromProfile(which string, api anthropic.Options) (*platform.Client, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	bad := func(setting, why, remedy string) error {
		return &platform.SettingError{Platform: name, Setting: setting, Why: why, Remedy: remedy}
	}
	if !profileName.MatchString(which) || strings.Trim(which, ".") == "" {
		return nil, bad("profile", fmt.Sprintf("%q is not a valid name", which), "use letters, digits and _ . - only")
	}
	file := filepath.Join(dir, "configs", which+".json")
	data, err := readLimited(file, 1<<20)
	if err != nil {
		return nil, &platform.CredentialsError{Platform: name, Looked: []platform.Place{{Where: file, Found: "not readable"}}, Err: err}
	}
	var p profile
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, bad("profile "+file, err.Error(), "repair the file, or log in again")
	}
	a := &p.Authentication
	if api.BaseURL = cmp.Or(api.BaseURL, p.BaseURL); api.BaseURL == "" {
		api.BaseURL = anthropic.BaseURL
	}
	o := Options{RuleID: a.FederationRuleID, OrganizationID: p.OrganizationID, ServiceAccountID: a.ServiceAccountID, WorkspaceID: p.WorkspaceID, API: api}
	kept := &keptFile{path: cmp.Or(a.CredentialsPath, filepath.Join(dir, "credentials", which+".json")), origin: api.BaseURL == cmp.Or(p.BaseURL, anthropic.BaseURL)}
	switch a.Type {
	case "oidc_federation":
		o.fromEnv()
		if t := a.IdentityToken; t != nil {
			if t.Source != "file" || t.Path == "" {
				return nil, bad("identity_token of "+file, fmt.Sprintf("the source %q isn't known, or has no path", t.Source), `say {"source":"file","path":…}`)
			}
			o.TokenFile, o.Token = t.Path, nil
		}
		x, err := newExchange(&o)
		if err != nil {
			return nil, err
		}
		return o.client(kept.before(x.get), "")
	case "user_oauth":
		e, err := newEndpoint(&o)
		if err != nil {
			return nil, err
		}
		u := &user{endpoint: e, clientID: a.ClientID, kept: kept}
		if _, err := kept.read(); err != nil {
			return nil, err
		}
		return o.client(u.get, p.WorkspaceID)
	}
	return nil, bad("authentication.type of "+file, fmt.Sprintf("%q isn't known", a.Type), "it must be oidc_federation or user_oauth")
}

// keptTokens is a file with tokens.
type keptTokens struct {
	Type         string `json:"type,omitempty"`
	AccessToken  string `json:"access_token"`
	ExpiresAt    *int64 `json:"expires_at,omitempty"` // seconds since 1970
	RefreshToken string `json:"refresh_token,omitempty"`
}

// fresh is the token, if it needs no renewal yet.
func (k *keptTokens) fresh() (token, bool) {
	t := token{value: secret.New(k.AccessToken)}
	if k.ExpiresAt != nil {
		t.ends = time.Unix(*k.ExpiresAt, 0)
	}
	return t, k.AccessToken != "" && (t.ends.IsZero() || time.Until(t.ends) > early)
}

type keptFile struct {
	path   string
	origin bool // the file's tokens are of the origin that requests go to
}

func (f *keptFile) read() (*keptTokens, error) {
	bad := func(found string, err error) error {
		return &platform.CredentialsError{Platform: name, Looked: []platform.Place{{Where: f.path, Found: found}}, Err: err}
	}
	info, err := os.Lstat(f.path)
	switch {
	case err != nil:
		return nil, bad("not readable", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, bad("a symbolic link", errors.New("a file with tokens must not be a link; name the file itself"))
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, bad(fmt.Sprintf("permissions %#o", info.Mode().Perm()), errors.New("other users can read or write the tokens; chmod 600 the file"))
	}
	data, err := readLimited(f.path, 1<<20)
	if err != nil {
		return nil, bad("not readable", err)
	}
	var k keptTokens
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, bad("not JSON", errors.New("log in again"))
	}
	return &k, nil
}

// write replaces the file as a whole.
func (f *keptFile) write(k *keptTokens) error {
	k.Type = cmp.Or(k.Type, "oauth_token")
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".token-*") // made with 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if _, err = temp.Write(data); err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), f.path)
}

// before gives the token in the file while that is good, and keeps what an exchange
// brings there, for the next process.
func (f *keptFile) before(exchange func(context.Context, bool) (token, error)) func(context.Context, bool) (token, error) {
	if !f.origin {
		return exchange
	}
	return func(ctx context.Context, force bool) (token, error) {
		if !force {
			if k, err := f.read(); err == nil {
				if t, ok := k.fresh(); ok {
					return t, nil
				}
			}
		}
		t, err := exchange(ctx, force)
		if err == nil && !t.ends.IsZero() {
			ends := t.ends.Unix()
			_ = f.write(&keptTokens{AccessToken: t.value.Reveal(), ExpiresAt: &ends}) // the next process exchanges again
		}
		return t, err
	}
}

// A user is somebody who has logged in: a token, and one to renew it with, which is
// good once.
type user struct {
	endpoint *endpoint
	clientID string
	kept     *keptFile
}

func (u *user) get(ctx context.Context, force bool) (token, error) {
	k, err := u.kept.read() // another process may have renewed it
	if err != nil {
		return token{}, err
	}
	if !u.kept.origin {
		return token{}, &platform.CredentialsError{Platform: name, Err: errors.New("the profile's tokens are for another origin than the base URL")}
	}
	if t, ok := k.fresh(); ok && !force {
		return t, nil
	}
	if u.clientID == "" || k.RefreshToken == "" {
		return token{}, &platform.CredentialsError{Platform: name, Looked: []platform.Place{{Where: u.kept.path, Found: "the token has ended"}}, Err: errors.New("it can't be renewed; log in again")}
	}
	g, err := u.endpoint.post(ctx, betaOAuth, map[string]string{"grant_type": "refresh_token", "refresh_token": k.RefreshToken, "client_id": u.clientID}, secret.New(k.RefreshToken), secret.New(k.AccessToken))
	if err != nil {
		return token{}, err
	}
	t := g.token()
	k.AccessToken, k.RefreshToken, k.ExpiresAt = g.AccessToken, cmp.Or(g.RefreshToken, k.RefreshToken), nil
	if !t.ends.IsZero() {
		ends := t.ends.Unix()
		k.ExpiresAt = &ends
	}
	if err := u.kept.write(k); err != nil {
		return token{}, fmt.Errorf("identity: the token was renewed but can't be stored, and the old refresh token is used up; log in again: %w", err)
	}
	return t, nil
}
