package awsauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithybearer "github.com/aws/smithy-go/auth/bearer"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/clouds/platform"
	"github.com/whorl-go/whorl/transport/secret"
)

func credentialed(c aws.Credentials) *aws.Config {
	return &aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })}
}

// TestVectors signs the requests of AWS's published test suite for Signature Version 4
// (as in github.com/boto/botocore, tests/unit/auth, Apache-2.0) that a client of HTTP can
// send, and that aren't about paths with dots or a body's length, which is signed here.
func TestVectors(t *testing.T) {
	var all []struct{ Name, Request, Authorization string }
	data, err := os.ReadFile("testdata/sigv4.json")
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	signed := 0
	for _, v := range all {
		base := path.Base(v.Name)
		head, body, _ := strings.Cut(v.Request, "\n\n")
		if strings.HasPrefix(v.Name, "normalize-path/") && base != "get-special-character" || base == "get-utf8" || base == "get-vanilla-utf8-query" || body != "" || strings.Contains(head, "\n ") {
			continue
		}
		lines := strings.Split(head, "\n")
		method, target, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
		where, query, _ := strings.Cut(target, "?")
		req := &http.Request{Method: method, Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: "example.amazonaws.com", Path: where, RawQuery: query}}
		credentials := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
		for _, line := range lines[1:] {
			switch name, value, _ := strings.Cut(line, ":"); name {
			case "", "Host", "X-Amz-Date":
			case "X-Amz-Security-Token":
				credentials.SessionToken = value
			default:
				req.Header.Add(name, value)
			}
		}
		if base == "get-vanilla-with-session-token" {
			credentials.SessionToken = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
		}
		s, err := New(t.Context(), Setup{Platform: "test", Service: "service", Config: credentialed(credentials), Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Traceparent", "00-1-2-01") // is no part of the signature
		if err := s.Authorize(req.WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := req.Header.Get("Authorization"); got != v.Authorization {
			t.Errorf("%s:\n%s\n%s", v.Name, got, v.Authorization)
		}
		if req.Header.Get("Traceparent") == "" {
			t.Error("traceparent is lost")
		}
		signed++
	}
	if signed != 22 {
		t.Errorf("%d vectors were signed", signed)
	}
}

// environment is one without anything of AWS's.
func environment(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "ANTHROPIC_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// TestNoCredentials names each place that was looked at.
func TestNoCredentials(t *testing.T) {
	environment(t)
	t.Setenv("AWS_REGION", "us-east-1")
	_, err := New(t.Context(), Setup{Platform: "Amazon Bedrock", Service: "bedrock", KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK"}})
	var none *platform.CredentialsError
	if !errors.As(err, &none) || !errors.Is(err, transport.ErrAuthentication) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"AWS_BEARER_TOKEN_BEDROCK (not set)", "AWS_ACCESS_KEY_ID (not set)", ".aws/credentials (no such file)", ".aws/config (no such file)", "AWS_WEB_IDENTITY_TOKEN_FILE (not set)", "AWS_CONTAINER_CREDENTIALS_FULL_URI (not set)", "AWS_EC2_METADATA_DISABLED"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if _, err := New(t.Context(), Setup{Platform: "Amazon Bedrock", Config: &aws.Config{Region: "us-east-1"}}); !errors.As(err, &none) || !strings.Contains(err.Error(), "Options.Config.Credentials (not set)") {
		t.Errorf("%v", err)
	}
}

// TestRegion holds a region that is missing, or can't be one.
func TestRegion(t *testing.T) {
	environment(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for region, want := range map[string]string{"": "AWS_REGION", "virginia": "no name of a region", "us-east-1.evil.example/": "no name of a region", "us-east-1": "", "us-gov-west-1": "", "eusc-de-east-1": ""} {
		_, err := New(t.Context(), Setup{Platform: "Amazon Bedrock", Service: "bedrock", Region: region})
		var bad *platform.SettingError
		if want == "" && err != nil || want != "" && (!errors.As(err, &bad) || bad.Setting != "region" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", region, err)
		}
	}
	t.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
	if s, err := New(t.Context(), Setup{Platform: "Amazon Bedrock", Service: "bedrock"}); err != nil || s.Region() != "eu-west-1" {
		t.Errorf("%v", err)
	}
}

// TestWhichCredentials prefers what the program gives to what the environment has: a key,
// then its own Config.
func TestWhichCredentials(t *testing.T) {
	environment(t)
	t.Setenv("AWS_BEARER_TOKEN_BEDROCK", "key-of-the-environment")
	own := credentialed(aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"})
	for want, s := range map[string]Setup{
		"Bearer key-of-the-environment":            {Region: "us-east-1"},
		"Bearer key-of-the-program":                {Region: "us-east-1", APIKey: secret.New("key-of-the-program")},
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/": {Config: own},
	} {
		s.Platform, s.Service, s.KeyVars = "Amazon Bedrock", "bedrock", []string{"AWS_BEARER_TOKEN_BEDROCK"}
		signer, err := New(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("POST", "https://bedrock.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := signer.Authorize(req); err != nil || !strings.HasPrefix(req.Header.Get("Authorization"), want) {
			t.Errorf("%v %v, want %s", req.Header, err, want)
		}
	}
}

// TestEnded refuses credentials that have ended, and a body that can't be read twice.
func TestEnded(t *testing.T) {
	s, err := New(t.Context(), Setup{Platform: "Amazon Bedrock", Service: "bedrock", Config: credentialed(aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", Source: "a test", CanExpire: true, Expires: time.Now().Add(-time.Hour)})})
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://example.com", strings.NewReader("{}"))
	err = s.Authorize(req)
	var ended *platform.CredentialsError
	if !errors.As(err, &ended) || !strings.Contains(err.Error(), "a test ended on") || !ended.Permanent() {
		t.Errorf("%v", err)
	}
	s, err = New(t.Context(), Setup{Platform: "Amazon Bedrock", Service: "bedrock", Config: credentialed(aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"})})
	if err != nil {
		t.Fatal(err)
	}
	req.Body, req.GetBody = io.NopCloser(strings.NewReader("{}")), nil
	if err := s.Authorize(req); err == nil || !strings.Contains(err.Error(), "can seek") {
		t.Errorf("%v", err)
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("{}")), nil }
	if err := s.Authorize(req); err != nil || !regexp.MustCompile(`Signature=[0-9a-f]{64}$`).MatchString(req.Header.Get("Authorization")) {
		t.Errorf("%v %s", err, req.Header.Get("Authorization"))
	}
}

// A clock that was found to be wrong is a reason to sign again once, not each time that
// the service refuses.
func TestClockIsWrongOnce(t *testing.T) {
	s, err := New(t.Context(), Setup{Service: "bedrock", Config: credentialed(aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"})})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(ahead time.Duration) *http.Response {
		return &http.Response{StatusCode: 403, Header: http.Header{"Date": {time.Now().Add(ahead).UTC().Format(http.TimeFormat)}}}
	}
	if s.ClockWrong(refused(time.Minute)) || !s.ClockWrong(refused(time.Hour)) {
		t.Error("a minute counts, or an hour doesn't")
	}
	if s.ClockWrong(refused(time.Hour)) || s.Skew() < 50*time.Minute {
		t.Errorf("the same clock is wrong again, at a skew of %v", s.Skew())
	}
	if !s.ClockWrong(refused(0)) || s.Skew().Abs() > time.Minute {
		t.Errorf("the clock is right again, at a skew of %v", s.Skew())
	}
}

// A signature is for the region that the program names, also where its Config has another.
func TestSignedRegion(t *testing.T) {
	config := credentialed(aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"})
	for named, want := range map[string]string{"eu-west-1": "eu-west-1", "": config.Region} {
		s, err := New(t.Context(), Setup{Service: "bedrock", Region: named, Config: config})
		if err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://bedrock.example/", strings.NewReader("{}"))
		if err := s.Authorize(req); err != nil || s.Region() != want || !strings.Contains(req.Header.Get("Authorization"), "/"+want+"/bedrock/aws4_request") {
			t.Errorf("%q: %s, %v: %s", named, s.Region(), err, req.Header.Get("Authorization"))
		}
	}
}

// A signature covers the whole body, and no header that what instruments a program may
// replace behind it; those are sent as they were.
func TestWhatIsSigned(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s, err := New(t.Context(), Setup{Service: "bedrock", Config: credentialed(aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}), Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, body := range []string{"", "{}", `{"a":1}`, `{"a":2}`} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://bedrock.example/", strings.NewReader(body))
		sent := map[string]string{"Traceparent": "00-1-2-01", "Tracestate": "a=b", "Baggage": "c=d"}
		for name, v := range sent {
			req.Header.Set(name, v)
		}
		if err := s.Authorize(req); err != nil {
			t.Fatal(err)
		}
		signature := req.Header.Get("Authorization")
		if other, twice := seen[signature]; twice {
			t.Errorf("%q is signed as %q", body, other)
		}
		seen[signature] = body
		for name, v := range sent {
			if req.Header.Get(name) != v || strings.Contains(signature, strings.ToLower(name)) {
				t.Errorf("%s: %q, signed as %s", name, req.Header.Get(name), signature)
			}
		}
	}
}

// A token of the Config's counts where there are no credentials, or where it is preferred.
// The program's Config stays as it is.
func TestBearerOfTheConfig(t *testing.T) {
	both := credentialed(aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"})
	both.BearerAuthTokenProvider = bearer{}
	preferred, alone := *both, *both
	preferred.AuthSchemePreference = []string{"httpBearerAuth"}
	alone.Credentials = nil
	for want, config := range map[string][]*aws.Config{"AWS4-HMAC-SHA256 ": {both}, "Bearer token-of-the-config": {&preferred, &alone}} {
		for _, config := range config {
			s, err := New(t.Context(), Setup{Service: "bedrock", Config: config})
			if err != nil {
				t.Fatal(err)
			}
			req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://bedrock.example/", nil)
			if err := s.Authorize(req); err != nil || !strings.HasPrefix(req.Header.Get("Authorization"), want) {
				t.Errorf("%v: %s, want %s", err, req.Header.Get("Authorization"), want)
			}
			if config.BearerAuthTokenProvider == nil {
				t.Error("the program's Config was changed")
			}
		}
	}
}

type bearer struct{}

func (bearer) RetrieveBearerToken(context.Context) (smithybearer.Token, error) {
	return smithybearer.Token{Value: "token-of-the-config"}, nil
}

// A request with a key has no time in it: whatever the clock is, it isn't sent again.
func TestClockAndKey(t *testing.T) {
	s, err := New(t.Context(), Setup{Service: "bedrock", Region: "us-east-1", APIKey: secret.New("key-of-the-program")})
	if err != nil {
		t.Fatal(err)
	}
	if s.ClockWrong(&http.Response{StatusCode: 403, Header: http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}) {
		t.Error("it would be sent again")
	}
}
