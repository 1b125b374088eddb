package probe

import (
	"time"
)

// Report is what was found out. Its JSON is documented in docs/tls.md.
type Report struct {
	Address    string   `json:"address"`
	Protocol   Protocol `json:"protocol"`
	Implicit   bool     `json:"implicit"`
	ServerName string   `json:"serverName"`
	// Reached tells that at least one version of TLS is accepted.
	Reached bool `json:"reached"`
	// Problem is why nothing was accepted, or why not all could be learned.
	Problem *Problem `json:"problem,omitempty"`

	Accepted  Accepted  `json:"accepted"`
	Preferred Preferred `json:"preferred"`
	// PerVersion has all versions that were asked for, the oldest first.
	PerVersion        []Version         `json:"perVersion"`
	Certificates      []Certificate     `json:"certificates"`
	ClientCertificate ClientCertificate `json:"clientCertificate"`
	Facts             Facts             `json:"facts"`
	// Handshake is what a connection of this program comes to; nil where there was none.
	Handshake *Handshake `json:"handshake,omitempty"`
	Verdicts  []Verdict  `json:"verdicts"`
	// Fits tells whether a connection by the profile that was given is possible; nil: there was none.
	Fits *bool `json:"fits,omitempty"`
	// DNS is what the domain says of the TLS of its mail servers; nil where nobody asked.
	DNS *DNS `json:"dns,omitempty"`
	// Configuration is that with which this gateway reaches the server, as YAML; empty: it does not.
	Configuration string `json:"configuration,omitempty"`

	Connections int           `json:"connections"` // that were made
	Took        time.Duration `json:"-"`

	scans  []*scan
	chains []chain
	target Target
}

// Problem is something that went wrong.
type Problem struct {
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
	Alert  string `json:"alert,omitempty"` // IANA's name of the alert that was behind it
	// Partly tells that something was learned; the rest of the report holds it, and may miss more.
	Partly bool `json:"partly"`
}

// Accepted is what a server takes, in its order of preference where it has one, the newest version first. Suites and groups are
// those of all versions; PerVersion tells which has which.
type Accepted struct {
	Versions []string `json:"versions"`
	Suites   []string `json:"suites"`
	Groups   []string `json:"groups"`
}

// Preferred is what a server takes of everything. Where its client decides (the order is ClientOrder) Suite is the strongest.
type Preferred struct {
	Version    string `json:"version,omitempty"`
	Suite      string `json:"suite,omitempty"`
	Group      string `json:"group,omitempty"`
	SuiteOrder Order  `json:"suiteOrder,omitempty"`
	GroupOrder Order  `json:"groupOrder,omitempty"`
}

// Version is what was learned of one version.
type Version struct {
	Version    string   `json:"version"`
	Accepted   bool     `json:"accepted"`
	Refusal    string   `json:"refusal,omitempty"`
	Suites     []string `json:"suites,omitempty"`
	SuiteOrder Order    `json:"suiteOrder,omitempty"`
	// Groups are looked for in TLS 1.3 and in the highest version below.
	Groups     []string `json:"groups,omitempty"`
	GroupOrder Order    `json:"groupOrder,omitempty"`
	// Primes of Diffie-Hellman key exchanges, below TLS 1.3.
	Primes     []Prime `json:"primes,omitempty"`
	Incomplete string  `json:"incomplete,omitempty"` // why not all is known
}

// Facts are what the server knows of extensions. Those that say false were asked for. Except for Protocol they are of TLS 1.2 and before;
// TLS 1.3 has all of it built in.
type Facts struct {
	Below13              bool   `json:"below13"` // a version below TLS 1.3 is accepted, so that the others mean something
	SecureRenegotiation  bool   `json:"secureRenegotiation"`
	ExtendedMasterSecret bool   `json:"extendedMasterSecret"`
	EncryptThenMAC       bool   `json:"encryptThenMac"`
	SessionTickets       bool   `json:"sessionTickets"`
	StapledOCSP          bool   `json:"stapledOcsp"`
	Compression          bool   `json:"compression"`
	Protocol             string `json:"alpn,omitempty"`
}

// ClientCertificate is what a server wants of its clients.
type ClientCertificate struct {
	Requested bool `json:"requested"`
	// Required tells whether it does without; nil where that did not show.
	Required *bool `json:"required"`
	// Shown tells that a certificate was given to the probe and shown, Taken that the handshake ended well with it.
	Shown bool `json:"shown"`
	Taken bool `json:"taken"`
	// Authorities are those whose certificates it takes (RFC 4514); none: it does not say.
	Authorities []string `json:"authorities"`
	Schemes     []string `json:"schemes,omitempty"` // of the signatures it takes
	Said        string   `json:"said,omitempty"`    // what it answered to a client without a certificate
}

// Handshake is one that this program finished, or tried to.
type Handshake struct {
	Version string `json:"version,omitempty"`
	Suite   string `json:"suite,omitempty"`
	Group   string `json:"group,omitempty"`
	Engine  string `json:"engine,omitempty"`
	Resumes bool   `json:"resumes"`           // a second connection went on with the keys of the first
	Failure string `json:"failure,omitempty"` // why it was not finished
}

// Level is the weight of a verdict.
type Level string

// The levels.
const (
	Good Level = "good"
	Note Level = "note" // worth knowing; nothing has to be done for mail to flow
	Bad  Level = "bad"
)

// Verdict is a judgement of one thing.
type Verdict struct {
	// About is what was judged: version, suite, group, protocol, certificate, client certificate, profile, dns.
	About  string `json:"about"`
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Bad reports whether any verdict about one of the things is bad.
func (r *Report) Bad(about ...string) bool {
	for _, v := range r.Verdicts {
		for _, a := range about {
			if v.Level == Bad && v.About == a {
				return true
			}
		}
	}
	return false
}

func (r *Report) say(about string, level Level, text, remedy string) {
	r.Verdicts = append(r.Verdicts, Verdict{about, level, text, remedy})
}
