package configs

import (
	"crypto/x509"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
)

// Smartcard is a key on a smart card, or on a token that has a PKCS#11 module.
type Smartcard struct {
	// Names the key, as `card:NAME` where a private key is named, in logs and metrics: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"signature"`
	// The serial number of the card, as `siegel smartcard list` prints it.
	Serial string `yaml:"serial" example:"\"8949017200000000001\""`
	// The reader, where serial numbers are not enough: its name, in which `*` stands for anything. Either this or `serial`, or both.
	Reader string `yaml:"reader" example:"\"Cherry *\""`
	// The certificate that the key belongs to, by its SHA-256: 64 hexadecimal digits, with colons or without.
	Certificate string `yaml:"certificate" required:"yes" example:"9b2c..."`
	// The PIN that opens the key. Without it that of another entry of the same card is used; where none has one, only a key for which the card
	// asks for none can be used. One that the card refuses is never presented again, and none is while fewer than three tries are left.
	PIN secret.String `yaml:"pin" example:"{file: /etc/siegel/card.pin}"`
	// The number of that PIN on the card, in hexadecimal digits, where it is another than the card names. Entries of the same card that have
	// PINs of their own need it each.
	PINReference string `yaml:"pin_reference" example:"\"81\""`
	// The kind of card, where it must not be another: `tcos` (TeleSec NetKey and signature cards) or `piv`. Where it is absent the card is
	// recognised.
	Family string `yaml:"family" oneof:"tcos piv" example:"tcos"`
	// Whether a key that is marked for non-repudiation may be used: who signs by it binds the holder.
	NonRepudiation bool `yaml:"non_repudiation" default:"false"`
	// The certificates above that of the key, PEM, the issuer first: TLS shows them with it.
	Chain Path `yaml:"chain" example:"/etc/siegel/card-chain.pem"`
	// The token of a PKCS#11 module, in place of a card in a reader.
	PKCS11 SmartcardPKCS11 `yaml:"pkcs11"`

	chain     []*x509.Certificate
	reference *byte
}

// SmartcardPKCS11 is the token of a PKCS#11 module.
type SmartcardPKCS11 struct {
	// The file of the module.
	Module Path `yaml:"module" example:"/usr/lib/softhsm/libsofthsm2.so"`
	// The label of the token. Either this or `serial`, or both.
	Token string `yaml:"token" example:"gateway"`
	// The serial number of the token.
	Serial string `yaml:"serial" example:"\"8a3f0c1d5e7b9a24\""`
}

// Given tells whether the key is that of a token.
func (p SmartcardPKCS11) Given() bool { return p.Module != "" || p.Token != "" || p.Serial != "" }

// Selection says which card is meant.
func (c Smartcard) Selection() smartcard.Selection {
	return smartcard.Selection{Reader: c.Reader, Serial: c.Serial}
}

// Want says which key of the card is meant.
func (c Smartcard) Want() smartcard.Want {
	return smartcard.Want{Fingerprint: fingerprint(c.Certificate), Binding: c.NonRepudiation}
}

// Above returns the certificates of chain as they were when the configuration was read.
func (c Smartcard) Above() []*x509.Certificate { return c.chain }

// Reference returns the number of the PIN; false: the card names it.
func (c Smartcard) Reference() (byte, bool) {
	if c.reference == nil {
		return 0, false
	}
	return *c.reference, true
}

// Smartcard returns the entry of a name.
func (c *Config) Smartcard(name string) (Smartcard, bool) {
	for _, s := range c.Smartcards {
		if s.Name == name && name != "" {
			return s, true
		}
	}
	return Smartcard{}, false
}

// fingerprint is the SHA-256 of a certificate as 64 digits in lower case.
func fingerprint(s string) string { return strings.ToLower(strings.ReplaceAll(s, ":", "")) }

// parseReference reads the number of a PIN.
func parseReference(s string) (byte, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 8)
	return byte(n), err == nil && len(s) <= 4
}

// cardPrefix begins the name of a key on a smart card.
const cardPrefix = "card:"

// vaultPrefix begins the name of a key in a vault.
const vaultPrefix = "vault:"

// KeyFile is a file with a private key, card:NAME for the key of an entry of smartcards, or, where that is said, vault:NAME:KEY for that of an
// entry of vault.
type KeyFile string

// Card returns the name of the entry of smartcards; false: the key is in a file.
func (k KeyFile) Card() (string, bool) { return strings.CutPrefix(string(k), cardPrefix) }

// Vault returns the reference of a key in a vault; false: it is not in one.
func (k KeyFile) Vault() (string, bool) { return string(k), strings.HasPrefix(string(k), vaultPrefix) }

// Path is the file; none where the key is on a card or in a vault.
func (k KeyFile) Path() Path {
	_, onCard := k.Card()
	if _, inVault := k.Vault(); onCard || inVault {
		return ""
	}
	return Path(k)
}

// CardKey is a key on a card that a client shows itself by.
type CardKey struct {
	Name string // of the entry of smartcards
	// Chain is the certificate and those above it, as they stand in a file; none: the card's own, with those of its entry.
	Chain []*x509.Certificate
}
