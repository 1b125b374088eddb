package configs

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// What it means that a directory cannot be asked.
const (
	AwayHold = "hold"
	AwayPass = "pass"
)

// What becomes of certificates from issuers nobody knows.
const (
	UnknownAsk    = "ask"
	UnknownIgnore = "ignore"
)

// Find is where certificates of people outside are found, besides those that an administrator imported.
type Find struct {
	// The directories that are asked for certificates which the gateway does not have itself, by name, in this order; one that is
	// not listed is not asked. Where it is absent: all, in the order of `certificates.directories`.
	Directories []string `yaml:"directories" example:"[partner-ldap]"`
	// How long one directory is waited for. One that does not answer is left alone for up to a minute.
	Timeout time.Duration `yaml:"timeout" default:"5s" min:"100ms" max:"20s"`
	// How long what a directory had is taken for its last word. After that it is asked whether it has something newer, and
	// mail does not wait for the answer while there is a valid certificate.
	Found time.Duration `yaml:"found" default:"24h" min:"1m" max:"30d"`
	// How long it is remembered that no directory has a certificate of an address.
	Missing time.Duration `yaml:"missing" default:"15m" min:"1s" max:"1d"`
	// What it means where a directory cannot be asked, and nothing else has a certificate: `hold` keeps a message that would be encrypted
	// waiting (`queue.protect_within`); `pass` takes it that there is none, so that mail which is encrypted if possible
	// leaves as it is.
	Away string `yaml:"away" default:"hold" oneof:"hold pass"`
	// What is learned of valid signatures.
	Harvest Harvest `yaml:"harvest"`
	// How recipients are asked for their certificates, where a rule says `on_missing: ask`.
	Ask Ask `yaml:"ask"`
}

// Harvest is what is learned of the signatures of partners.
type Harvest struct {
	// Whether the certificates of those whose signatures are valid are kept, and mail to them is encrypted by them.
	Enabled bool `yaml:"enabled" default:"true"`
	// What becomes of a certificate whose signature is right, but whose issuer nobody knows: `ask` keeps it for an administrator
	// to look at (`siegel certs list --trust asked`), and uses it for nothing before; `ignore` does not keep it.
	UnknownIssuers string `yaml:"unknown_issuers" default:"ask" oneof:"ask ignore"`
	// The administrators (`admin.mail_to`) are told of an unknown issuer once in this time.
	Remind time.Duration `yaml:"remind" default:"7d" min:"1h" max:"365d"`
	// The most new certificates that are kept in a day.
	PerDay int `yaml:"per_day" default:"2000" min:"1" max:"1000000"`
	// The most of them for one domain.
	PerDomain int `yaml:"per_domain" default:"200" min:"1" max:"1000000"`
	// The most of them in a day whose issuers nobody knows.
	UnknownPerDay int `yaml:"unknown_per_day" default:"100" min:"1" max:"10000"`
	// The most certificates from signatures that are kept at all; beyond that none is added.
	Most int `yaml:"most" default:"100000" min:"1" max:"10000000"`
}

// Ask is how recipients are asked for a signed message.
type Ask struct {
	// In whose name they are asked, and who gets their answers: an address of the company that somebody reads. Without it nobody is
	// asked, and `on_missing: ask` is an error.
	From string `yaml:"from" example:"certificates@firma.example"`
	// How long a message waits for the certificate, before it is returned to its sender.
	Within time.Duration `yaml:"within" default:"5d" min:"1m" max:"30d"`
	// A recipient is asked once in this time, however many messages wait.
	Period time.Duration `yaml:"period" default:"7d" min:"1h" max:"365d"`
	// The most requests in a day. Messages wait beyond that, too, and their recipients are asked in their turn.
	PerDay int `yaml:"per_day" default:"500" min:"1" max:"1000000"`
	// The most requests to one domain in a day.
	PerDomain int `yaml:"per_domain" default:"50" min:"1" max:"1000000"`
	// Recipients who are never asked; mail to them is refused. Addresses of lists and of machines (`-request`, `owner-`, `noreply`
	// and the like), of the company itself and of De-Mail are never asked, nor is anybody for mail that a machine wrote.
	Except mail.Patterns `yaml:"except" example:"[list.example]"`
}

// Sender is From as an address; the zero address where there is none.
func (a Ask) Sender() mail.Address {
	from, err := mail.ParseAddress(a.From)
	if err != nil {
		return mail.Address{}
	}
	return from
}
