// Package configs reads the configuration file and judges it; it opens no listener and changes nothing.
//
// The structs below are the file: what the comment of a field says is what docs/configuration.md says of
// the key, and a test holds the two together. The tags mean:
//
//	yaml      the key
//	alias     another spelling that is understood
//	default   the value where the key is not given
//	required  "yes": the key must be given
//	oneof     the words allowed
//	min, max  the bounds of a number, duration or size
//	short     on a section: the key that is meant when a single value stands in place of the section
//	inline    on a secret: "ok" where it may stand in the file without a warning
//	example   for the documentation
package configs

import (
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/secret"
)

// DefaultFile is where the configuration is looked for when no file is named.
const DefaultFile = "/etc/siegel/siegel.yaml"

// Config is a configuration that was read and found free of errors. It is not changed after [Load]
// returned it and may be read from any number of goroutines.
type Config struct {
	// The name of this gateway as other mail servers see it: in the greeting, in EHLO and in Received. It
	// should be the name that the reverse look-up of the gateway's address gives.
	Hostname string `yaml:"hostname" required:"yes" example:"mail.firma.example"`
	// The folder for everything the gateway keeps: queue, spool, evidence. It must survive a restart and
	// lie on a disk that honours fsync.
	State Path `yaml:"state" default:"/var/lib/siegel"`
	// The company's own domains. `firma.example` stands for its addresses, `*.firma.example` for those of
	// all its subdomains. An external listener accepts recipients in these domains and in no others.
	Domains mail.Patterns `yaml:"domains" example:"[firma.example, \"*.firma.example\"]"`
	// Which addresses in these domains exist.
	Recipients Recipients `yaml:"recipients" short:"file"`
	// How mail is encrypted on the disk of the gateway.
	AtRest AtRest `yaml:"at_rest"`
	// Vaults whose keys sign and decrypt, and which keep secrets of this file.
	Vault []Vault `yaml:"vault"`
	// Keys on smart cards, which sign and decrypt, and by which the gateway shows itself in TLS.
	Smartcards []Smartcard `yaml:"smartcards"`
	// Where mail comes in. Each listener has one address and one role.
	Listeners []Listener `yaml:"listeners"`
	// Where the S/MIME certificates and keys are.
	Certificates Certificates `yaml:"certificates"`
	// What is signed and encrypted.
	Policy Policy `yaml:"policy"`
	// What S/MIME may do that is not safe everywhere.
	SMIME SMIME `yaml:"smime"`
	// What becomes of mail from outside whose origin SPF, DKIM and DMARC leave in doubt.
	Authentication Authentication `yaml:"authentication"`
	// The DKIM keys that sign what leaves. Several keys of one domain sign all at once.
	DKIM []DKIM `yaml:"dkim"`
	// What the header of mail to the internet says of the company.
	Privacy Privacy `yaml:"privacy"`
	// A folder into which applications put messages.
	Pickup Pickup `yaml:"pickup"`
	// Where mail goes. The first route that has the recipient's domain is taken.
	Routes []Route `yaml:"routes"`
	// Mail that is kept for others while their own servers are away, as their backup MX.
	Backup []Backup `yaml:"backup"`
	// Where copies of messages are kept, as laws demand it; the policy says of which. See archive.md.
	Archives []Archive `yaml:"archives"`
	// How mail to De-Mail addresses is sent, and fetched. See demail.md.
	DeMail DeMail `yaml:"demail"`
	// The add-in for Outlook, which shows its users what their messages will get. See administration.md.
	Outlook Outlook `yaml:"outlook"`
	// What users are told, in their language: refusals, reports, notices. See administration.md.
	Texts Texts `yaml:"texts"`
	// How names are looked up: where mail goes by MX, and where it comes from.
	DNS DNS `yaml:"dns"`
	// What TLS connections must be like: versions, cipher suites, groups, keys.
	TLS TLS `yaml:"tls" short:"default"`
	// How much one sender inside may send to the outside.
	Throttle Throttle `yaml:"throttle"`
	// Mail that waits until a person has decided.
	Quarantine Quarantine `yaml:"quarantine"`
	// How long delivery is tried.
	Queue Queue `yaml:"queue"`
	// What is kept of what happened to each message, for `siegel track`.
	Record Record `yaml:"record"`
	// What the gateway writes to its standard error.
	Log Log `yaml:"log"`
	// How the gateway is watched and steered.
	Admin Admin `yaml:"admin"`

	file    string
	origins map[string]Origin
	vaulted []VaultSecret // that are still to be read
	options Options
}

// AtRest is the protection of what rests on disk.
type AtRest struct {
	// The key, 32 bytes in base64 on one line. `openssl rand -base64 32` makes one. Without it nothing in
	// the queue can be read again: keep a copy in a safe place.
	Key secret.String `yaml:"key" required:"yes" example:"{file: /etc/siegel/at-rest.key}"`
}

// Role is what a listener is for.
type Role string

// The roles of a listener.
const (
	RoleInternal   Role = "internal"   // mail from the company's own servers
	RoleExternal   Role = "external"   // mail from the internet to the company
	RoleSubmission Role = "submission" // mail from users and programs that log in
	RoleRoundTrip  Role = "roundtrip"  // mail of both directions from Exchange Online, which gets it back
)

// Listener is one door for mail.
type Listener struct {
	// Names the listener in logs and metrics: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"exchange"`
	// Address and port. An empty address is every address of the machine; port 0 is any free port.
	Address string `yaml:"address" required:"yes" example:"10.0.0.5:25"`
	// `internal`: the company's servers hand over what is to be signed, encrypted and sent. `external`: the
	// internet hands over what is for the company's domains. `submission`: users log in with a password.
	// `roundtrip`: Exchange Online, where the MX record points to, hands over mail of both directions and gets
	// it back; see topologies.md.
	Role Role `yaml:"role" required:"yes" oneof:"internal external submission roundtrip"`
	// Who may connect, as networks or single addresses. An internal listener needs them, or
	// `tls.client_names`: they are its proof that a message is from inside. Where they are absent everybody
	// may connect.
	Networks []netip.Prefix `yaml:"networks" example:"[10.0.0.0/24, 2001:db8::25]"`
	// The From addresses that may be used, and so signed, over this listener. Where they are absent: those
	// of `domains`. On a submission listener `may_use` of the user narrows them further. An external
	// listener has none.
	Senders mail.Patterns `yaml:"senders" example:"[firma.example]"`
	// The tenant of Exchange Online that an internal or roundtrip listener serves.
	ExchangeOnline ExchangeOnline `yaml:"exchange_online" short:"tenant"`
	// Encryption of the connection.
	TLS ListenerTLS `yaml:"tls" short:"mode"`
	// Users of a submission listener.
	Users []User `yaml:"users"`
	// A file with more users: a list as under `users`.
	UsersFile Path `yaml:"users_file" example:"/etc/siegel/users.yaml"`
	// Whether SPF, DKIM and DMARC of what arrives are judged, as the section `authentication` says. This is for
	// an external listener; on others nothing is judged.
	Authentication bool `yaml:"authentication" default:"true"`
	// The largest message that is accepted.
	MaxSize Size `yaml:"max_size" default:"50 MB" min:"64 kB" max:"1 GB"`
	// The most recipients one message may have.
	MaxRecipients int `yaml:"max_recipients" default:"1000" min:"1" max:"50000"`
	// Whether single CR and LF, which Exchange passes on from programs, become line ends in messages that arrive by
	// BDAT and bear no signature. Only on an internal listener; elsewhere, by DATA, and in what was signed, they are
	// refused.
	Normalise bool `yaml:"normalise" default:"false"`
	// What its clients may take up.
	Limits Limits `yaml:"limits"`
}

// User may log in at a submission listener.
type User struct {
	// The name to log in with; upper and lower case are different.
	Name string `yaml:"name" required:"yes" example:"scanner"`
	// The bcrypt hash of the password. `htpasswd -nBC 12 NAME` makes one.
	Hash secret.String `yaml:"hash" required:"yes" inline:"ok" example:"\"$2y$12$…\""`
	// The addresses the user may write as From, and so have signed.
	MayUse mail.Patterns `yaml:"may_use" required:"yes" example:"[scanner@firma.example]"`
}

// Certificates is where the S/MIME certificates and keys are.
type Certificates struct {
	// A folder of PEM and PKCS#12 files: certificates of partners, certificates and keys of our own users. It is used together
	// with the store that `siegel certs import` fills.
	Folder Path `yaml:"folder" example:"/etc/siegel/certificates"`
	// A folder of PEM files: the certification authorities whose certificates are believed.
	Trust Path `yaml:"trust" example:"/etc/siegel/trust"`
	// A file with passwords, one a line, that are tried on each PKCS#12 file of the folder that has no
	// `NAME.password` beside it.
	PasswordsFile Path `yaml:"passwords_file" example:"/etc/siegel/certificates.passwords"`
	// Where certificates of people outside are found, and how they are asked for.
	Find Find `yaml:"find"`
	// How long before its end a certificate is told of that no other follows: in the log, by a metric, in `siegel certs expiring`
	// and by mail to `admin.mail_to`. `0s` is never.
	WarnBefore time.Duration `yaml:"warn_before" default:"30d" min:"0s" max:"365d"`
	// How the company's own addresses get certificates.
	Issue Issue `yaml:"issue" short:"ca"`
	// What is asked of certificates beyond a path to an authority that is believed.
	Validation Validation `yaml:"validation"`
	// LDAP directories, in the order in which they are asked.
	Directories []Directory `yaml:"directories"`
	// How it is learned whether certificates are revoked, of partners, of the company, and of the authorities above them.
	Revocation Revocation `yaml:"revocation" short:"mode"`
}

// Queue is how long and how often delivery is tried.
type Queue struct {
	// The waits between attempts; the last one repeats. Each is spread by a tenth, so that what failed together
	// is not tried together. A route may have its own.
	Retry []time.Duration `yaml:"retry" default:"1m, 5m, 15m, 30m, 1h, 2h, 4h" min:"1s" max:"1d"`
	// After this time the message is returned to its sender. A route may have its own.
	Expire time.Duration `yaml:"expire" default:"5d" min:"1m" max:"30d"`
	// After this time the sender is told, once, that the message is still on its way; `0s` is never.
	DelayNotice time.Duration `yaml:"delay_notice" default:"4h" min:"0s" max:"30d"`
	// How long a message waits where a key or certificate that it needs is away, before it is returned to its
	// sender; and how long one from outside waits for the key that decrypts it, before it is delivered as it came
	// (not longer than `expire`).
	ProtectWithin time.Duration `yaml:"protect_within" default:"4h" min:"1m" max:"30d"`
}

// Log is what the gateway writes to its standard error.
type Log struct {
	// How much: `error`, `warn`, `info` or `debug`. Mail itself, keys and passwords are never written.
	Level string `yaml:"level" default:"info" oneof:"error warn info debug"`
	// `text` or `json`, one line per event.
	Format string `yaml:"format" default:"text" oneof:"text json"`
}

// Admin is how the gateway is watched and steered.
type Admin struct {
	// The control socket for `siegel queue` and `siegel reload`, in a folder of its own that only the user of the
	// gateway may enter (mode 0700): who may open it may steer the gateway. The commands take another place than
	// the default from `--socket` or the variable `SIEGEL_SOCKET`.
	Socket Path `yaml:"socket" default:"/run/siegel/control.sock"`
	// Address and port for /metrics, /healthz and /readyz: a loopback address, since nobody is asked for a
	// password, or any where `tls.client_ca` says who is let in. It counts at the start. Where it is absent there is none.
	HTTP string `yaml:"http" example:"127.0.0.1:9035"`
	// TLS of these pages, which a reload changes. Where it is absent they are served by plain HTTP.
	TLS AdminTLS `yaml:"tls"`
	// Whom the gateway writes to about what cannot wait, such as a sender whose mail it holds.
	MailTo []string `yaml:"mail_to" example:"[postmaster@firma.example]"`
}
