package protect

import (
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// recordDecision records what was decided for a recipient, refusals too, with all that it was decided by.
func (p *Protector) recordDecision(d *draft, dec policy.Decision, k known) {
	rule := fmt.Sprintf("sign=%t by %s, encrypt=%t by %s, profile=%s by %s", dec.Sign, dec.SignRule, dec.Encrypt, dec.EncRule, dec.Terms.Profile, dec.ProRule)
	if dec.TLS != mail.TLSAsRouted {
		rule += fmt.Sprintf(", tls=%s by %s", dec.TLS, dec.TLSRule)
	}
	switch {
	case dec.Ask:
		rule += ", on_missing=ask by " + dec.AskRule
	case dec.Missed != "":
		rule += fmt.Sprintf(", on_missing=%s by %s", dec.Missed, dec.AskRule)
	}
	for _, key := range dec.Lowered {
		rule += fmt.Sprintf(", %s lowered by the sender", key)
	}
	if len(d.groups) > 0 {
		rule += ", sender in " + groupNames(d.groups)
	}
	if d.env.DeMail != nil {
		rule += ", " + d.deMail.String()
	}
	d.events = append(d.events, track.Event{
		Time: p.o.Now(), Kind: track.Decided, ID: d.env.ID, Origin: d.origin, Direction: dec.Direction,
		From: d.env.From.String(), To: []string{dec.Recipient.String()},
		Rule: rule, Why: why(dec.Sources), Lowered: texted(dec.Lowered), Dry: dryRun(dec.Dry),
		Flags: d.asked(), Known: k.text(), Reply: p.said(dec.Refusal),
	})
}

// flush hands the events of a message to the recorder. Of one that has to wait there are none: what was
// decided is decided again. Nor are there any of one that nobody sent.
func (p *Protector) flush(d *draft) {
	for _, e := range d.events {
		if !d.peek {
			p.o.Recorder.Record(e)
		}
	}
	d.events = nil
}

// asked is what the sender asked for, what the sender's own program has done already, and the words that say so.
func (d *draft) asked() string {
	f := d.flags
	words := said(
		clause{f.Sign, "sign"}, clause{f.TrySign, "sign if possible"}, clause{f.Encrypt, "encrypt"}, clause{f.TryEncrypt, "encrypt if possible"},
		clause{f.Plain, "plain"}, clause{f.NoSign && !f.Plain, "do not sign"}, clause{f.NoEncrypt && !f.Plain, "do not encrypt"},
		clause{f.TLS != mail.TLSAsRouted, "tls " + string(f.TLS)}, clause{f.DeMail != policy.DeMailFlags{}, d.askedOfDeMail()},
	)
	text := strings.Join(append(words, d.is()...), ", ")
	if len(f.Words) > 0 {
		text += " (read: " + strings.Join(f.Words, "; ") + ")"
	}
	return strings.TrimSpace(text)
}

// is says how a message is labelled, and what the sender's own program has made it.
func (d *draft) is() []string {
	return said(
		clause{len(d.flags.Labels) > 0, "labelled " + strings.Join(d.flags.Labels, " and ")}, clause{d.form.Signed, "is signed"},
		clause{d.form.Encrypted, "is encrypted"}, clause{d.kind != "", "is " + string(d.kind)},
	)
}

// clause is a text that is said where it holds.
type clause struct {
	holds bool
	text  string
}

func said(all ...clause) (words []string) {
	for _, s := range all {
		if s.holds {
			words = append(words, s.text)
		}
	}
	return words
}

// said is what a sender is told, as it stands in the reply; empty where nothing is.
func (p *Protector) said(s *texts.Said) string {
	if s == nil {
		return ""
	}
	return p.o.Texts.SMTP(s.ID, s.Values)
}

func (k known) text() string {
	if k.cert != nil && !k.capabilities.IsZero() {
		return certName(k.cert) + ", reads " + k.capabilities.String()
	}
	if k.cert != nil {
		return certName(k.cert)
	}
	return k.why
}

// certName names a certificate to an operator.
func certName(c *x509.Certificate) string {
	name := strings.Join(c.EmailAddresses, ", ")
	if name == "" {
		name = x509x.Name(c.RawSubject)
	}
	return fmt.Sprintf("%s (serial %x)", name, c.SerialNumber)
}
