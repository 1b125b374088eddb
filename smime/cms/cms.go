package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"time"
)

// The errors of this package; each returned error wraps exactly one of them, or is the error of the
// underlying reader, writer or key.
var (
	// ErrMalformed means that the bytes are not the CMS structure they should be, or end early.
	ErrMalformed = errors.New("cms: malformed message")
	// ErrLimit means that the message goes over one of the [Limits].
	ErrLimit = errors.New("cms: message is over a limit")
	// ErrNoKey means that the message is encrypted, but to none of the keys at hand.
	ErrNoKey = errors.New("cms: no key for this message")
	// ErrDecrypt means that decryption failed. It is one bare error for every cause (RFC 8551, 6).
	ErrDecrypt = errors.New("cms: decryption failed")
	// ErrSignature means that a signature is not the signer's for this content.
	ErrSignature = errors.New("cms: signature is broken")
	// ErrNoCertificate means that the certificate that is needed to check a signature is not in the
	// message, or cannot be read.
	ErrNoCertificate = errors.New("cms: signer's certificate is missing")
	// ErrUnsupported means that the message, certificate or key needs an algorithm or a form that this
	// package does not have.
	ErrUnsupported = errors.New("cms: not supported")
)

// Algorithm names a content encryption algorithm and with it the content type that carries it.
type Algorithm string

// The content encryption algorithms. CBC goes into EnvelopedData (RFC 5652, 6), which has no integrity; GCM
// and ChaCha20-Poly1305 go into AuthEnvelopedData (RFC 5083, RFC 5084, RFC 8103) and nowhere else.
const (
	AES128CBC Algorithm = "aes128-cbc"
	AES192CBC Algorithm = "aes192-cbc"
	AES256CBC Algorithm = "aes256-cbc"
	AES128GCM Algorithm = "aes128-gcm"
	AES192GCM Algorithm = "aes192-gcm" // on receipt only
	AES256GCM Algorithm = "aes256-gcm"

	// ChaCha20Poly1305 is held in memory as a whole: what is encrypted with it has 32 MiB at most, what is
	// decrypted [Limits].WholeBytes.
	ChaCha20Poly1305 Algorithm = "chacha20-poly1305"

	DESEDE3CBC Algorithm = "des-ede3-cbc" // on receipt only, and only where [DecryptOptions].Legacy is set
	RC2CBC     Algorithm = "rc2-cbc"      // has its name here, but is neither read nor written
)

// The types of an envelope, as [EnvelopeInfo] names them.
const (
	Enveloped     = "enveloped"
	AuthEnveloped = "authEnveloped"
)

// Limits bounds what is read from a message. A zero field means its default.
type Limits struct {
	Certificates   int // certificates in a SignedData; default 100
	Signers        int // signer infos in a SignedData; default 32
	Recipients     int // recipients of an envelope; default 1000
	AttributeBytes int // bytes of one signer info or of one set of attributes; default 256 KiB
	HeaderBytes    int // bytes of everything that is not content, together; default 4 MiB
	Depth          int // nesting of BER elements; default and most 32

	// Of a CompressedData, which can be a thousand times smaller than its content.
	Expanded   int64 // bytes of its content; default 256 MiB
	Expansion  int   // times that its content may be as long, beyond the first MiB; default 100
	WholeBytes int   // of content that is held in memory to be decrypted (ChaCha20-Poly1305); default 32 MiB
}

// RecipientID says whose key a recipient info or signer info means: either Issuer and Serial are set, or
// SubjectKeyID is (RFC 5652, 6.2.1 and 5.3).
type RecipientID struct {
	Issuer       []byte // DER of the issuer's Name
	Serial       *big.Int
	SubjectKeyID []byte
}

// SignerID is a [RecipientID] that means a signer.
type SignerID = RecipientID

// Matches reports whether id means certificate c.
func (id RecipientID) Matches(c *x509.Certificate) bool {
	if c == nil {
		return false
	}
	if id.SubjectKeyID != nil {
		return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, c.SubjectKeyId)
	}
	return id.Serial != nil && id.Serial.Cmp(c.SerialNumber) == 0 && bytes.Equal(id.Issuer, c.RawIssuer)
}

// Key is a private key with the certificate that recipients are found by. Where the certificate has an RSA key
// Decrypter is set, where it has one on an elliptic curve Agreement is; [NewKeyAgreement] makes one. Both may be
// opaque (a card, Vault). Decrypter is called with [crypto/rsa.PKCS1v15DecryptOptions] (SessionKeyLen set) or
// [crypto/rsa.OAEPOptions]. An error of either that has the method Temporary() bool and returns true there
// means that the key is away: it is handed on. Every other error is a failed decryption.
type Key struct {
	Certificate *x509.Certificate
	Decrypter   crypto.Decrypter
	Agreement   KeyAgreement
}

// KeyFinder returns the keys that may open a message to ids, in the order in which to try them. Keys that
// no id matches are ignored. It is called once, with every id the message has, of any kind of recipient.
type KeyFinder func(ids []RecipientID) []Key

// EnvelopeInfo is what an envelope says openly.
type EnvelopeInfo struct {
	Type          string // Enveloped or AuthEnveloped
	ContentType   string // "data", or the dotted object identifier of what is inside
	Algorithm     string // an [Algorithm], or a dotted object identifier
	Authenticated bool   // the algorithm guards integrity
	Recipients    []RecipientInfo
}

// RecipientInfo is one recipient as an envelope lists it (RFC 5652, 6.2).
type RecipientInfo struct {
	Kind      string // "ktri", "kari", "kekri", "pwri", "ori"
	ID        RecipientID
	Algorithm string // "rsa", "rsa-oaep", "ecdh", "x25519", or a dotted object identifier; "" where it cannot be read
}

// Signed is what a SignedData says. No signature in it need be right: see each signer's Err. A message
// without signers (certificates only) has an empty Signers.
type Signed struct {
	ContentType  string              // "data", or the dotted object identifier of what was signed
	Certificates []*x509.Certificate // in the order of the message, none of them judged
	Unreadable   []UnreadableCertificate
	Signers      []SignerResult
}

// UnreadableCertificate is a certificate in a message that cannot be parsed: it is malformed, or has a key
// of a kind that neither crypto/x509 nor this package knows.
type UnreadableCertificate struct {
	Raw          []byte
	Issuer       []byte   // DER of the issuer's Name, nil where even that cannot be read
	Serial       *big.Int // nil where even that cannot be read
	SubjectKeyID []byte   // nil where it has none, or it cannot be read
}

// SignerResult is the outcome for one signer info.
type SignerResult struct {
	ID            SignerID
	Certificate   *x509.Certificate // nil: not in the message, or not readable
	Digest        string            // "sha256", or a dotted object identifier
	Algorithm     string            // "rsa-sha256", "rsapss-sha256", "ecdsa-sha256", "ed25519", "dsa-sha1", or a dotted object identifier
	SigningTime   time.Time         // as the signer claims it; zero: not claimed
	Capabilities  Capabilities      // signed smimeCapabilities; nil: not there, or not readable
	EncryptionKey RecipientID       // the certificate for mail to the signer, by encryptionKeyPreference; empty: not there
	Named         bool              // the signed attributes name Certificate (signingCertificate; RFC 5035, 3 and 4)
	Weak          bool              // the digest is SHA-1 or MD5, the key is RSA under 2048 bits, on a curve under 250 bits, or DSA
	Err           error             // nil: the signature is mathematically right for the content
}
