package interop

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// made is a message and who failed to make it.
type made struct {
	message []byte
	err     error
}

// matrix is all outcomes: of every case, what each peer does with ours and we with its.
type matrix struct {
	w     *world
	ours  ours
	peers []peer

	mu       sync.Mutex
	messages map[string]func() made      // by maker and case
	outcomes map[string]map[string]error // by case, then by peer and direction
}

// The directions, as in the keys of outcomes.
const (
	readsOurs = " reads"
	writes    = " writes"
)

var errNotSent = errors.New("is not sent")

// once makes a message the first time that it is asked for.
func (m *matrix) once(key string, f func() ([]byte, error)) made {
	m.mu.Lock()
	g, ok := m.messages[key]
	if !ok {
		g = sync.OnceValue(func() made {
			message, err := f()
			return made{message, err}
		})
		m.messages[key] = g
	}
	m.mu.Unlock()
	return g()
}

func (m *matrix) signed(p peer, c signCase) made {
	return m.once(p.name()+"|"+c.key(), func() ([]byte, error) { return p.sign(c, theContent()) })
}

// sealed is made once for all who read it.
func (m *matrix) sealed(p peer, c sealCase) made {
	return m.once(p.name()+"|"+c.message(), func() ([]byte, error) { return p.encrypt(c, theContent()) })
}

func (m *matrix) note(key, what string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.outcomes[key] == nil {
		m.outcomes[key] = map[string]error{}
	}
	m.outcomes[key][what] = err
}

// TestMatrix exchanges a message of every kind with every peer, both ways, and compares what came out with
// docs/interoperability.md. With -update it writes that page.
func TestMatrix(t *testing.T) {
	w := getWorld(t)
	m := &matrix{w: w, ours: ours{w}, peers: peers(t, w), messages: map[string]func() made{}, outcomes: map[string]map[string]error{}}
	t.Run("peers", func(t *testing.T) {
		for _, p := range m.peers {
			t.Run(p.name()+" signs", func(t *testing.T) {
				t.Parallel()
				for _, c := range signCases() {
					m.sign(t, p, c)
				}
			})
			t.Run(p.name()+" encrypts", func(t *testing.T) {
				t.Parallel()
				for _, c := range sealCases() {
					m.seal(t, p, c)
				}
			})
		}
	})
	if !t.Failed() || *update {
		m.page(t)
	}
}

// sign tries one case with one peer.
func (m *matrix) sign(t *testing.T, p peer, c signCase) {
	content := theContent()
	if c.readers {
		m.note(c.key(), p.name()+readsOurs, errNotSent)
	} else {
		sent := m.signed(m.ours, c)
		if sent.err != nil {
			t.Errorf("%s: we do not sign: %v", c.key(), sent.err)
			return
		}
		err := p.verify(c, sent.message, content)
		m.note(c.key(), p.name()+readsOurs, err)
		if err == nil {
			m.control(t, p, c, sent.message)
		} else if other := m.otherSigned(p, c); other != "" {
			t.Errorf("%s: %s reads what %s makes, and not ours: %v", c.key(), p.name(), other, err)
		}
	}
	got := m.signed(p, c)
	if got.err == nil {
		got.err = m.ours.matches(c, got.message, content)
	}
	if got.err == nil {
		err := m.ours.verify(c, got.message, content)
		got.err = judged(t, c.key(), p, err, declinedSignature(p, c))
	}
	m.note(c.key(), p.name()+writes, got.err)
}

// judged is the outcome of what we read, which must fail where there is a reason to decline it, and only there.
func judged(t *testing.T, key string, p peer, err error, why string) error {
	switch {
	case err != nil && why == "":
		t.Errorf("%s: we do not read what %s makes: %v", key, p.name(), err)
	case err == nil && why != "":
		t.Errorf("%s: we read what %s makes, and should not: it %s", key, p.name(), why)
	case why != "":
		return errors.New(why)
	}
	return nil
}

// declinedSignature is why we do not verify what p signs; empty where we do.
func declinedSignature(p peer, c signCase) string {
	if p.name() == "NSS" && c.schemes[0].person == "rsapss" {
		return "writes no parameters of RSASSA-PSS beside the signature, which RFC 4056 (3) demands; OpenSSL refuses that too"
	}
	return ""
}

// control holds that a peer that finds a signature right finds it wrong for other content.
func (m *matrix) control(t *testing.T, p peer, c signCase, message []byte) {
	if c.ski || c.form != detached && c.form != opaque {
		return
	}
	other := bytes.Replace(theContent(), []byte("Vertrag"), []byte("Betrage"), 1)
	if c.form == opaque {
		message = bytes.Replace(message, []byte("Vertrag"), []byte("Betrage"), 1)
	}
	if err := p.verify(c, message, other); err == nil {
		t.Errorf("%s: %s finds the signature right for other content", c.key(), p.name())
	}
}

// otherSigned is who else makes such a message that p reads; "" where nobody does, so that what p lacks is its own lack.
// Of the key identifiers, which gpgsm and the Go libraries do not read in any form, one form is enough.
func (m *matrix) otherSigned(p peer, c signCase) string {
	if c.ski && c.form != opaque {
		return ""
	}
	for _, q := range m.peers {
		if got := m.signed(q, c); q.name() != p.name() && got.err == nil && m.ours.matches(c, got.message, theContent()) == nil && p.verify(c, got.message, theContent()) == nil {
			return q.name()
		}
	}
	return ""
}

// seal tries one case with one peer.
func (m *matrix) seal(t *testing.T, p peer, c sealCase) {
	content := theContent()
	if c.sent() {
		sent := m.sealed(m.ours, c)
		if sent.err != nil {
			t.Errorf("%s: we do not encrypt: %v", c.key(), sent.err)
			return
		}
		err := p.decrypt(c, m.w.people[c.reader().person], sent.message, content)
		m.note(c.key(), p.name()+readsOurs, err)
		if err != nil && c.form == streamed { // so that what it lacks is its own lack
			if other := m.otherSealed(p, c); other != "" {
				t.Errorf("%s: %s reads what %s makes, and not ours: %v", c.key(), p.name(), other, err)
			}
		}
	} else {
		m.note(c.key(), p.name()+readsOurs, errNotSent)
	}
	got := m.sealed(p, c)
	if got.err == nil {
		got.err = m.ours.sealed(c, got.message)
		if errors.Is(got.err, errForm) && m.ours.decrypt(c, m.w.people[c.reader().person], got.message, content) == nil {
			t.Errorf("%s: we decrypt what %s puts where it does not belong", c.key(), p.name())
		}
	}
	if got.err == nil {
		err := m.ours.decrypt(c, m.w.people[c.reader().person], got.message, content)
		got.err = judged(t, c.key(), p, err, declinedEnvelope(c))
	}
	m.note(c.key(), p.name()+writes, got.err)
}

// otherSealed is who else makes such a message that p reads; "" where nobody does.
func (m *matrix) otherSealed(p peer, c sealCase) string {
	for _, q := range m.peers {
		got := m.sealed(q, c)
		if q.name() != p.name() && got.err == nil && m.ours.sealed(c, got.message) == nil && p.decrypt(c, m.w.people[c.reader().person], got.message, theContent()) == nil {
			return q.name()
		}
	}
	return ""
}

// declinedEnvelope is why we do not read a case; empty where we do.
func declinedEnvelope(c sealCase) string {
	switch {
	case c.algorithm == "rc2-cbc":
		return "writes RC2, which Siegel does not read"
	case c.algorithm == "des-ede3-cbc" && strings.HasPrefix(c.reader().name, "ECDH"):
		return "wraps the content key with 3DES too, which Siegel does not read"
	}
	return ""
}

func (c sealCase) reader() transport { return c.transports[c.by] }

// message names the message of a case, which several may read.
func (c sealCase) message() string {
	c.by = 0
	return fmt.Sprint(c.key())
}
