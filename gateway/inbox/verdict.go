package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// verified reports whether a message is what it says that it is, signed by a provider that is to be believed.
func (m *message) verified() bool { return m.state == demail.StateTrusted && m.reason == "" }

// intact reports whether it is as the provider has it, who did not sign it: the guideline demands a signature of few messages, and a digest of all (3.4,
// 3.1.13). Anybody can write one, so that this rests on the connection to the provider.
func (m *message) intact() bool { return m.state == demail.StateHashed && !m.foreign }

// fits reports whether nothing speaks against the integrity of a message: it is signed, or has a digest at least that was not broken on the way.
func (m *message) fits() bool {
	return m.state == demail.StateTrusted || m.state == demail.StateUndecided || m.state == demail.StateHashed
}

// doubted reports whether a confirmation does not count, or a notification may be anybody's: not even its digest fits.
func (m *message) doubted() bool {
	return m.confirmation != nil && !m.proof || m.notification != nil && !m.fits()
}

// undecided reports whether somebody has to be asked who does not answer at present.
func (m *message) undecided() bool { return m.state == demail.StateUndecided }

// sign notes what was found of a signature, or of several: the weakest counts.
func (m *message) sign(at time.Time, all ...demail.Signature) {
	weakest := all[0]
	for _, s := range all[1:] {
		if s.State < weakest.State {
			weakest = s
		}
	}
	m.state, m.reason = weakest.State, safetext.Line(weakest.Reason, maxReason)
	m.verdict = proof.Verdict{At: at, State: m.state.String(), Reason: m.reason}
	for _, s := range all {
		for _, c := range append([]*x509.Certificate{s.Certificate}, s.Verdict.Chain...) {
			if c != nil && len(m.verdict.Certificates) < mostCertificates && !slices.ContainsFunc(m.verdict.Certificates, func(b proof.Blob) bool { return bytes.Equal(b.DER, c.Raw) }) {
				m.verdict.Certificates = append(m.verdict.Certificates, proof.Blob{DER: c.Raw})
			}
		}
	}
}

// Limits of what is kept of the certificates of one message, and of the answers about them.
const mostCertificates, mostAnswers = 20, 40

// answers adds what authorities said of the certificates of signatures.
func (i *Inbox) answers(ctx context.Context, m *message, all ...demail.Signature) {
	if i.o.Answers == nil {
		return
	}
	for _, s := range all {
		if s.Certificate != nil && len(s.Verdict.Chain) > 0 {
			m.verdict.Revocation = append(m.verdict.Revocation, i.o.Answers(ctx, append([]*x509.Certificate{s.Certificate}, s.Verdict.Chain...))...)
		}
	}
	m.verdict.Revocation = m.verdict.Revocation[:min(len(m.verdict.Revocation), mostAnswers)]
}

// plain notes what was found of a message that confirms nothing. Its reader sees From, so that it has to be who the provider says.
func (i *Inbox) plain(ctx context.Context, m *message, s demail.Signature, now time.Time) {
	m.sign(now, s)
	m.foreign = len(m.meta.From) != 1 || m.meta.From[0].Address != m.meta.Sender
	if m.foreign && (s.Trusted() || m.state == demail.StateHashed) {
		m.reason = "From is not the sender, " + m.meta.Sender.String()
		m.verdict.Reason = m.reason
	}
	m.verdict.Proven = m.verified()
	m.verdict.Undecided = m.undecided()
	m.verdict.Keys, m.verdict.Sender = kept(demail.KeysOf(m.meta)), m.meta.Sender
	i.answers(ctx, m, s)
}

// confirmed notes what was found of a confirmation.
func (i *Inbox) confirmed(ctx context.Context, m *message, now time.Time) {
	c := m.confirmation
	m.sign(now, c.Integrity.Signature, c.Signature)
	named, wrong := c.Keys() == kept(c.Keys()), c.Contradiction
	if wrong == "" && !named {
		wrong = "what it confirms is named by more than any id has"
	}
	if wrong != "" {
		m.state, m.reason = demail.StateBroken, safetext.Line(wrong, maxReason)
		m.verdict.State, m.verdict.Reason = m.state.String(), m.reason
	}
	m.verdict.Proven, m.verdict.Undecided = c.Proven() && named, c.Undecided() && named
	if c.Signature.State <= demail.StateBroken || !named { // what it says is not signed: it belongs to what it wants to, and is shown as what it is
		m.verdict.Keys = demail.Keys{PrivateID: m.meta.PrivateID}
	} else {
		signed := sha256.Sum256(c.XML)
		m.verdict.Keys, m.verdict.Issued, m.verdict.Delivered, m.verdict.Signed = c.Keys(), c.Time, c.DeliveryTime, signed[:]
		m.verdict.Sender, m.verdict.Recipient = people(&c.Acknowledgement)
	}
	i.answers(ctx, m, c.Integrity.Signature, c.Signature)
}

// maxKey is how long a name of a message may be: what has more is a stranger's, and no record takes it.
const maxKey = 8 << 10

// kept is what the record takes of the names of a message.
func kept(k demail.Keys) demail.Keys {
	for _, name := range []*string{&k.PrivateID, &k.DeMailID, &k.MessageID, &k.Integrity} {
		if len(*name) > maxKey {
			*name = ""
		}
	}
	return k
}

// people are who sent what is confirmed, and the recipient where it names one only; zero where it does not say.
func people(a *demail.Acknowledgement) (sender, recipient demail.Address) {
	text, _ := a.Get(demail.FieldSender)
	sender, _ = demail.ParseAddress(text)
	text, _ = a.Get(demail.FieldActualRecipient)
	if r, err := demail.ParseRecipients(text); err == nil && len(r.All()) == 1 {
		recipient = r.All()[0].Address
	}
	return sender, recipient
}

// counts notes whether the record takes a confirmation for proof of a submission.
func (m *message) counts(account string, r proof.Record) {
	for _, k := range r.Evidence {
		if k.Account == account && k.ID == m.id && m.confirmation != nil {
			if m.proof = k.Counts && k.SameBody != "no"; !m.proof && m.reason == "" {
				m.reason = "what it confirms is not the message that was sent"
			}
		}
	}
}

// notified notes what was found of a notification. Its XML is not signed, so that it is proven only as far as the whole message is.
func (i *Inbox) notified(ctx context.Context, m *message, now time.Time) {
	s := m.notification.Integrity.Signature
	m.sign(now, s)
	m.verdict.Proven, m.verdict.Undecided = s.Trusted(), m.undecided()
	m.verdict.Keys, m.verdict.Issued = demail.Keys{PrivateID: m.meta.PrivateID}, m.notification.Time
	i.answers(ctx, m, s)
}

// address finds out whose a message is, where the provider's answer does not say it: the address of its envelope has it, else those of its recipients
// that are the company's. Fields that cannot be read say nothing.
func (m *message) address(boxes map[demail.Address]mail.Address) {
	if !m.mailbox.IsZero() {
		return
	}
	if f, ok := m.header.First(demail.FieldEnvelopeTo); ok {
		if a, err := demail.ParseAddress(f.Value()); err == nil {
			m.mailbox = a
			return
		}
	}
	f, _ := m.header.First(demail.FieldActualRecipient)
	r, err := demail.ParseRecipients(f.Value())
	if err != nil {
		return
	}
	for _, one := range r.All() {
		if a, ok := boxes[one.Address]; ok && !slices.Contains(m.ours, a) {
			m.ours = append(m.ours, a)
		}
	}
}
