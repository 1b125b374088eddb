package smime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// HeaderProtection says whether the header fields of a message are protected along with its content, and how
// (RFC 9788). The zero HeaderProtection protects none. Values compare by ==.
type HeaderProtection struct {
	Policy HeaderPolicy
	// WithoutLegacyDisplay leaves out of the body what shows an obscured Subject to programs that decrypt and
	// do not know RFC 9788 (5.2.1).
	WithoutLegacyDisplay bool
}

// HeaderPolicy says what of the header shows outside of an encrypted message (RFC 9788, 3). A message that is
// not encrypted shows all of it.
type HeaderPolicy string

const (
	// HCPBaseline puts "[...]" in place of the Subject and leaves out Comments and Keywords (RFC 9788, 3.2.1),
	// and Thread-Topic, in which Outlook repeats the Subject.
	HCPBaseline HeaderPolicy = "hcp_baseline"
	// HCPNoConfidentiality leaves everything outside as it is (RFC 9788, 3.2.3): it can be read on the way, and
	// not changed unnoticed.
	HCPNoConfidentiality HeaderPolicy = "hcp_no_confidentiality"
)

func (h HeaderProtection) check() error {
	switch h.Policy {
	case "", HCPBaseline, HCPNoConfidentiality:
		return nil
	}
	return fmt.Errorf("%w: %q is no policy for header fields; use %s or %s", ErrOptions, h.Policy, HCPBaseline, HCPNoConfidentiality)
}

// obscured is the Subject of a message that does not show it (RFC 9788, 3.2.1).
const obscured = "[...]"

// outside is a field as it stands outside of an encrypted message; ok is false where it is left out.
func (p HeaderPolicy) outside(f entity.Field) (out entity.Field, ok bool) {
	if p != HCPBaseline {
		return f, true
	}
	switch {
	case f.Is("Subject"):
		return entity.Field{Name: f.Name, Raw: []byte(f.Name + ": " + obscured + "\r\n")}, true
	case f.Is("Comments"), f.Is("Keywords"), f.Is("Thread-Topic"):
		return f, false
	}
	return f, true
}

// The parameters and the field of RFC 9788, 2.
const (
	paramHP            = "hp"
	paramLegacyDisplay = "hp-legacy-display"
	fieldOuter         = "HP-Outer"

	hpClear  = "clear"
	hpCipher = "cipher"
)

// authored tells whether a field is its author's to protect, and so may come out of a protected header: every
// one that does not describe content (RFC 9788, 1.1), but for those that servers on the way write and believe,
// that speak for a gateway, and that nobody but its reader may see. A message that comes to be protected has
// been on its way for a while: they are of no use within, and taken from there they would be forged.
func authored(f entity.Field) bool {
	if describesContent(f) || slices.ContainsFunc(traceFields, f.Is) {
		return false
	}
	return !slices.ContainsFunc(tracePrefixes, f.HasPrefix)
}

var (
	traceFields = []string{
		"MIME-Version", fieldOuter, "Bcc",
		"Received", "Return-Path", "Delivered-To", "X-Original-To", "X-Received", // RFC 5321, 4.4
		"DKIM-Signature", "DomainKey-Signature", "Authentication-Results", "Received-SPF", // RFC 6376, 8601, 7208
	}
	tracePrefixes = []string{
		"ARC-",     // RFC 8617
		"Resent-",  // RFC 5322, 3.6.6: whoever resends adds them
		"X-Siegel", // what gateways say, this one and others
		"X-de-mail-", "X-MS-Exchange-", "X-Forefront-", "X-Microsoft-Antispam", "X-Spam-", "X-Virus-",
	}
)

// protectHeaders puts the header fields into the entity that is protected, says so there, and obscures those
// outside (RFC 9788, 5.2.1). Content that is a signature or an envelope already stays as it is: the fields would
// have to stand within it.
func (p *protection) protectHeaders() error {
	policy := p.o.Headers.Policy
	if policy == "" || isLayer(p.root.Header, p.root.Type) {
		return nil
	}
	protected := func(f entity.Field) bool { return authored(f) && (p.o.Outside == nil || !p.o.Outside(f)) }
	within := p.outer.Filter(protected).Fit(p.mode)
	kind := entity.Param{Name: paramHP, Value: hpClear}
	if p.encrypts() {
		kind.Value = hpCipher
		if err := p.displayObscured(); err != nil {
			return err
		}
		p.outer = policy.apply(p.outer)
		within.Append(outerCopies(p.outer.Filter(protected).Fit(p.mode))...)
	}
	if err := p.root.Header.SetTypeParams(kind); err != nil {
		return fmt.Errorf("%w: its Content-Type: %w", ErrMessage, err)
	}
	within.Append(p.root.Header.Fields()...)
	p.root.Header = within
	return nil
}

// apply is what of a header stands outside.
func (p HeaderPolicy) apply(h entity.Header) entity.Header {
	fields := make([]entity.Field, 0, h.Len())
	for _, f := range h.Fields() {
		if f, ok := p.outside(f); ok || !authored(f) {
			fields = append(fields, f)
		}
	}
	var out entity.Header
	out.Append(fields...)
	return out
}

// outerCopies tell within of the fields that stand outside (RFC 9788, 2.2).
func outerCopies(h entity.Header) []entity.Field {
	out := make([]entity.Field, 0, h.Len())
	for _, f := range h.Fields() {
		_, value, _ := strings.Cut(string(f.Raw), ":")
		out = append(out, entity.Field{Name: fieldOuter, Raw: []byte(fieldOuter + ": " + f.Name + ":" + value)})
	}
	return out
}
