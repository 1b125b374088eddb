package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/pickup"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/privacy"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/throttle"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
)

// Options are what a gateway keeps for its whole life.
type Options struct {
	Hostname string
	State    string     // directory of queue and scratch files; created where missing
	Key      atrest.Key // for everything that rests in State
	Socket   string     // path of the control socket; empty: none
	HTTP     string     // address of metrics and health, a loopback one unless Settings.PagesTLS knows the clients; empty: none
	Publish  string     // address at which the built-in CA's lists are served to everybody; empty: none
	// PolicyAddress is where OwnPolicy is served to everybody; empty: nowhere.
	PolicyAddress string
	// Outlook is where the add-in for Outlook is served, if Settings.Outlook says how; empty: nowhere.
	Outlook string
	Version string // said by the control socket
	Log     logrus.FieldLogger
	Pickup  *pickup.Options // a folder to take messages from, for its life; what it shares is filled in; nil: none
	// Recorders see every event besides the log and the metrics.
	Recorders []track.Recorder
	// Record is how long and how large the stored record may be; nil: none is kept.
	Record *Record
	// Load gives the settings anew when an operator asks for a reload; nil: reload is refused.
	Load func() (Settings, error)
	// Certs are further commands on certificates for the control socket, by name.
	Certs map[string]admin.CertsCommand
	// Smartcards are those of the configuration, for operators; nil: there are none.
	Smartcards admin.Smartcards
	// Collectors are metrics of what works beside the gateway.
	Collectors []prometheus.Collector
	Now        func() time.Time // nil: time.Now

	Settings Settings
}

// Settings are what a reload may change.
type Settings struct {
	Local      mail.Patterns     // the company's own domains
	Recipients smtpin.Recipients // of them, who exists; nil: everyone
	Listeners  []smtpin.Listener
	Throttle   throttle.Options // of senders inside
	Quarantine Quarantine       // mail that waits until a person has decided
	Texts      *texts.Texts     // what people are told; nil: the texts as they come
	MailTo     []mail.Address   // administrators, who are told by mail what cannot wait
	Routes     []Route          // the first that matches a recipient serves it
	// Backup are the domains of others that mail is kept for. They come before Routes.
	Backup []Backup
	// Archives are those that Policy may name.
	Archives []Archive
	// DeMail has the accounts that De-Mail goes by; nil: none, and mail to De-Mail domains is refused.
	DeMail *DeMail
	// DNS looks names up, for routes by MX; they need it. The gateway closes the one in force when it ends.
	DNS *dns.Resolver
	// Self are the names and addresses of this gateway in MX records beside Hostname and those of Listeners.
	Self       []string
	Policy     *policy.Policy
	Groups     protect.Groups // knows the groups of Policy; needed where it has any
	Vocabulary policy.Vocabulary
	Marks      protect.Marks
	Privacy    privacy.Rules    // Hostname is filled in
	Origin     origin.Options   // of mail from outside; its names and its clock are the gateway's
	DKIM       mailauth.Signers // sign what leaves
	SMIME      protect.SMIME
	Certs      certs.Finder
	Validator  certs.Judge
	// Within makes, of the certificates that the gateway keeps, of what tells which are revoked, and of whatever else the settings have, a
	// finder and a judge, which then stand in place of Certs and Validator; nil: nothing that is kept is used.
	Within     func(kept *store.Store, revoked certs.Revocation) (certs.Finder, certs.Judge)
	Revocation revocation.Settings
	Issue      *Issue         // certificates of the company's own addresses; nil: nobody issues them
	WarnBefore time.Duration  // how long before the end of a certificate it is told; 0: never
	Folder     *folder.Folder // whose certificates are told of, too; nil: none
	Presented  []Presented    // certificates of TLS, which are told of, too
	Retry      delivery.Retry // of routes without their own
	Expire     time.Duration  // how long delivery is tried, on routes without their own
	DelayAfter time.Duration  // when senders are told that a message is delayed; 0: never
	// Companions work beside the gateway while the settings are in force.
	Companions []Companion
	// ProtectWithin is how long a message waits for a key or certificate that is away; 0: 4 hours.
	ProtectWithin time.Duration
	// ProtectRetry is when protection is tried again; of the start, as Retry is. No steps: 5 seconds first.
	ProtectRetry delivery.Retry
	Ask          Ask                // for the certificates of recipients
	Find         Find               // certificates of people outside
	Harvest      Harvest            // of certificates from signatures
	Directories  []WatchedDirectory // that metrics tell of
	TLSReport    TLSReport          // to other domains
	OwnPolicy    OwnPolicy          // of TLS to our own mail servers
	PagesTLS     *admin.PagesTLS    // of metrics and health; nil: plain HTTP
	Outlook      *addin.Setup       // of the add-in for Outlook; nil: it is not served
	DeMailRecord proof.Terms        // of the record of De-Mail
	DeMailStamp  bundle.Stamp       // gives its evidence timestamps; nil: it has none
	// Patience is how long protection may keep a sender waiting before the message is held; 0: 30 seconds.
	Patience time.Duration
}
