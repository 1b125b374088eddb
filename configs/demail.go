package configs

import (
	"crypto/x509"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/secret"
)

// DeMail is how mail to De-Mail addresses is sent, and fetched. See demail.md.
type DeMail struct {
	// Domains that are De-Mail beside `de-mail.de` and what is below it, each with everything below it. Those that the providers name are added to
	// them. Mail to a De-Mail domain leaves by an account of De-Mail, or not at all.
	Domains []string `yaml:"domains" example:"[stadt.example]"`
	// The company's accounts with providers of De-Mail. Without one, mail to De-Mail addresses is refused.
	Accounts []DeMailAccount `yaml:"accounts"`
	// Who inside may send De-Mail, from which De-Mail address and with which options. The first that matches the From address counts;
	// whom none matches may not.
	Senders []DeMailSender `yaml:"senders"`
	// What a user inside may write into a subject to ask for options of De-Mail.
	Tags DeMailTags `yaml:"tags" short:"enabled"`
	// The certification authorities of De-Mail, PEM, by whom the integrity of messages and confirmations is judged. Without them nothing counts
	// as verified.
	Anchors []Path `yaml:"anchors" example:"[/etc/siegel/de-mail-ca.pem]"`
	// Where De-Mail that was fetched goes.
	Incoming DeMailIncoming `yaml:"incoming"`
	// When confirmations that were asked for are missed.
	Overdue DeMailOverdue `yaml:"overdue"`
	// What is kept to prove what was sent and received.
	Evidence DeMailEvidence `yaml:"evidence"`

	anchors []*x509.Certificate
}

// Trust returns the certificates of anchors as they were when the configuration was read.
func (d DeMail) Trust() []*x509.Certificate { return d.anchors }

// Account returns the account of a name.
func (d DeMail) Account(name string) (DeMailAccount, bool) {
	for _, a := range d.Accounts {
		if a.Name == name && name != "" {
			return a, true
		}
	}
	return DeMailAccount{}, false
}

// The connectors, which are ways to a provider.
const (
	ConnectorWebService = "webservice"
	ConnectorMailbox    = "mailbox"
)

// DeMailAccount is an account of the company with a provider of De-Mail.
type DeMailAccount struct {
	// Names the account in rules, logs, metrics and commands: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"telekom"`
	// The way to the provider: `webservice`, as `profile` describes it; or `mailbox`, which is SMTP and IMAP.
	Connector string `yaml:"connector" default:"webservice" oneof:"webservice mailbox"`
	// What the provider's web service is like: the file of a profile, or `t-systems` or `mentana` for one of the two that come with Siegel. Those
	// are models, and have to be adapted: see demail.md.
	Profile ProfileFile `yaml:"profile" example:"/etc/siegel/provider.yaml"`
	// Where the web service is: `https://` and the host, with a port where it is another than 443. The paths are in the profile.
	URL string `yaml:"url" example:"https://gateway.provider.example"`
	// What the profile calls `account`, `user` and `password`: the account's number or name with the provider.
	Account string `yaml:"account" example:"firma"`
	// The name to log in with, where the provider wants one beside the client certificate.
	User string `yaml:"user" example:"firma-gateway"`
	// Its password. One that is refused is not tried again by itself: providers lock accounts.
	Password secret.String `yaml:"password" example:"{file: /etc/siegel/de-mail.password}"`
	// The servers of the connector `mailbox`.
	Mailbox DeMailMailbox `yaml:"mailbox"`
	// The connection to the provider. It is always encrypted and the server always verified.
	TLS DeMailTLS `yaml:"tls"`
	// The company's own De-Mail domains with this provider, where it does not name them itself.
	Domains []string `yaml:"domains" example:"[firma.de-mail.de]"`
	// The largest message, as its user counts it: attachments without their transfer encoding (TR-01201 3.1, 4.1).
	MaxNet Size `yaml:"max_net" default:"20 MiB" min:"64 kB" max:"45 MiB"`
	// The level at which the account is logged in: `high` with two factors, as a card and its PIN, else `normal`. The provider knows it; some
	// options need `high`.
	Level demail.Level `yaml:"level" default:"normal" oneof:"normal high"`
	// The options that the account may use: `dispatch`, `receipt` and `retrieve` are confirmations, `authoritative` (confirmed by the sender's
	// provider) and `private` (for the recipient alone) need the level `high`. `retrieve` is for public bodies, and comes with `private`.
	Entitled []DeMailOption `yaml:"entitled" default:"dispatch, receipt" oneof:"dispatch receipt retrieve authoritative private"`
	// The most messages under way at once.
	Concurrency int `yaml:"concurrency" default:"2" min:"1" max:"100"`
	// The waits between attempts. Where it is absent: those of `queue`.
	Retry []time.Duration `yaml:"retry" min:"1s" max:"1d" example:"[2m, 10m, 1h]"`
	// After this time the message is returned to its sender. Where it is absent: that of `queue`.
	Expire time.Duration `yaml:"expire" min:"1m" max:"30d" example:"2d"`
	// How messages and confirmations are fetched.
	Fetch DeMailFetch `yaml:"fetch" short:"every"`

	profile *webservice.Profile
}

// WebService returns the profile as it was when the configuration was read; nil for another connector.
func (a DeMailAccount) WebService() *webservice.Profile { return a.profile }

// DeMailOption is an option of De-Mail.
type DeMailOption string

// DeMailOptions are options as package demail has them; retrieve comes with private (TR-01201 3.1).
func DeMailOptions(list []DeMailOption) (o demail.Options) {
	for _, one := range list {
		if option, ok := demail.ParseOption(string(one)); ok {
			o = o.Or(option)
		}
	}
	o.Private = o.Private || o.Retrieve
	return o
}

// DeMailMailbox is the servers of a provider that takes De-Mail by SMTP and gives it by IMAP.
type DeMailMailbox struct {
	// Where messages are handed over: host and port. TLS begins at once, or by STARTTLS on port 587.
	Submission string `yaml:"submission" example:"smtp.provider.example:465"`
	// Where messages are fetched: host and port. TLS begins at once, or by STARTTLS on port 143.
	IMAP string `yaml:"imap" example:"imap.provider.example:993"`
	// The folder that messages are fetched from.
	Folder string `yaml:"folder" default:"INBOX"`
	// The folder that a message is moved to once the gateway has it; it has to be there. Where it is absent the message is deleted.
	Done string `yaml:"done" example:"Fetched"`
	// The folder into which the provider puts a copy of what was handed over. Where it is absent it does not, and a message whose answer was
	// lost waits for its confirmation, or for a person.
	Sent string `yaml:"sent" example:"Sent"`
	// Whether it does so before it answers: then what is not there was not taken, and is handed over again.
	SentAlways bool `yaml:"sent_always" default:"false"`
	// The De-Mail address whose messages lie in the folder, where they are those of one.
	Address string `yaml:"address" example:"kontakt@firma.de-mail.de"`

	whose demail.Address
}

// Whose returns address; the zero address where there is none.
func (m DeMailMailbox) Whose() demail.Address { return m.whose }

// DeMailFetch is how messages and confirmations are fetched.
type DeMailFetch struct {
	// How often. `0s` is never: then no confirmation comes back either.
	Every time.Duration `yaml:"every" default:"5m" min:"0s" max:"1d"`
	// What counts as served on the company when it is fetched, so that the responsible person is told at once, by what its sender asked for: `receipt` or
	// `retrieve`, a confirmation of them; `authoritative`; `private`; `every`, each message. The time is recorded of all.
	ServiceKinds []string `yaml:"service_kinds" default:"receipt, retrieve" oneof:"receipt retrieve authoritative private every"`
	// Who is told. Where it is absent: `incoming.responsible`.
	Tell []string `yaml:"tell" example:"[legal@firma.example]"`
}

// DeMailSender says of some people inside how they send De-Mail.
type DeMailSender struct {
	// Names it in logs and explanations. Where it is absent: `sender` and its number.
	Name string `yaml:"name" example:"legal"`
	// The From addresses it is for; all where it is absent.
	From mail.Patterns `yaml:"from" example:"[\"@legal.firma.example\", chef@firma.example]"`
	// The groups of the company's directory one of which the From address must be in, as `policy.rules[].from_groups`; with `from` both must hold.
	Groups []string `yaml:"groups" example:"[De-Mail]"`
	// The account it is sent by. Where there is one account only it may be absent.
	Account string `yaml:"account" example:"telekom"`
	// The De-Mail address it is sent from. `{local}` stands for what the From address has before the @.
	Address string `yaml:"address" example:"kontakt@firma.de-mail.de"`
	// A file with lines of a From address and, after a blank, the De-Mail address; `#` begins a comment. Where the From address stands in it,
	// this counts; where not, `directory`, then `address`. Whom none of them gives an address may not send.
	Table Path `yaml:"table" example:"/etc/siegel/de-mail-senders"`
	// An attribute of the company's directory that holds the De-Mail address.
	Directory DeMailDirectory `yaml:"directory"`
	// The options that may be asked for: `dispatch`, `receipt`, `retrieve`, `authoritative`, `private`. Where it is absent: those of the account.
	May []DeMailOption `yaml:"may" oneof:"dispatch receipt retrieve authoritative private" example:"[dispatch, receipt]"`
	// The options that every message has: `dispatch`, `receipt`, `retrieve`, `authoritative`, `private`.
	Always []DeMailOption `yaml:"always" oneof:"dispatch receipt retrieve authoritative private" example:"[dispatch]"`
	// How many messages one From address may send a day as De-Mail; 0 is any number. Providers permit, and charge for, so many.
	Daily int `yaml:"daily" default:"100" min:"0" max:"100000"`

	table map[string]demail.Address
}

// Addresses returns the lines of table as they were when the configuration was read, by the key of the From address; nil where there is none.
func (s DeMailSender) Addresses() map[string]demail.Address { return s.table }

// DeMailDirectory is where a directory has De-Mail addresses.
type DeMailDirectory struct {
	// The name of a directory under `certificates.directories`, in which the From address is looked for.
	Name string `yaml:"name" example:"company"`
	// The attribute of the entry that holds the De-Mail address.
	Attribute string `yaml:"attribute" example:"extensionAttribute7"`
}

// Given tells whether a directory is to be asked.
func (d DeMailDirectory) Given() bool { return d.Name != "" || d.Attribute != "" }

// DeMailTags are the words in a subject that ask for options.
type DeMailTags struct {
	// Whether tags count. The header field `X-Siegel-DeMail` always does.
	Enabled bool `yaml:"enabled" default:"true"`
	// Ask for a confirmation of dispatch. A tag stands in square brackets, at the very beginning or end of a subject; several may stand in one pair with
	// commas between. Upper and lower case are the same; it is removed before sending, from what is sent as De-Mail.
	Dispatch []string `yaml:"dispatch" default:"[Versandbestätigung], [Versandbestaetigung], [Delivery confirmation]"`
	// Ask for a confirmation of receipt.
	Receipt []string `yaml:"receipt" default:"[Eingangsbestätigung], [Eingangsbestaetigung], [Receipt confirmation]"`
	// Ask for a confirmation of retrieve.
	Retrieve []string `yaml:"retrieve" default:"[Abholbestätigung], [Abholbestaetigung], [Collection confirmation]"`
	// Ask that the provider confirms the sender.
	Authoritative []string `yaml:"authoritative" default:"[Absenderbestätigt], [Absenderbestaetigt], [Confirmed by sender]"`
	// Ask that the recipient has to log in strongly.
	Private []string `yaml:"private" default:"[Persönlich], [Persoenlich], [Personal]"`
}

// DeMailIncoming is where De-Mail that was fetched goes.
type DeMailIncoming struct {
	// The addresses inside for De-Mail addresses of the company.
	Mailboxes []DeMailAssigned `yaml:"mailboxes"`
	// A file with more of them: lines of a De-Mail address and, after a blank, the address inside; `#` begins a comment.
	Table Path `yaml:"table" example:"/etc/siegel/de-mail-mailboxes"`
	// Who gets what is for a De-Mail address that none of them names, with a warning to `admin.mail_to`. Where it is absent such mail stays with the
	// provider, and `admin.mail_to` is told.
	Fallback string `yaml:"fallback" example:"office@firma.example"`
	// What is put before the subject, so that a reader sees what the gateway found.
	MarkSubject DeMailMarks `yaml:"mark_subject"`
	// Who is told where something was fetched that counts as served on the company. Where it is absent: `admin.mail_to`.
	Responsible []string `yaml:"responsible" example:"[legal@firma.example]"`

	mailboxes map[demail.Address]mail.Address
	fallback  mail.Address
}

// Assigned returns mailboxes and the lines of table as they were when the configuration was read.
func (i DeMailIncoming) Assigned() map[demail.Address]mail.Address { return i.mailboxes }

// FallbackAddress returns fallback; the null address where there is none.
func (i DeMailIncoming) FallbackAddress() mail.Address { return i.fallback }

// DeMailAssigned is the address inside for a De-Mail address.
type DeMailAssigned struct {
	// The De-Mail address.
	DeMail string `yaml:"demail" required:"yes" example:"kontakt@firma.de-mail.de"`
	// The address inside.
	To string `yaml:"to" required:"yes" example:"office@firma.example"`
}

// DeMailMarks is what is put before the subject of De-Mail. An empty text puts nothing.
type DeMailMarks struct {
	// The integrity is verified: it is De-Mail, as its sender's provider had it, and signed by that provider.
	Verified string `yaml:"verified" example:"\"[De-Mail]\""`
	// It came as De-Mail, and as its sender's provider had it, who did not sign it: of most messages the guideline does not demand that.
	Intact string `yaml:"intact" example:"\"[De-Mail]\""`
	// It came as De-Mail, and its integrity could not be verified.
	Unverified string `yaml:"unverified" example:"\"[De-Mail, not verified]\""`
}

// DeMailOverdue is after which time a confirmation that was asked for and did not come is missed: then the sender and `admin.mail_to` are told, once.
type DeMailOverdue struct {
	// A confirmation of dispatch. `0s` is never, here and below.
	Dispatch time.Duration `yaml:"dispatch" default:"1h" min:"0s" max:"365d"`
	// A confirmation of receipt.
	Receipt time.Duration `yaml:"receipt" default:"1d" min:"0s" max:"365d"`
	// A confirmation of retrieve: the recipient may take time to log in.
	Retrieve time.Duration `yaml:"retrieve" default:"90d" min:"0s" max:"365d"`
}

// DeMailEvidence is what is kept to prove what was sent and received.
type DeMailEvidence struct {
	// How long it is kept. What is in doubt, or awaits a confirmation, is kept whatever stands here.
	Keep DeMailKeep `yaml:"keep"`
	// A service that stamps evidence with the time (RFC 3161).
	Timestamp DeMailTimestamp `yaml:"timestamp" short:"url"`
}

// DeMailKeep is how long evidence is kept. It is removed by itself after that; `0s` is never. What is in doubt, or awaits a confirmation, stays.
type DeMailKeep struct {
	// Of messages for which a confirmation was asked: the message as it was sent, its confirmations and how they were judged.
	Confirmed time.Duration `yaml:"confirmed" default:"3650d" min:"0s" max:"36500d"`
	// Of other messages that were sent.
	Sent time.Duration `yaml:"sent" default:"2190d" min:"0s" max:"36500d"`
	// Of messages that the provider did not take.
	Refused time.Duration `yaml:"refused" default:"365d" min:"0s" max:"36500d"`
	// Of what was fetched: when, for whom and how it was judged; not its content, which was delivered.
	Received time.Duration `yaml:"received" default:"3650d" min:"0s" max:"36500d"`
}

// DeMailTimestamp is a service that stamps evidence with the time.
type DeMailTimestamp struct {
	// Where it is asked, by `https://` or `http://`: what it answers is signed.
	URL string `yaml:"url" example:"https://tsa.example/tsa"`
	// The certification authorities that are believed for its stamps, PEM.
	CA Path `yaml:"ca" example:"/etc/siegel/tsa-ca.pem"`

	authorities []*x509.Certificate
}

// Authorities returns the certificates of ca as they were when the configuration was read.
func (t DeMailTimestamp) Authorities() []*x509.Certificate { return t.authorities }

// finishDeMail adds what follows from other keys.
func finishDeMail(d *DeMail) {
	for i := range d.Accounts {
		if t := &d.Accounts[i].TLS; t.ClientKey == "" {
			t.ClientKey = KeyFile(t.ClientCertificate)
		}
	}
	for i := range d.Senders {
		s := &d.Senders[i]
		if s.Name == "" {
			s.Name = "sender " + strconv.Itoa(i+1)
		}
		if s.Account == "" && len(d.Accounts) == 1 {
			s.Account = d.Accounts[0].Name
		}
	}
}
