package smime

import (
	"crypto"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Capabilities is what a program is known to read, of what a sender may choose between. The zero value knows
// nothing. Weak algorithms are not in it, so that nobody chooses them.
type Capabilities struct {
	Content []cms.Algorithm // content encryption, the preferred one first
	OAEP    bool            // RSAES-OAEP with SHA-256
	PSS     bool            // RSASSA-PSS
	Headers bool            // header protection (RFC 9788), which no list names: its own mail had it
}

// IsZero reports whether nothing is known.
func (c Capabilities) IsZero() bool {
	return len(c.Content) == 0 && !c.OAEP && !c.PSS && !c.Headers
}

// KnownCapabilities is what of a program's word matters to a sender.
func KnownCapabilities(said cms.Capabilities) Capabilities {
	c := Capabilities{OAEP: slices.Contains(said.OAEP(), crypto.SHA256)}
	for _, h := range said.PSS() {
		c.PSS = c.PSS || h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
	}
	for _, a := range said.Content() {
		c.add(a)
	}
	return c
}

// add adds a content encryption, where it is one that is sent.
func (c *Capabilities) add(a cms.Algorithm) {
	if Compatible.allows(a) && !slices.Contains(c.Content, a) {
		c.Content = append(c.Content, a)
	}
}

// The words of the text form beside the algorithms.
const (
	wordOAEP    = "oaep"
	wordPSS     = "pss"
	wordHeaders = "headers"
)

// String is c in words, the content encryptions first: "aes256-gcm aes256-cbc oaep". ParseCapabilityText reads it.
func (c Capabilities) String() string {
	var words []string
	for _, a := range c.Content {
		words = append(words, string(a))
	}
	for _, w := range []struct {
		can  bool
		word string
	}{{c.OAEP, wordOAEP}, {c.PSS, wordPSS}, {c.Headers, wordHeaders}} {
		if w.can {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}

// ParseCapabilityText reads what String wrote. Words that are not known are passed over: a later version may have written
// them.
func ParseCapabilityText(s string) Capabilities {
	var c Capabilities
	for w := range strings.FieldsSeq(s) {
		switch w {
		case wordOAEP:
			c.OAEP = true
		case wordPSS:
			c.PSS = true
		case wordHeaders:
			c.Headers = true
		default:
			c.add(cms.Algorithm(w))
		}
	}
	return c
}
