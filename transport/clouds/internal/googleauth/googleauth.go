// Package googleauth gives requests a token of Google's, for the platforms there.
package googleauth

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"github.com/whorl-go/whorl/transport/clouds/internal/noredirect"
	"github.com/whorl-go/whorl/transport/clouds/platform"
)

const scope = "https://www.googleapis.com/auth/cloud-platform"

// A Source gives tokens. Many goroutines may use it.
type Source struct {
	platform string
	creds    *auth.Credentials
}

// New makes a Source of creds, or of what the environment has (Application Default
// Credentials) if that is nil.
func New(name string, creds *auth.Credentials) (*Source, error) {
	if creds != nil {
		return &Source{platform: name, creds: creds}, nil
	}
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: []string{scope}, Client: noredirect.Client()})
	if err != nil {
		return nil, &platform.CredentialsError{Platform: name, Looked: places(), Err: err}
	}
	return &Source{platform: name, creds: found}, nil
}

// places are where Application Default Credentials are looked for.
func places() []platform.Place {
	variable := platform.Place{Where: "GOOGLE_APPLICATION_CREDENTIALS", Found: "not set"}
	if name := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); name != "" {
		variable.Found = "set"
		if _, err := os.Stat(name); err != nil {
			variable.Found = "set, but there is no such file"
		}
	}
	home, _ := os.UserHomeDir()
	file := filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
	if runtime.GOOS == "windows" {
		file = filepath.Join(os.Getenv("APPDATA"), "gcloud", "application_default_credentials.json")
	}
	found := "no such file: gcloud auth application-default login makes it"
	if _, err := os.Stat(file); err == nil {
		found = "there"
	}
	return []platform.Place{{Where: "Options.Credentials", Found: "not set"}, variable, {Where: file, Found: found}, {Where: "the machine's metadata server", Found: "no answer"}}
}

// Project is the project that the credentials belong to; empty if they don't tell.
func (s *Source) Project(ctx context.Context) string {
	id, err := s.creds.ProjectID(ctx)
	if err != nil {
		return ""
	}
	return id
}

// Authorize adds a token, which the library keeps and renews before it ends.
func (s *Source) Authorize(req *http.Request) error {
	token, err := s.creds.Token(req.Context())
	switch {
	case err != nil && req.Context().Err() != nil:
		return context.Cause(req.Context())
	case err != nil:
		return &platform.CredentialsError{Platform: s.platform, Err: err}
	case token == nil || token.Value == "":
		return &platform.CredentialsError{Platform: s.platform, Err: errors.New("the token is empty")}
	case !token.Expiry.IsZero() && token.Expiry.Before(time.Now()):
		return &platform.CredentialsError{Platform: s.platform, Err: errors.New("the token ended on " + token.Expiry.UTC().Format(time.DateTime) + "; log in again, or correct the clock of this machine")}
	}
	if token.Type != "" && !strings.EqualFold(token.Type, "Bearer") {
		return &platform.CredentialsError{Platform: s.platform, Err: errors.New("the token is no Bearer token but of the type " + token.Type)}
	}
	req.Header.Set("Authorization", "Bearer "+token.Value)
	return nil
}

// Segment checks what becomes a part of a path.
func Segment(name, setting, value, remedy string) error {
	switch {
	case value == "":
		return &platform.SettingError{Platform: name, Setting: setting, Why: "none is set", Remedy: remedy}
	case strings.Trim(value, ".") == "" || strings.ContainsAny(value, "/?#%; \t\r\n"):
		return &platform.SettingError{Platform: name, Setting: setting, Why: "\"" + value + "\" can't be one", Remedy: remedy}
	}
	return nil
}
