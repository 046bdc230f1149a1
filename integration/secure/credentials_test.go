//go:build integration

package secure_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"hash"
	"math/big"
	"net"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pem         []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key of %s: %v", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("certificate of %s: %v", name, err)
	}
	a := &authority{key: key, pem: block("CERTIFICATE", der)}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatalf("certificate of %s: %v", name, err)
	}
	return a
}

// issue makes a key and a certificate for this machine's loopback address, and for a
// client of that name.
func (a *authority) issue(t *testing.T, name string) (key, certificate []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("key of %s: %v", name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.certificate, private.Public(), a.key)
	if err != nil {
		t.Fatalf("certificate of %s: %v", name, err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatalf("key of %s: %v", name, err)
	}
	return block("PRIVATE KEY", encoded), block("CERTIFICATE", der)
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial(t *testing.T) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatalf("serial number: %v", err)
	}
	return n
}

// issuer signs tokens.
type issuer struct{ key *rsa.PrivateKey }

const keyID = "test-key"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatalf("key of tokens: %v", err)
	}
	return &issuer{key}
}

// jwks is the public key as a JSON Web Key Set (RFC 7517).
func (i *issuer) jwks(t *testing.T) []byte {
	t.Helper()
	exponent := bytes.TrimLeft(big.NewInt(int64(i.key.E)).Bytes(), "\x00")
	return encode(t, map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID,
		"n": base64.RawURLEncoding.EncodeToString(i.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(exponent),
	}}})
}

// token is a JSON Web Token for a user (RFC 7519), signed with RS256.
func (i *issuer) token(t *testing.T, user string, lifetime time.Duration) []byte {
	t.Helper()
	now := time.Now()
	text := part(encode(t, map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID})) + "." + part(encode(t, map[string]any{
		"sub": user, "scope": "kafka", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(lifetime).Unix(),
	}))
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatalf("sign a token: %v", err)
	}
	return []byte(text + "." + part(signature) + "\n")
}

func part(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return text
}

// scramIterations is the least that Kafka takes.
const scramIterations = 4096

func saltedSHA256(password string) func(salt []byte) []byte {
	return func(salt []byte) []byte { return derive(sha256.New, password, salt, sha256.Size) }
}

func saltedSHA512(password string) func(salt []byte) []byte {
	return func(salt []byte) []byte { return derive(sha512.New, password, salt, sha512.Size) }
}

func derive[H hash.Hash](newHash func() H, password string, salt []byte, size int) []byte {
	key, err := pbkdf2.Key(newHash, password, salt, scramIterations, size)
	if err != nil {
		panic(err) // only keys that are too long fail
	}
	return key
}
