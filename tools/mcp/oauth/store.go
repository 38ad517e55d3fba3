package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A Key identifies a token by its tenant and its server. Server is a URL without a query.
type Key struct{ Tenant, Server string }

// A Store stores tokens. The data are credentials: a store that others can read should
// encrypt them. A Store must be safe for concurrent use, and may be used by several
// processes.
type Store interface {
	// Load returns the data saved last under key; nil if there is none.
	Load(ctx context.Context, key Key) ([]byte, error)
	// Save stores data under key, and replaces earlier data. Nil deletes it.
	Save(ctx context.Context, key Key, data []byte) error
}

// A grant is what is kept. It holds what a refresh needs.
type grant struct {
	Access       string    `json:"access_token"`
	Refresh      string    `json:"refresh_token,omitempty"`
	Type         string    `json:"token_type,omitempty"`
	Expiry       time.Time `json:"expiry,omitzero"`
	Scopes       []string  `json:"scopes,omitempty"`
	ClientID     string    `json:"client_id"`
	ClientSecret string    `json:"client_secret,omitempty"`
	TokenURL     string    `json:"token_url"`
	AuthStyle    int       `json:"auth_style,omitempty"`
	Key          []byte    `json:"dpop_key,omitempty"` // that the tokens are bound to; PKCS #8
}

func (g *grant) token() *oauth2.Token {
	return &oauth2.Token{AccessToken: g.Access, RefreshToken: g.Refresh, TokenType: g.Type, Expiry: g.Expiry}
}

func (g *grant) config() *oauth2.Config {
	return &oauth2.Config{ClientID: g.ClientID, ClientSecret: g.ClientSecret, Scopes: g.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: g.TokenURL, AuthStyle: oauth2.AuthStyle(g.AuthStyle)}}
}

// Memory returns a Store in memory.
func Memory() Store { return &memory{kept: map[Key][]byte{}} }

type memory struct {
	mu   sync.Mutex
	kept map[Key][]byte
}

func (m *memory) Load(_ context.Context, key Key) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[key], nil
}

func (m *memory) Save(_ context.Context, key Key, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data == nil {
		delete(m.kept, key)
	} else {
		m.kept[key] = append([]byte{}, data...)
	}
	return nil
}

// Dir returns a Store of files in a directory, one for each key, that only the user of
// the program can read. The directory is created when needed. The files are not
// encrypted.
func Dir(path string) Store { return dir(path) }

type dir string

func (d dir) file(key Key) string {
	sum := sha256.Sum256([]byte(key.Tenant + "\x00" + key.Server))
	return filepath.Join(string(d), hex.EncodeToString(sum[:])+".json")
}

func (d dir) Load(_ context.Context, key Key) ([]byte, error) {
	data, err := os.ReadFile(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// Save writes a new file and puts it in the place of the old one.
func (d dir) Save(_ context.Context, key Key, data []byte) error {
	if data == nil {
		err := os.Remove(d.file(key))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), "token-") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), d.file(key))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
