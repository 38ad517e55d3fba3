package simulator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// A sealer makes the opaque strings of the service: signatures, redacted
// thinking, encrypted content. It encrypts them with a key of the simulator's
// own, so that it can tell its own from others and read back what they hold.
// Equal input gives equal output.
type sealer struct {
	aead cipher.AEAD
	key  []byte
}

func newSealer(secret []byte) sealer {
	key := sha256.Sum256(secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is always fine
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // so is AES
	}
	return sealer{aead: aead, key: key[:]}
}

// seal encrypts plain. What is sealed for one kind doesn't open as another.
func (s sealer) seal(kind string, plain []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(kind))
	mac.Write(plain)
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(kind)))
}

// open reverses seal; it is false for what was not sealed by this key for this kind.
func (s sealer) open(kind, sealed string) ([]byte, bool) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	n := s.aead.NonceSize()
	if err != nil || len(raw) < n {
		return nil, false
	}
	plain, err := s.aead.Open(nil, raw[:n], raw[n:], []byte(kind))
	return plain, err == nil
}

// Kinds of sealed strings.
const (
	kindSignature  = "thinking"
	kindRedacted   = "redacted_thinking"
	kindCompaction = "compaction"
	kindPage       = "page"
	kindIndex      = "index"
)

// A thought is what the signature of a thinking block holds.
type thought struct {
	ID       uint64 `json:"i"` // tells this block from all others
	Response uint64 `json:"r"` // the response it came in
	Index    int    `json:"n"` // its place among that response's thinking blocks
	Of       int    `json:"o"` // how many those are
	Before   uint64 `json:"b"` // ID of the thinking block before it in the conversation, or 0
	Prefix   uint64 `json:"p"` // hash of everything before it but thinking
	System   uint64 `json:"s"` // of the system prompt alone
	Tools    uint64 `json:"l"` // of the tools alone
	Model    string `json:"m"`
	Account  uint64 `json:"a"`
	Text     uint64 `json:"t"` // hash of the visible text
	Tokens   int    `json:"k"`
	Omitted  bool   `json:"e"` // the text was omitted, so that any is taken in its place
}

func (s sealer) sign(kind string, t thought) string {
	plain, err := json.Marshal(t)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return s.seal(kind, plain)
}

func (s sealer) verify(kind, sealed string) (*thought, bool) {
	plain, ok := s.open(kind, sealed)
	if !ok {
		return nil, false
	}
	t := new(thought)
	return t, json.Unmarshal(plain, t) == nil
}
