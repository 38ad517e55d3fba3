// Package awsauth signs requests for the platforms on AWS: with Signature Version 4
// and the credentials that the AWS SDK finds, or with an API key as a Bearer token.
package awsauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"github.com/whorl-go/whorl/transport/clouds/internal/noredirect"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

// A Setup says what a platform is reached with.
type Setup struct {
	Platform string // its name, for errors
	Service  string // the name that it is signed for, such as "bedrock"

	Region  string       // empty: as Config or the environment says
	Config  *aws.Config  // nil: loaded from the environment
	APIKey  secret.Value // instead of a signature
	KeyVars []string     // variables with an API key, which count if nothing else is set

	Now func() time.Time // nil: time.Now
}

// A Signer adds the credentials to requests. Many goroutines may use it.
type Signer struct {
	setup  Setup
	region string
	key    func() string // "" to sign
	config aws.Config
	v4     *v4.Signer
	// skew is how far the service's clock is ahead of this machine's, in nanoseconds.
	skew atomic.Int64
}

var region = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)

// New finds region and credentials, and fails if they aren't there.
func New(ctx context.Context, s Setup) (*Signer, error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	out := &Signer{setup: s, region: s.Region, v4: v4.NewSigner(), key: func() string { return "" }}
	key := s.APIKey
	for _, name := range s.KeyVars {
		if key.IsZero() && s.Config == nil {
			key = secret.FromEnv(name)
		}
	}
	if s.Config != nil {
		out.config = *s.Config
	} else if key.IsZero() || s.Region == "" {
		// The library's clients of services follow no redirect, but that of a container's
		// credentials does.
		opts := []func(*config.LoadOptions) error{config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = noredirect.Client() })}
		if s.Region != "" {
			opts = append(opts, config.WithRegion(s.Region))
		}
		loaded, err := config.LoadDefaultConfig(ctx, opts...)
		if err != nil && key.IsZero() {
			return nil, out.noCredentials(err)
		}
		out.config = loaded
	}
	if out.region == "" {
		out.region = out.config.Region
	}
	switch {
	case out.region == "":
		return nil, &platform.SettingError{Platform: s.Platform, Setting: "region", Why: "none is set", Remedy: "set Options.Region, AWS_REGION or AWS_DEFAULT_REGION, or a region in the profile"}
	case !region.MatchString(out.region):
		return nil, &platform.SettingError{Platform: s.Platform, Setting: "region", Why: fmt.Sprintf("%q is no name of a region", out.region), Remedy: "give one such as us-east-1"}
	}
	if !key.IsZero() {
		out.key = key.Reveal
		return out, nil
	}
	prefersBearer := len(out.config.AuthSchemePreference) > 0 && out.config.AuthSchemePreference[0] == "httpBearerAuth"
	if out.config.BearerAuthTokenProvider != nil && (prefersBearer || out.config.Credentials == nil) {
		return out, nil
	}
	out.config.BearerAuthTokenProvider = nil
	if out.config.Credentials == nil {
		return nil, out.noCredentials(nil)
	}
	if _, err := out.config.Credentials.Retrieve(ctx); err != nil {
		return nil, out.noCredentials(err)
	}
	return out, nil
}

// Region is the region that requests are signed for.
func (s *Signer) Region() string { return s.region }

// noCredentials is the error that names each place that was looked at.
func (s *Signer) noCredentials(err error) error {
	e := &platform.CredentialsError{Platform: s.setup.Platform, Err: err}
	if s.setup.Config != nil {
		e.Looked = []platform.Place{{Where: "Options.Config.Credentials", Found: foundIf(s.setup.Config.Credentials != nil)}}
		return e
	}
	e.Looked = append(e.Looked, platform.Place{Where: "Options.API.APIKey", Found: "not set"})
	for _, name := range slices.Concat(s.setup.KeyVars, []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"}) {
		e.Looked = append(e.Looked, platform.Place{Where: name, Found: foundVar(name)})
	}
	home, _ := os.UserHomeDir()
	for _, f := range []struct{ variable, file string }{{"AWS_SHARED_CREDENTIALS_FILE", "credentials"}, {"AWS_CONFIG_FILE", "config"}} {
		name := os.Getenv(f.variable)
		if name == "" {
			name = filepath.Join(home, ".aws", f.file)
		}
		found := "no such file"
		if _, err := os.Stat(name); err == nil {
			found = "there"
		}
		e.Looked = append(e.Looked, platform.Place{Where: name, Found: found})
	}
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		e.Looked = append(e.Looked, platform.Place{Where: name, Found: foundVar(name)})
	}
	machine := "no answer, or no role"
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		machine = "turned off by AWS_EC2_METADATA_DISABLED"
	}
	e.Looked = append(e.Looked, platform.Place{Where: "the machine's role (IMDS)", Found: machine})
	return e
}

func foundVar(name string) string { return foundIf(os.Getenv(name) != "") }

func foundIf(set bool) string {
	if set {
		return "set"
	}
	return "not set"
}

// unsigned are headers that are no part of the signature: what instruments a program
// may replace them behind it.
var unsigned = []string{"Traceparent", "Tracestate", "Baggage"}

// Authorize adds the credentials to a request.
func (s *Signer) Authorize(req *http.Request) error {
	if key := s.key(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
		return nil
	}
	if p := s.config.BearerAuthTokenProvider; p != nil {
		token, err := p.RetrieveBearerToken(req.Context())
		if err != nil {
			return &platform.CredentialsError{Platform: s.setup.Platform, Err: err}
		}
		req.Header.Set("Authorization", "Bearer "+token.Value)
		return nil
	}
	credentials, err := s.config.Credentials.Retrieve(req.Context())
	if err != nil {
		if req.Context().Err() != nil {
			return context.Cause(req.Context())
		}
		return &platform.CredentialsError{Platform: s.setup.Platform, Err: err}
	}
	if credentials.CanExpire && credentials.Expires.Before(s.now()) {
		of := ""
		if credentials.Source != "" {
			of = " of " + credentials.Source
		}
		return &platform.CredentialsError{Platform: s.setup.Platform, Err: fmt.Errorf("the credentials%s ended on %s; log in again, or correct the clock of this machine", of, credentials.Expires.UTC().Format(time.DateTime))}
	}
	hash, err := bodyHash(req)
	if err != nil {
		return err
	}
	held := http.Header{}
	for _, name := range unsigned {
		if v, ok := req.Header[name]; ok {
			held[name] = v
			delete(req.Header, name)
		}
	}
	err = s.v4.SignHTTP(req.Context(), credentials, req, hash, s.setup.Service, s.region, s.now())
	for name, v := range held {
		req.Header[name] = v
	}
	return err
}

func (s *Signer) now() time.Time { return s.setup.Now().Add(time.Duration(s.skew.Load())) }

// bodyHash reads the body once, without keeping it.
func bodyHash(req *http.Request) (string, error) {
	h := sha256.New()
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, body)
		body.Close()
		if err != nil {
			return "", err
		}
	} else if req.Body != nil && req.Body != http.NoBody {
		return "", errors.New("the body can be read once only, and a signature needs it before it is sent: give a reader that can seek")
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// tolerance is how far a clock may be off: the service takes 5 minutes.
const tolerance = 4 * time.Minute

// ClockWrong looks at a refusal. If the service's clock and this machine's differ by
// more than a signature may, it goes by the service's from then on, and reports that
// the request should be signed again.
func (s *Signer) ClockWrong(resp *http.Response) bool {
	signed := s.key() == "" && s.config.BearerAuthTokenProvider == nil
	if !signed || resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadRequest {
		return false
	}
	there, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return false
	}
	skew := there.Sub(s.setup.Now())
	if (skew - time.Duration(s.skew.Load())).Abs() < tolerance {
		return false
	}
	s.skew.Store(int64(skew))
	return true
}

// Skew is how far the service's clock is ahead, as far as it was found out.
func (s *Signer) Skew() time.Duration { return time.Duration(s.skew.Load()) }
