package configs

import "time"

// The words of certificates.issue.ca.
const (
	IssueNone    = "none"
	IssueBuiltIn = "built-in"
	IssueVault   = "vault"
)

// Issue is how the company's own addresses get certificates.
type Issue struct {
	// Who issues. `none`: nobody, certificates come from elsewhere. `built-in`: a CA of the gateway's own, which
	// `siegel certs ca init` makes once; partners have to trust its root. `vault`: the PKI engine of a vault.
	CA string `yaml:"ca" default:"none" oneof:"none built-in vault"`
	// The name of the vault, one of those under `vault` at the top.
	Vault string `yaml:"vault" example:"main"`
	// The role of its PKI engine.
	Role string `yaml:"role" example:"mail"`
	// The name of the company, as it stands in the certificates of the CA. For the built-in CA; it counts when that is made.
	Organization string `yaml:"organization" example:"Firma GmbH"`
	// The country of the company, two letters. For the built-in CA; it counts when that is made.
	Country string `yaml:"country" example:"DE"`
	// For the built-in CA: where the world finds the lists of revoked certificates and the certificates of the CA, by HTTP without TLS. It stands in every
	// certificate and must lead, now and as long as certificates live, to the address under `listen`.
	URL string `yaml:"url" example:"http://pki.firma.example"`
	// Address and port where the gateway serves these lists and certificates to everybody, and nothing else. It counts at the
	// start. Where it is absent nothing is served: programs of partners that check revocation cannot then.
	Listen string `yaml:"listen" example:"\":80\""`
	// Whether a sender who has no certificate gets one with the first message that is to be signed. Otherwise
	// `siegel certs issue` has to make it.
	FirstUse bool `yaml:"first_use" default:"true"`
	// The name of a directory under `certificates.directories` in which somebody must have the address of a sender, as it is or without its mark
	// (`recipients.tag`), before it gets a certificate by first use, beside what `recipients` says. Where it is absent: `recipients` alone decides.
	Directory string `yaml:"directory" example:"company"`
	// How many senders get a certificate by their first message in one hour; the messages of others wait. Addresses with a mark (`+` or `recipients.tag`) have
	// a quarter of it, and three in a day for one address without.
	PerHour int `yaml:"per_hour" default:"100" min:"1" max:"100000"`
	// The kind of key: `rsa-2048`, `rsa-3072`, `rsa-4096`, which all programs read, `p-256` or `p-384`. The keys of the
	// CA itself are of this kind, or a stronger one.
	Key string `yaml:"key" default:"rsa-3072" oneof:"rsa-2048 rsa-3072 rsa-4096 p-256 p-384"`
	// The profile of the CA/Browser Forum's requirements, mailbox-validated: `strict` or `multipurpose`.
	Profile string `yaml:"profile" default:"strict" oneof:"strict multipurpose"`
	// Whether each address gets one certificate to sign with and another one to be encrypted to, with a key of its own.
	Separate bool `yaml:"separate" default:"false"`
	// How long a certificate is valid.
	Lifetime time.Duration `yaml:"lifetime" default:"730d" min:"1d" max:"825d"`
	// How long before its end a certificate is followed by another one, with a new key. The old key goes on opening mail.
	RenewBefore time.Duration `yaml:"renew_before" default:"30d" min:"1h" max:"365d"`
	// How long a list of revoked certificates counts. A new one is made after half that time, and at each revocation.
	CRLLifetime time.Duration `yaml:"crl_lifetime" default:"7d" min:"1h" max:"10d"`
}
