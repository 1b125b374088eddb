package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync"
)

// memory knows signatures that were found good: those of authorities are met with every message. Each is known by all that it
// rests on, the key of its maker with what restricts it, and the whole certificate. What was not good is not kept: strangers
// could fill it.
type memory struct {
	mu   sync.Mutex
	good map[[sha256.Size]byte]struct{}
}

// maxRemembered bounds the signatures; when there are more, all are forgotten.
const maxRemembered = 8192

func newMemory() *memory { return &memory{good: map[[sha256.Size]byte]struct{}{}} }

func signatureKey(issuer, c *x509.Certificate) [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(issuer.RawSubjectPublicKeyInfo))))
	h.Write(issuer.RawSubjectPublicKeyInfo)
	h.Write(c.Raw)
	return [sha256.Size]byte(h.Sum(nil))
}

func (m *memory) knows(key [sha256.Size]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.good[key]
	return ok
}

func (m *memory) keep(key [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.good) >= maxRemembered {
		clear(m.good)
	}
	m.good[key] = struct{}{}
}
