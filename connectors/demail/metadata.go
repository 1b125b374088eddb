package demail

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/encword"
)

// MaxPrivateID is the longest sender's own id (3.4, 3.1.17).
const MaxPrivateID = 1024

// maxText bounds the other texts without structure.
const maxText = 4096

// Version is the version of the guideline that this package writes (3.4, table 26).
const Version = "1.8"

// Metadata is what the header of a De-Mail says (3.4, table 1). Fields that it does not have are zero.
type Metadata struct {
	Options             // 1 to 5
	Type    MessageType // 16; a message without one is of no type that is known

	Sender           Address           // 6
	Chosen, Actual   Recipients        // 7, 19
	Subject          string            // 8; decoded, a stranger's text
	PrivateID        string            // 9; the sender's own, which comes back in confirmations
	ReplyTo          []Mailbox         // 10
	Level            Level             // 11; how the sender had logged in
	Mechanism        string            // 12
	Date             time.Time         // 13
	DeMailID         string            // 14; the provider's
	Provider         string            // 15; the name of its server
	Resent           Resent            // 20
	EnvelopeTo       string            // 21; who got it, as the provider wrote it
	Version          string            // 22
	AccountHolder    string            // 23; decoded
	NotificationType NotificationType  // 24
	From             []Mailbox         // 25
	MessageID        string            // 26
	Integrity        string            // 17; see ParseIntegrity
	Certificate      []byte            // 18; DER, not judged
	Unknown          []Field           // fields with De-Mail's prefix that the guideline does not have; kept as they are
	Repeated         []string          // names of fields that stand there more than once: the topmost counted
	Violations       []Violation       // where the message is not as table 1 has it
	present          map[string]string // values by name in lower case
}

// Resent tells of an automatic forwarding (3.4, 3.2).
type Resent struct {
	To, From  []Mailbox
	Date      time.Time
	MessageID string
}

// Violation is something that the guideline does not allow in such a message, and that can be read all the same.
type Violation struct{ Field, Rule string }

// String is both in a line.
func (v Violation) String() string { return v.Field + ": " + v.Rule }

// ParseMetadata reads the fields of De-Mail. A field that stands there more than once counts as its topmost does (3.4, 3.1.1), a missing
// option is "no" (3.1.2 to 3.1.6). A value that the guideline does not have is an error, a *FieldError. What is missing, or should not be
// there, is in Violations: providers of older versions leave fields out.
func ParseMetadata(h Header) (*Metadata, error) {
	m := &Metadata{present: make(map[string]string)}
	for _, f := range h.fields {
		name := lower(f.Name)
		if !belongs(name) {
			continue
		}
		if _, again := m.present[name]; again {
			if !slices.Contains(m.Repeated, f.Name) {
				m.Repeated = append(m.Repeated, f.Name)
			}
			continue
		}
		m.present[name] = f.Value()
		if IsMetadata(name) && !slices.ContainsFunc(table(), func(r row) bool { return f.Is(r.name) }) {
			m.Unknown = append(m.Unknown, f)
		}
	}
	for _, c := range m.codecs() {
		value, ok := m.present[lower(c.name)]
		if !ok {
			continue
		}
		if err := c.parse(value); err != nil {
			return nil, wrapField(c.name, err)
		}
	}
	m.check()
	return m, nil
}

// wrapField gives an error its field.
func wrapField(name string, err error) error {
	return fieldError(name, "%s", strings.TrimPrefix(err.Error(), "demail: "))
}

// Fields writes the metadata, in the order of table 1 and with the names in lower case (3.4, 3.1); zero values are left out, but a normal
// message says "no" of each option that it does not have. Integrity and Certificate are not written: [Sealer] makes them. The error is
// a *FieldError.
func (m *Metadata) Fields() ([]Field, error) {
	var fields []Field
	w := *m // reading it back changes it
	for _, c := range w.codecs() {
		value := c.format()
		if value == "" {
			continue
		}
		f, err := c.field(value)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return append(fields, m.Unknown...), nil
}

// field makes the field of a value. What would not be read is not written.
func (c codec) field(value string) (Field, error) {
	if err := c.parse(value); err != nil {
		return Field{}, wrapField(c.name, err)
	}
	if IsMetadata(c.name) {
		return NewField(lower(c.name), value) // 3.4, 3.1
	}
	return NewField(c.name, value)
}

// check fills Violations.
func (m *Metadata) check() {
	column, ok := m.Type.column()
	if !ok {
		m.violate(FieldMessageType, "it is missing")
		return
	}
	for _, r := range table() {
		_, there := m.present[lower(r.name)]
		switch {
		case !there && r.in[column] == must && !older(m.Version, r.since):
			m.violate(r.name, fmt.Sprintf("it is missing, and each message of type %q has it", m.Type))
		case there && r.in[column] == never:
			m.violate(r.name, fmt.Sprintf("no message of type %q has it", m.Type))
		}
	}
	if _, signed := m.present[lower(FieldCertificate)]; m.Authoritative && !signed {
		m.violate(FieldCertificate, "it is missing, and what is sent as authoritative is signed")
	}
	if err := m.Options.Check(m.Sender, m.Level); err != nil && m.Type == TypeNormal {
		m.violate(FieldSender, strings.TrimPrefix(err.Error(), ErrOptions.Error()+": "))
	}
	if len(m.From) == 1 && m.Type == TypeNormal && !m.Sender.IsZero() && m.From[0].Address != m.Sender {
		m.violate(FieldFrom, "it is not "+FieldSender)
	}
}

func (m *Metadata) violate(field, rule string) {
	m.Violations = append(m.Violations, Violation{field, rule})
}

// older reports whether a version is before the one that has a field first. What is no version is not older.
func older(version, since string) bool {
	return since != "" && len(version) == 3 && version < since
}

// codec reads and writes one field.
type codec struct {
	name   string
	parse  func(string) error
	format func() string
}

// codecs are those of all fields in the order of table 1.
func (m *Metadata) codecs() []codec {
	option := func(name string, b *bool) codec {
		return codec{name, parseOption(b), func() string { return m.formatOption(*b) }}
	}
	return []codec{
		option(FieldDispatch, &m.Dispatch),
		option(FieldReceipt, &m.Receipt),
		option(FieldRetrieve, &m.Retrieve),
		option(FieldAuthoritative, &m.Authoritative),
		option(FieldPrivate, &m.Private),
		{FieldSender, func(s string) (err error) { m.Sender, err = ParseAddress(s); return }, func() string { return m.Sender.String() }},
		recipients(FieldChosenRecipient, &m.Chosen),
		decoded(FieldSubject, &m.Subject),
		text(FieldPrivateID, &m.PrivateID, MaxPrivateID),
		mailboxes(FieldReplyTo, &m.ReplyTo),
		oneOf(FieldAuthLevel, &m.Level, LevelNormal, LevelHigh),
		decoded(FieldAuthMechanism, &m.Mechanism),
		date(FieldDate, &m.Date),
		text(FieldDeMailID, &m.DeMailID, maxText),
		{FieldProvider, func(s string) (err error) { m.Provider, err = ParseDomain(s); return }, func() string { return m.Provider }},
		oneOf(FieldMessageType, &m.Type, TypeNormal, TypeDispatch, TypeReceipt, TypeRetrieve, TypeMalwareAcknowledge,
			TypeMalwareNotification, TypeNotification, TypeIdentification),
		{FieldIntegrity, func(s string) error { m.Integrity = s; return nil }, none},
		{FieldCertificate, func(s string) (err error) { m.Certificate, err = parseBase64(s); return }, none},
		recipients(FieldActualRecipient, &m.Actual),
		mailboxes(FieldResentTo, &m.Resent.To),
		mailboxes(FieldResentFrom, &m.Resent.From),
		date(FieldResentDate, &m.Resent.Date),
		text(FieldResentMessageID, &m.Resent.MessageID, maxText),
		text(FieldEnvelopeTo, &m.EnvelopeTo, maxText),
		{FieldVersion, m.parseVersion, func() string { return m.Version }},
		decoded(FieldAccountHolder, &m.AccountHolder),
		oneOf(FieldNotificationType, &m.NotificationType, NotifyUnknownRecipient, NotifyClosedAccount, NotifyInvalidFormat, NotifyOther),
		mailboxes(FieldFrom, &m.From),
		text(FieldMessageID, &m.MessageID, maxText),
	}
}

func none() string { return "" }

// formatOption writes an option; what is not a normal message has options only where they are set.
func (m *Metadata) formatOption(b bool) string {
	switch {
	case b:
		return "yes"
	case m.Type == TypeNormal:
		return "no"
	}
	return ""
}

// parseOption reads "yes" or "no", whose case matters (3.4, 3.1.2 to 3.1.6).
func parseOption(b *bool) func(string) error {
	return func(s string) error {
		if s != "yes" && s != "no" {
			return fmt.Errorf(`%s is neither "yes" nor "no"`, quote(s))
		}
		*b = s == "yes"
		return nil
	}
}

func oneOf[T ~string](name string, v *T, all ...T) codec {
	return codec{name, func(s string) error {
		if !slices.Contains(all, T(s)) {
			return fmt.Errorf("%s is none of its values", quote(s))
		}
		*v = T(s)
		return nil
	}, func() string { return string(*v) }}
}

func recipients(name string, r *Recipients) codec {
	return codec{name, func(s string) (err error) { *r, err = ParseRecipients(s); return }, func() string { return r.String() }}
}

func mailboxes(name string, list *[]Mailbox) codec {
	return codec{name, func(s string) (err error) { *list, err = parseList(s); return }, func() string { return formatList(*list) }}
}

func date(name string, t *time.Time) codec {
	return codec{name, func(s string) error {
		var err error
		if *t, err = mail.ParseDate(s); err != nil {
			return fmt.Errorf("%s is no date", quote(s))
		}
		return nil
	}, func() string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC1123Z)
	}}
}

// text is a value without structure, as it stands there.
func text(name string, v *string, most int) codec {
	return codec{name, func(s string) error {
		if len(s) > most {
			return fmt.Errorf("longer than %d characters", most)
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("control characters in it")
		}
		*v = s
		return nil
	}, func() string { return *v }}
}

// decoded is a value without structure whose encoded words (RFC 2047) mean text.
func decoded(name string, v *string) codec {
	return codec{name, func(s string) error {
		if len(s) > 4*maxText {
			return fmt.Errorf("longer than %d characters", 4*maxText)
		}
		*v = encword.Parse(s).String()
		return nil
	}, func() string {
		if strings.ContainsFunc(*v, func(r rune) bool { return r < ' ' || r > '~' }) || strings.Contains(*v, "=?") || strings.Trim(*v, " ") != *v {
			return strings.ReplaceAll(encword.Encode(*v), "\r\n", "")
		}
		return *v
	}}
}

// parseVersion reads the number of a version, also one that came later (3.4, 3.1.16).
func (m *Metadata) parseVersion(s string) error {
	major, minor, ok := strings.Cut(s, ".")
	if !ok || !isNumber(major) || !isNumber(minor) || len(s) > 8 {
		return fmt.Errorf("%s is no version", quote(s))
	}
	m.Version = s
	return nil
}
