package proof

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// recordBody is what is sealed of a submission and never changes.
type recordBody struct {
	ID         mail.ID
	Origin     mail.ID
	Account    string
	Sender     demail.Address
	Author     mail.Address
	Recipients demail.Recipients
	Options    demail.Options
	Subject    string
	MessageID  string
	Accepted   time.Time
	Began      time.Time
	Measure    measure
}

// recordStatus is what is sealed of a submission and changes.
type recordStatus struct {
	State       State
	ReceiptID   string
	ReceiptTime time.Time
	Taken       time.Time
	Tried       time.Time
	Attempts    int
	Awaits      int
	Told        int
	Waived      bool
	Steps       int
}

// evidenceBody is what is sealed of evidence.
type evidenceBody struct {
	Account  string
	ID       string
	Kind     demail.MessageType
	Fetched  time.Time
	Measure  measure
	Verdicts []Verdict
}

// The places that sealed values are bound to.
func recordPlace(key string) []byte            { return []byte("record " + key) }
func statusPlace(key string) []byte            { return []byte("status " + key) }
func stepPlace(key string, idx int) []byte     { return fmt.Appendf(nil, "step %d %s", idx, key) }
func evidencePlace(mac []byte) []byte          { return fmt.Appendf(nil, "evidence %x", mac) }
func arrivalPlace(mac []byte) []byte           { return fmt.Appendf(nil, "arrival %x", mac) }
func contentPlace(name string) []byte          { return []byte("content " + name) }
func stampPlace(digest []byte) []byte          { return fmt.Appendf(nil, "stamp %x", digest) }
func (s *Store) mac(what, value string) []byte { return s.key.MAC([]byte(what + "\x00" + value))[:16] }

// message is the hash that a provider's message is found by.
func (s *Store) message(account, id string) []byte { return s.mac("message "+account, id) }

// blobName is the name of a content that is shared.
func (s *Store) blobName(sum []byte) string { return hex.EncodeToString(s.mac("blob", string(sum))) }

func (s *Store) seal(v any, place []byte) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return s.key.Seal(text, place)
}

// unseal reads what seal wrote; ErrDamaged.
func (s *Store) unseal(sealed, place []byte, v any) error {
	text, err := s.key.Open(sealed, place)
	if errors.Is(err, atrest.ErrKey) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: a row was altered", ErrDamaged)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%w: a row cannot be read", ErrDamaged)
	}
	return nil
}

// termsOf lists what a record is found by, beside its key.
func (s *Store) termsOf(b *recordBody) [][]byte {
	terms := [][]byte{s.mac("id", string(b.ID)), s.mac("id", string(b.Origin)), s.mac("account", b.Account), s.mac("from", strings.ToLower(b.Sender.String()))}
	if !b.Author.IsNull() {
		terms = append(terms, s.mac("from", b.Author.Key()))
	}
	for _, r := range b.Recipients.All() {
		terms = append(terms, s.mac("to", r.Address.String()))
	}
	if id := bareID(b.MessageID); id != "" {
		terms = append(terms, s.mac("message-id", id))
	}
	for name, sum := range b.Measure.Bodies {
		terms = append(terms, s.mac("body "+name, string(sum)))
	}
	return terms
}

// bareID is a Message-ID without its brackets.
func bareID(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.Trim(s, " \t\r\n"), "<"), ">")
}

func milli(t time.Time) int64 { return t.UnixMilli() }
