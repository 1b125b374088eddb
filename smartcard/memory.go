package smartcard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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
	Refused  // or sure to be, since the card has accepted another one since
	Unharmed // no answer is known, but the counter has shown that it was not refused
)

// String is "refused".
func (o Outcome) String() string {
	switch o {
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	case Unharmed:
		return "unharmed"
	}
	return "unsettled"
}

// Attempt is what is remembered of a PIN. It says nothing of the PIN.
type Attempt struct {
	Outcome     Outcome
	Tries       int    // that were left before it was presented
	Card        string // Identity.String
	Ref         byte   // PIN.Ref
	Application string // PIN.Application
	At          time.Time
	Proven      bool // the card has accepted it at some time before
	Doubts      int  // how often its answer was lost since
}

// of tells whether the attempt was with the PIN of the card.
func (a Attempt) of(card string, p PIN) bool {
	return a.Card == card && a.Ref == p.Ref && a.Application == p.Application
}

// Memory remembers what became of PINs, across restarts. Where it errs, no PIN is presented. Note returns when what it was told would
// survive a loss of power. Its methods may be called at once.
type Memory interface {
	// Recall is the last attempt with a PIN; ok is false where there was none.
	Recall(ctx context.Context, f Fingerprint) (a Attempt, ok bool, err error)
	// Note remembers an attempt in place of the last one with this PIN.
	Note(ctx context.Context, f Fingerprint, a Attempt) error
	// Supersede remembers an attempt with the value that the PIN has now: all others of this PIN count as refused from now on.
	Supersede(ctx context.Context, f Fingerprint, a Attempt) error
	// Forget forgets all attempts with a PIN of a card: a human says that what is configured is right now.
	Forget(ctx context.Context, card string, p PIN) error
	// Unsettled lists the attempts with a PIN of a card of which no answer is known.
	Unsettled(ctx context.Context, card string, p PIN) (map[Fingerprint]Attempt, error)
}

// NewFingerprint makes what stands for a PIN of a card, under a key of at least 32 octets that is the same in every run. Its parts are
// separated by their lengths, so that no two PINs share one.
func NewFingerprint(key []byte, id Identity, p PIN, value []byte) (f Fingerprint) {
	h := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte("siegel smartcard PIN v1"), []byte(id.Family), []byte(id.Serial), []byte(p.Application), {p.Ref}, value} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	h.Sum(f[:0])
	return f
}

// ForThisRun is a Memory that ends with the process. It is for commands that a human runs, which present a PIN once.
func ForThisRun() Memory { return &runMemory{all: attempts{}} }

type runMemory struct {
	mu  sync.Mutex
	all attempts
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
	return m.all.note(f, a)
}

// Supersede implements Memory.
func (m *runMemory) Supersede(_ context.Context, f Fingerprint, a Attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.supersede(f, a)
}

// Forget implements Memory.
func (m *runMemory) Forget(_ context.Context, card string, p PIN) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all.forget(card, p)
	return nil
}

// Unsettled implements Memory.
func (m *runMemory) Unsettled(_ context.Context, card string, p PIN) (map[Fingerprint]Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.unsettled(card, p), nil
}

// maxAttempts bounds what is remembered.
const maxAttempts = 2048

// attempts is the last one with each PIN.
type attempts map[Fingerprint]Attempt

func (a Attempt) pin() PIN { return PIN{Ref: a.Ref, Application: a.Application} }

// note remembers an attempt. Where there is no room the oldest that was accepted gives way: its PIN is only new then. What was refused
// never does.
func (all attempts) note(f Fingerprint, a Attempt) error {
	if _, ok := all[f]; !ok && len(all) >= maxAttempts {
		var oldest Fingerprint
		found := false
		for g, b := range all {
			if b.Outcome == Accepted && (!found || b.At.Before(all[oldest].At)) {
				oldest, found = g, true
			}
		}
		if !found {
			return fmt.Errorf("smartcard: %d PINs that were refused are remembered, and no more can be; say by \"siegel smartcard unlock\" which is right", len(all))
		}
		delete(all, oldest)
	}
	all[f] = a
	return nil
}

func (all attempts) supersede(f Fingerprint, a Attempt) error {
	if err := all.note(f, a); err != nil {
		return err
	}
	for g, b := range all {
		if g != f && b.of(a.Card, a.pin()) {
			b.Outcome = Refused
			all[g] = b
		}
	}
	return nil
}

func (all attempts) forget(card string, p PIN) {
	for f, a := range all {
		if a.of(card, p) {
			delete(all, f)
		}
	}
}

func (all attempts) unsettled(card string, p PIN) map[Fingerprint]Attempt {
	found := map[Fingerprint]Attempt{}
	for f, a := range all {
		if a.Outcome == Unsettled && a.of(card, p) {
			found[f] = a
		}
	}
	return found
}
