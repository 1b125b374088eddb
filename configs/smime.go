package configs

import "github.com/siegel-mail/siegel/gateway/mail"

// SMIME is what S/MIME may do that is not safe everywhere.
type SMIME struct {
	// The senders outside whose mail is decrypted although it was encrypted by Triple DES or RC2, by the From address. These
	// ciphers are broken or about to be; mail of others that uses them is delivered as it came.
	LegacyDecryption mail.Patterns `yaml:"legacy_decryption" example:"[partner.example]"`
	// Whether keys on Brainpool curves are worked with in software: to sign and decrypt with such a key from a file, and to encrypt
	// for such a certificate. Their arithmetic does not take the same time for all keys, so whoever can measure
	// it may learn something of them. Signatures are verified in either case, and keys on cards need no leave.
	SoftwareBrainpool bool `yaml:"software_brainpool" default:"false"`
}
