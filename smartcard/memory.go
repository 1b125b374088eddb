package smartcard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// Fingerprint stands for a PIN of a card: an HMAC-SHA-256 over both. Who has not the key learns nothing from it.
type Fingerprint [sha256.Size]byte

// String is its hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Outcome is what became of presenting a PIN.
type Outcome int

// The outcomes.
const (
	Unsettled Outcome = iota // it was about to be presented, and no answer is known
	Accepted
	Refused
)

// Attempt is what is remembered of a PIN. It says nothing of the PIN.
type Attempt struct {
	Outcome Outcome
	Tries   int    // that were left before it was presented
	Card    string // Identity.String
	Ref     byte
	At      time.Time
}

// Memory remembers what became of PINs, across restarts. Where it errs, no PIN is presented. Note returns when what it was told would
// survive a loss of power. Its methods may be called at once.
type Memory interface {
	// Recall is the last attempt with a PIN; ok is false where there was none.
	Recall(ctx context.Context, f Fingerprint) (a Attempt, ok bool, err error)
	// Note remembers an attempt in place of the last one with this PIN.
	Note(ctx context.Context, f Fingerprint, a Attempt) error
	// Forget forgets what was refused by the PIN with this number of a card: a human says that it is right now.
	Forget(ctx context.Context, card string, ref byte) error
}

// fingerprint separates its parts by their lengths, so that no two PINs share one.
func fingerprint(key []byte, id Identity, p PIN, value []byte) (f Fingerprint) {
	h := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte("siegel smartcard PIN v1"), []byte(id.Family), []byte(id.Serial), {p.Ref}, value} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	h.Sum(f[:0])
	return f
}

// ForThisRun is a Memory that ends with the process. It is for commands that a human runs, which present a PIN once.
func ForThisRun() Memory { return &runMemory{all: map[Fingerprint]Attempt{}} }

type runMemory struct {
	mu  sync.Mutex
	all map[Fingerprint]Attempt
}

// Recall implements Memory.
func (m *runMemory) Recall(_ context.Context, f Fingerprint) (Attempt, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.all[f]
	return a, ok, nil
}

// Note implements Memory.
func (m *runMemory) Note(_ context.Context, f Fingerprint, a Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[f] = a
	return nil
}

// Forget implements Memory.
func (m *runMemory) Forget(_ context.Context, card string, ref byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for f, a := range m.all {
		if a.Card == card && a.Ref == ref {
			delete(m.all, f)
		}
	}
	return nil
}
