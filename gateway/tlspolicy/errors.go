package tlspolicy

import (
	"errors"
	"net"
	"reflect"
	"strings"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Rule is what a connection broke.
type Rule string

// The rules.
const (
	RuleVersion           Rule = "version"
	RuleSuite             Rule = "suite"
	RuleGroup             Rule = "group"
	RuleKeySize           Rule = "key size"
	RuleResumption        Rule = "resumption"
	RuleClientCertificate Rule = "client certificate"
	RuleCertificate       Rule = "certificate" // the chain is not believed
	RuleProfile           Rule = "profile"     // nothing here can speak it
	RuleHandshake         Rule = "handshake"   // it failed before anything was negotiated
)

// Error is why a connection is not used.
type Error struct {
	Rule    Rule
	Profile string // its name
	Text    string // what is the matter
	Advice  string // what an administrator can do; may be empty
	State   State  // as far as it was negotiated
	Err     error  // what lies below; may be nil
}

// Error is the text of it on one line.
func (e *Error) Error() string {
	text := "TLS: " + e.Text
	if e.Profile != "" {
		text += " (profile " + e.Profile + ")"
	}
	if e.Err != nil {
		const limit = 400
		text += ": " + safetext.Line(e.Err.Error(), limit) // names in it are of the other end's choice
	}
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

// Unwrap gives what lies below.
func (e *Error) Unwrap() error { return e.Err }

// Alert returns the alert that the other end sent, where that is why a handshake failed.
func Alert(err error) (code uint8, ok bool) {
	for {
		var op *net.OpError
		if !errors.As(err, &op) {
			return 0, false
		}
		// Both crypto/tls and utls keep the type to themselves; it is a number.
		if v := reflect.ValueOf(op.Err); op.Op == "remote error" && v.IsValid() && v.Kind() == reflect.Uint8 {
			return uint8(v.Uint()), true
		}
		err = op.Err
	}
}

// handshakeError explains why a handshake failed.
func (p Profile) handshakeError(err error, s State) error {
	var broken *Error
	if errors.As(err, &broken) {
		return broken
	}
	out := &Error{Rule: RuleHandshake, Profile: p.Name, Text: "the handshake failed", State: s, Err: err}
	if code, ok := Alert(err); ok {
		out.Text = "the other end refused (" + tlsnames.AlertName(code) + "): " + strings.TrimSuffix(tlsnames.AlertSentence(code), ".")
		out.Advice = "siegel tls probe shows what it accepts"
	}
	return out
}
