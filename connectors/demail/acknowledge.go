package demail

import (
	"bufio"
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Acknowledgement is what the XML of a confirmation says (3.4, 3.5.1). Texts in it are strangers'.
type Acknowledgement struct {
	Sender       string // who issued it: the provider's system address
	Metadates    []Metadate
	Subject      string // what it is, and the subject of the message
	Text         string
	Hash         string    // X-de-mail-integrity of the message that is confirmed, whole
	Time         time.Time // when this was issued
	DeliveryTime time.Time // when the message came into the mailbox; of a confirmation of retrieve only
}

// Metadate is one header field of the message that is confirmed.
type Metadate struct {
	Name     string
	Value    string // without its folding
	Original string // the whole field, as it was hashed
}

// parseAcknowledgement holds an element to the schema (3.4, 3.5.3), whose last element, the signature, has been taken out.
func parseAcknowledgement(root *node) (*Acknowledgement, error) {
	if !root.is(rootAcknowledge) {
		return nil, errors.New("the XML is no " + rootAcknowledge + " of " + namespace)
	}
	if err := root.plain(); err != nil {
		return nil, err
	}
	s := &sequence{of: root}
	a := &Acknowledgement{Sender: s.text("Sender")}
	if list := s.take("Metadata"); s.err == nil {
		a.Metadates, s.err = parseMetadates(list)
	}
	a.Subject, a.Text, a.Hash = s.text("Subject"), s.text("Text"), s.text("Hash")
	a.Time = s.time("Time")
	if s.err == nil && s.has("DeliveryTime") {
		a.DeliveryTime = s.time("DeliveryTime")
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return a, nil
}

func parseMetadates(list *node) ([]Metadate, error) {
	var out []Metadate
	s := &sequence{of: list}
	for s.has("Metadate") {
		of := &sequence{of: s.take("Metadate")}
		out = append(out, Metadate{of.text("Name"), of.text("Value"), of.text("OriginalHeader")})
		if err := of.end(); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 && s.err == nil {
		s.err = errors.New("the XML has no Metadate")
	}
	return out, s.end()
}

// Get is the value of the first Metadate of a name.
func (a *Acknowledgement) Get(name string) (string, bool) {
	for _, m := range a.Metadates {
		if strings.EqualFold(strings.Trim(m.Name, " \t\r\n:"), name) {
			return strings.Trim(m.Value, " \t\r\n"), true
		}
	}
	return "", false
}

// Keys are what the confirmation belongs to.
func (a *Acknowledgement) Keys() Keys {
	k := Keys{Integrity: squeeze(a.Hash)}
	k.PrivateID, _ = a.Get(FieldPrivateID)
	k.DeMailID, _ = a.Get(FieldDeMailID)
	k.MessageID, _ = a.Get(FieldMessageID)
	return k
}

// Original is the header of the message that is confirmed, as far as it is repeated. XML makes line ends LF, so they are made CRLF again. The
// error is ErrHeader, ErrLimit, or an ErrConfirmation where a Metadate is not the field that it says.
func (a *Acknowledgement) Original() (Header, error) {
	var h Header
	for _, m := range a.Metadates {
		raw := strings.Trim(strings.ReplaceAll(m.Original, "\r\n", "\n"), "\n")
		one, err := ReadHeader(bufio.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n") + "\r\n\r\n")))
		if err != nil {
			return Header{}, err
		}
		if len(one.fields) != 1 || !one.fields[0].Is(strings.Trim(m.Name, " \t\r\n:")) {
			return Header{}, fmt.Errorf("%w: a Metadate and its OriginalHeader are of different fields", ErrConfirmation)
		}
		if h.fields = append(h.fields, one.fields[0]); len(h.fields) > MaxFields {
			return Header{}, ErrLimit
		}
	}
	return h, nil
}

// Covers reports whether what is confirmed is a message with this body: nil where the digest of it is the one in Hash. It wraps
// ErrConfirmation where it is not, or where Hash cannot be read; other errors are those of body.
func (a *Acknowledgement) Covers(body io.Reader) error {
	i, err := ParseIntegrity(a.Hash)
	if err != nil {
		return fmt.Errorf("%w: its Hash is not one: %v", ErrConfirmation, err)
	}
	sum, err := BodyHash(body, i.Hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, i.BodyHash) {
		return fmt.Errorf("%w: of this message; the body that is confirmed is another", ErrConfirmation)
	}
	return nil
}

// CoversHeader reports whether the fields that are repeated have the digest, or the signature, that is confirmed. A provider that leaves
// out fields that were hashed makes this fail; nothing depends on it but how much of the header is proven. It wraps ErrConfirmation.
func (a *Acknowledgement) CoversHeader() error {
	h, err := a.Original()
	if err != nil {
		return err
	}
	i, err := ParseIntegrity(a.Hash)
	if err != nil {
		return fmt.Errorf("%w: its Hash is not one: %v", ErrConfirmation, err)
	}
	field, ok := h.First(FieldIntegrity)
	if !ok || squeeze(field.Value()) != squeeze(a.Hash) {
		return fmt.Errorf("%w: %s of the message is not repeated", ErrConfirmation, FieldIntegrity)
	}
	digest, err := headerHash(h, i, field)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrConfirmation, err)
	}
	if i.Algorithm == Unsigned {
		if !bytes.Equal(digest, i.Value) {
			return fmt.Errorf("%w: the fields that are repeated do not have the digest", ErrConfirmation)
		}
		return nil
	}
	return a.coversSigned(h, i, digest)
}

// coversSigned is CoversHeader for a message that was signed: by the certificate that it had.
func (a *Acknowledgement) coversSigned(h Header, i *Integrity, digest []byte) error {
	der, err := headerCertificate(h)
	if err == nil {
		c, e := parseCertificate(der)
		if err = e; e == nil {
			err = verify(c, i.Algorithm, i.Hash, digest, i.Value)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: the fields that are repeated do not have the signature: %v", ErrConfirmation, err)
	}
	return nil
}

// Keys are what a confirmation and a message have in common. Empty ones are not known.
type Keys struct {
	PrivateID string // the sender's own id
	DeMailID  string // the provider's
	MessageID string
	Integrity string // the value of X-de-mail-integrity without blanks
}

// KeysOf are those of a message.
func KeysOf(m *Metadata) Keys {
	return Keys{PrivateID: m.PrivateID, DeMailID: m.DeMailID, MessageID: m.MessageID, Integrity: squeeze(m.Integrity)}
}

// Match reports whether both belong to one message: at least one key is known to both and the same, and none is different.
func (k Keys) Match(o Keys) bool {
	same := 0
	for _, pair := range [][2]string{{k.PrivateID, o.PrivateID}, {k.DeMailID, o.DeMailID}, {k.MessageID, o.MessageID}, {k.Integrity, o.Integrity}} {
		switch {
		case pair[0] == "" || pair[1] == "":
		case pair[0] != pair[1]:
			return false
		default:
			same++
		}
	}
	return same > 0
}

// squeeze takes blanks out: the value of X-de-mail-integrity is folded here and not there.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s)
}

// BodyDigests are the digests of a body in the form of bh, by each hash that a provider may choose: what a sender keeps to compare later.
func BodyDigests(body io.Reader) (map[crypto.Hash][]byte, error) {
	sums := make(map[crypto.Hash]*bodyHasher)
	var writers []io.Writer
	for _, h := range hashes() {
		b := newBodyHasher(h)
		sums[h] = b
		writers = append(writers, b)
	}
	if _, err := io.Copy(io.MultiWriter(writers...), body); err != nil {
		return nil, err
	}
	out := make(map[crypto.Hash][]byte, len(sums))
	for h, b := range sums {
		out[h] = b.sum()
	}
	return out, nil
}
