package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// jwt is a signed JWT (RFC 7519) with the header and the claims. It sets alg.
func jwt(key crypto.Signer, header, claims map[string]any) (string, error) {
	var err error
	if header["alg"], err = algorithm(key); err != nil {
		return "", err
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode(head) + "." + encode(body)
	signature, err := sign(key, []byte(signed))
	return signed + "." + encode(signature), err
}

// algorithm is the JWS algorithm of a key (RFC 7518 §3.1, RFC 8037 §3.1).
func algorithm(key crypto.Signer) (string, error) {
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case ed25519.PublicKey:
		return "EdDSA", nil
	case *ecdsa.PublicKey:
		if public.Curve.Params().BitSize == 256 {
			return "ES256", nil
		}
	}
	return "", errors.New("oauth: the key is none of an ECDSA key of P-256, an Ed25519 key and an RSA key")
}

// sign signs data as JWS wants it (RFC 7518 §3).
func sign(key crypto.Signer, data []byte) ([]byte, error) {
	digest, hash := data, crypto.Hash(0)
	if _, ok := key.Public().(ed25519.PublicKey); !ok {
		sum := sha256.Sum256(data)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		return nil, fmt.Errorf("oauth: the key can't sign: %w", err)
	}
	if _, ok := key.Public().(*ecdsa.PublicKey); !ok {
		return signature, nil
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, fmt.Errorf("oauth: the key's signature can't be read: %w", err)
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}
