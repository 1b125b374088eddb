package smime

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/smime/cms"
)

// Profile says with which algorithms mail is protected, where nothing more is known of who gets it: a rule
// for a partner comes first, then what the partner's program is known to read, then the profile. The zero
// Profile is Compatible.
type Profile string

// The profiles.
const (
	// Compatible is what every program reads: AES-256-CBC, RSA PKCS #1 v1.5 for the content key and for
	// signatures. What is known of a recipient may make it more.
	Compatible Profile = "compatible"
	// RFC8551 is what S/MIME 4.0 asks of a sender who knows nothing of a recipient: AES-256-GCM (RFC 8551,
	// 2.7.1.2), which programs from before 2019 do not read, and protected header fields (RFC 9788), which
	// disturb nobody while the Subject stays outside. RSA stays at PKCS #1 v1.5 (2.2 and 2.3: MUST-).
	RFC8551 Profile = "rfc8551"
	// TR03116 is BSI TR-03116-4: AES-GCM, RSAES-OAEP and RSASSA-PSS with 3072 bits and more, ECDH and ECDSA on
	// the NIST and Brainpool curves with 256 bits and more. What a certificate or a rule keeps below that is
	// an *UnfitError, never a weaker message.
	TR03116 Profile = "bsi-tr-03116-4"
)

// Profiles are the names of all profiles.
func Profiles() []Profile { return []Profile{Compatible, RFC8551, TR03116} }

// ParseProfile reads the name of a profile.
func ParseProfile(s string) (Profile, error) {
	if p := Profile(s); slices.Contains(Profiles(), p) {
		return p, nil
	}
	return "", fmt.Errorf("smime: %q is no profile; write %s, %s or %s", s, Compatible, RFC8551, TR03116)
}

// Answer is what somebody said to a question; the zero Answer is nothing.
type Answer int8

// The answers.
const (
	NotSaid Answer = iota
	Yes
	No
)

// or is a, or else where a says nothing.
func (a Answer) or(otherwise bool) bool {
	if a == NotSaid {
		return otherwise
	}
	return a == Yes
}

// Wish is what an administrator's rule says of mail to a partner. The zero Wish says nothing.
type Wish struct {
	Algorithm cms.Algorithm // content encryption
	OAEP      Answer        // RSAES-OAEP for the content key; No: PKCS #1 v1.5
	PSS       Answer        // RSASSA-PSS for signatures; No: PKCS #1 v1.5
	Headers   Answer        // header protection (RFC 9788)
	Obscure   Answer        // the Subject outside of encrypted mail says nothing; Yes is a wish for Headers, too
}

// Peer is what is known of one recipient of a message.
type Peer struct {
	Certificate  *x509.Certificate // to encrypt to; nil: the message is not encrypted for this recipient
	Capabilities Capabilities      // of the recipient's program; zero: not known
	Wish         Wish
}

// Choice is how a message is made for a peer. Peers with equal choices may share one message. Others must
// not: what one of them can only have weakly would be as weak for all (RFC 8551, 2.7.2). Choices compare by ==.
type Choice struct {
	Algorithm cms.Algorithm // content encryption; empty where it is not encrypted
	V15       bool          // content keys for RSA keys are encrypted by PKCS #1 v1.5; false: by RSAES-OAEP
	PSS       bool          // an RSA key signs by RSASSA-PSS; false: by PKCS #1 v1.5, unless the key is for PSS only
	Headers   bool          // header fields are protected
	Obscure   bool          // the Subject outside says nothing
	Legacy    bool          // and stands in the body as well, for programs that do not look for it elsewhere
}

// HeaderProtection is that of a message made by this choice.
func (c Choice) HeaderProtection() HeaderProtection {
	switch {
	case !c.Headers:
		return HeaderProtection{}
	case c.Obscure:
		return HeaderProtection{Policy: HCPBaseline, WithoutLegacyDisplay: !c.Legacy}
	}
	return HeaderProtection{Policy: HCPNoConfidentiality}
}

// Recipient is cert as a recipient of a message made by this choice.
func (c Choice) Recipient(cert *x509.Certificate) cms.Recipient {
	r := cms.Recipient{Certificate: cert}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); ok && !c.V15 {
		r.OAEP = &cms.OAEPOptions{Hash: crypto.SHA256}
	}
	return r
}

// Unfit is what is not as strong as a profile demands.
type Unfit string

// What it may be.
const (
	UnfitRule    Unfit = "rule"    // what an administrator's rule asks for
	UnfitProgram Unfit = "program" // what the recipient's program reads
	UnfitKey     Unfit = "key"     // the certificate
)

// UnfitError says that mail to a recipient cannot be as strong as the profile demands. A weaker message is not the
// answer: it is not to be sent.
type UnfitError struct {
	Profile Profile
	What    Unfit
	// Detail names it in a few words that are of no language: "RSA 2048 (bsi-tr-03116-4: 3072)".
	Detail string
	// Reason stands after "it must be encrypted, and": words for the sender, without names of strangers.
	Reason string
}

// Error names the profile and the reason.
func (e *UnfitError) Error() string { return "smime: profile " + string(e.Profile) + ": " + e.Reason }

// Choose returns how a message to a peer is made. The error is an *UnfitError.
func (p Profile) Choose(peer Peer) (Choice, error) {
	w, can := peer.Wish, peer.Capabilities
	strict := p == TR03116
	c := Choice{PSS: w.PSS.or(strict || can.PSS)}
	c.Headers = w.Headers.or(w.Obscure == Yes || can.Headers || p == RFC8551 || strict)
	if strict && !c.PSS {
		return Choice{}, p.unfit(UnfitRule, fmt.Sprintf("PKCS #1 v1.5 (%s)", p), "a rule asks for signatures by PKCS #1 v1.5, which %s does not allow", p)
	}
	if peer.Certificate == nil {
		return c, nil
	}
	c.Obscure = c.Headers && w.Obscure.or(can.Headers)
	c.Legacy = c.Obscure && !can.Headers
	_, isRSA := peer.Certificate.PublicKey.(*rsa.PublicKey)
	c.V15 = isRSA && !w.OAEP.or(strict || can.OAEP)
	if strict && c.V15 {
		return Choice{}, p.unfit(UnfitRule, fmt.Sprintf("PKCS #1 v1.5 (%s)", p), "a rule asks for PKCS #1 v1.5, which %s does not allow", p)
	}
	if strict {
		if err := p.fitKey(peer.Certificate.PublicKey, "the recipient's certificate"); err != nil {
			return Choice{}, err
		}
	}
	var err error
	if c.Algorithm, err = p.content(w.Algorithm, can.Content); err != nil {
		return Choice{}, err
	}
	return c, nil
}

// content chooses the content encryption (RFC 8551, 2.7.1).
func (p Profile) content(wish cms.Algorithm, known []cms.Algorithm) (cms.Algorithm, error) {
	if wish != "" {
		if !p.allows(wish) {
			return "", p.unfit(UnfitRule, fmt.Sprintf("%s (%s)", wish, p), "a rule asks for %s, which %s does not allow", wish, p)
		}
		return wish, nil
	}
	for _, a := range known { // 2.7.1.1: the first that we know, too
		if p.allows(a) {
			return a, nil
		}
	}
	switch {
	case p == TR03116 && len(known) > 0:
		return "", p.unfit(UnfitProgram, fmt.Sprintf("AES-GCM (%s)", p), "the recipient's program reads no AES-GCM, which %s needs", p)
	case p == TR03116, p == RFC8551:
		return cms.AES256GCM, nil // 2.7.1.2
	}
	return cms.AES256CBC, nil
}

// allows reports whether content may be encrypted by a. AES192GCM is for receipt only.
func (p Profile) allows(a cms.Algorithm) bool {
	switch a {
	case cms.AES128GCM, cms.AES256GCM:
		return true
	case cms.AES128CBC, cms.AES192CBC, cms.AES256CBC:
		return p != TR03116 // CBC: until 2025
	}
	return false
}

// FitSigner reports whether a certificate of ours may sign under the profile. The error is an *UnfitError.
func (p Profile) FitSigner(c *x509.Certificate) error {
	if p != TR03116 {
		return nil
	}
	return p.fitKey(c.PublicKey, "the sender's certificate")
}

// The smallest keys of TR-03116-4 (tables 1 and 4), in bits.
const (
	minStrictRSA = 3072
	minStrictEC  = 256
)

// fitKey holds the kinds and sizes of keys that TR-03116-4 allows.
func (p Profile) fitKey(key crypto.PublicKey, whose string) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minStrictRSA {
			return p.unfit(UnfitKey, fmt.Sprintf("RSA %d (%s: %d)", bits, p, minStrictRSA), "%s has an RSA key of %d bits; %s needs %d", whose, bits, p, minStrictRSA)
		}
		return nil
	case *ecdsa.PublicKey:
		params := k.Curve.Params()
		if !slices.Contains([]string{"P-256", "P-384", "P-521"}, params.Name) && !strings.HasPrefix(params.Name, "brainpoolP") {
			return p.unfit(UnfitKey, fmt.Sprintf("%s (%s)", params.Name, p), "%s has a key on a curve that %s does not allow", whose, p)
		}
		if params.BitSize < minStrictEC {
			return p.unfit(UnfitKey, fmt.Sprintf("EC %d (%s: %d)", params.BitSize, p, minStrictEC), "%s has an EC key of %d bits; %s needs %d", whose, params.BitSize, p, minStrictEC)
		}
		return nil
	}
	return p.unfit(UnfitKey, fmt.Sprintf("%s (%s)", strings.TrimPrefix(fmt.Sprintf("%T", key), "*"), p), "%s has a kind of key that %s does not allow", whose, p)
}

func (p Profile) unfit(what Unfit, detail, format string, args ...any) error {
	return &UnfitError{Profile: p, What: what, Detail: detail, Reason: fmt.Sprintf(format, args...)}
}
