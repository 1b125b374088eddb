package smime

import (
	"crypto/x509"
	"encoding/json"
	"time"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Layer types.
const (
	TypeSigned        = "signed"
	TypeEnveloped     = "enveloped"     // EnvelopedData: no integrity
	TypeAuthEnveloped = "authEnveloped" // AuthEnvelopedData (RFC 5083)
	TypeCompressed    = "compressed"    // CompressedData (RFC 3274)
	TypeCertificates  = "certificates"  // SignedData without a signer (certs-only)
)

// The forms of a signed layer.
const (
	FormClear  = "clear"  // multipart/signed
	FormOpaque = "opaque" // application/pkcs7-mime
)

// Report is what Open found, for people and programs. Its JSON form is stable.
type Report struct {
	// Verdict is that of the whole message: the worst of its signed layers, Partial at best where they do
	// not cover all that is shown, Unsigned where there are none.
	Verdict Verdict  `json:"verdict"`
	Reasons []string `json:"reasons,omitempty"` // why, where no single signer says it
	Layers  []Layer  `json:"layers"`            // outermost first

	// Headers is what became of protected header fields; nil where the message has none.
	Headers *HeaderReport `json:"headers,omitempty"`

	overLimit bool // there are layers that were not looked at
}

// HeaderReport says what became of the header fields that are protected along with the content of a message
// (RFC 9788). It quotes fields: it is not for logs.
type HeaderReport struct {
	Form    string `json:"form"`             // HeadersClear and so on; empty where it is not known
	Applied bool   `json:"applied"`          // the protected fields are those of the delivered header
	Reason  string `json:"reason,omitempty"` // why not
	// Differences are the fields that say something else outside, 50 at most.
	Differences []HeaderDifference `json:"differences,omitempty"`
}

// HeaderDifference is a field that says something else outside of a message than within. The values are as
// people see them, and cut where they are long; empty where the field does not stand there.
type HeaderDifference struct {
	Field     string `json:"field"`
	Kind      string `json:"kind"` // Obscured and so on
	Outer     string `json:"outer,omitempty"`
	Protected string `json:"protected,omitempty"`
}

// Layer is one signature or envelope around the content.
type Layer struct {
	Type string // TypeSigned and so on

	// Of signed layers.
	Form    string // FormClear or FormOpaque
	Verdict Verdict
	Reasons []string // why, where no single signer says it
	Signers []SignerVerdict
	Errant  bool // stands beside other content instead of around all of it

	// Of envelopes.
	Algorithm     string // "aes256-cbc"; empty where it could not be read
	Authenticated bool   // the format guards the integrity of the content
	Decrypted     bool
	Recipients    []Recipient

	Opened bool // of a compressed layer: what is in it was looked at
}

// SignerVerdict is what is known of one signer of a layer.
type SignerVerdict struct {
	Address   string    // of the certificate: the one that equals From, else the first; may be empty
	Subject   string    // RFC 4514
	Issuer    string    // RFC 4514
	Serial    string    // hexadecimal, lower case
	Algorithm string    // "rsa-sha256"
	SignedAt  time.Time // as claimed; zero where it is not
	Verdict   Verdict
	Reasons   []string

	// For those who learn from valid signatures; not in the JSON form.
	Certificate  *x509.Certificate // nil where it is not known
	Capabilities cms.Capabilities  // what the signer's program reads, as it says; nil: it does not say
	// Others are the certificates of the signature, none of them judged, in which the signer's may be.
	Others []*x509.Certificate
	// EncryptionKey is the certificate that mail to the signer is to be encrypted for, as the signature says (RFC 8551, 2.5.3);
	// the zero RecipientID: it does not say.
	EncryptionKey cms.RecipientID
}

// Recipient is one recipient of an envelope as the envelope lists it.
type Recipient struct {
	Issuer       string `json:"issuer,omitempty"` // RFC 4514
	Serial       string `json:"serial,omitempty"` // hexadecimal, lower case
	SubjectKeyID string `json:"subjectKeyId,omitempty"`
	Algorithm    string `json:"algorithm,omitempty"` // "rsa"
}

// MarshalJSON gives the fields that belong to the layer's type.
func (l Layer) MarshalJSON() ([]byte, error) {
	switch l.Type {
	case TypeEnveloped, TypeAuthEnveloped:
		return json.Marshal(struct {
			Type          string      `json:"type"`
			Algorithm     string      `json:"algorithm"`
			Authenticated bool        `json:"authenticated"`
			Decrypted     bool        `json:"decrypted"`
			Recipients    []Recipient `json:"recipients"`
		}{l.Type, l.Algorithm, l.Authenticated, l.Decrypted, notNil(l.Recipients)})
	case TypeCompressed:
		return json.Marshal(struct {
			Type   string `json:"type"`
			Errant bool   `json:"errant,omitempty"`
			Opened bool   `json:"opened"`
		}{l.Type, l.Errant, l.Opened})
	case TypeSigned:
		return json.Marshal(struct {
			Type    string          `json:"type"`
			Form    string          `json:"form"`
			Errant  bool            `json:"errant,omitempty"`
			Verdict Verdict         `json:"verdict"`
			Reasons []string        `json:"reasons,omitempty"`
			Signers []SignerVerdict `json:"signers"`
		}{l.Type, l.Form, l.Errant, l.Verdict, l.Reasons, notNil(l.Signers)})
	}
	return json.Marshal(struct {
		Type string `json:"type"`
	}{l.Type})
}

// MarshalJSON leaves out a signing time that was not claimed.
func (s SignerVerdict) MarshalJSON() ([]byte, error) {
	signedAt := ""
	if !s.SignedAt.IsZero() {
		signedAt = s.SignedAt.UTC().Format(time.RFC3339)
	}
	return json.Marshal(struct {
		Address   string   `json:"address"`
		Subject   string   `json:"subject"`
		Issuer    string   `json:"issuer"`
		Serial    string   `json:"serial"`
		Algorithm string   `json:"algorithm"`
		SignedAt  string   `json:"signedAt,omitempty"`
		Verdict   Verdict  `json:"verdict"`
		Reasons   []string `json:"reasons"`
	}{s.Address, s.Subject, s.Issuer, s.Serial, s.Algorithm, signedAt, s.Verdict, notNil(s.Reasons)})
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
