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

// A Key says what a token is for: whose it is, and the server, without a query.
type Key struct{ Tenant, Server string }

// A Store keeps what was granted. The data are credentials: a store that others can
// read should encrypt them. It may be used by many goroutines, and by many
// processes at once.
type Store interface {
	// Load returns what was saved last under key; nil if there is nothing.
	Load(ctx context.Context, key Key) ([]byte, error)
	// Save keeps data under key, in place of what was there. Nil drops it.
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
}

func (g *grant) token() *oauth2.Token {
	return &oauth2.Token{AccessToken: g.Access, RefreshToken: g.Refresh, TokenType: g.Type, Expiry: g.Expiry}
}

func (g *grant) config() *oauth2.Config {
	return &oauth2.Config{ClientID: g.ClientID, ClientSecret: g.ClientSecret, Scopes: g.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: g.TokenURL, AuthStyle: oauth2.AuthStyle(g.AuthStyle)}}
}

// Memory is a Store that lasts as long as the program.
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

// Dir is a Store of files in a directory, one for each key, which the user of the
// program alone can read. The directory is made when it is needed. The files are
// not encrypted.
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
