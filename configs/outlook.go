package configs

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// Outlook is the add-in for Outlook.
type Outlook struct {
	// Address and port where the pages of the add-in, and what they ask, are served by HTTPS. It counts at the start. Where it is absent nothing is served; the
	// subject tags work all the same.
	Listen string `yaml:"listen" example:"\":8443\""`
	// Where Outlook reaches it: `https://` and a name, with a port where it is not 443. The manifest must be written for the same URL, and a proxy before the
	// gateway must leave the name as it is.
	URL string `yaml:"url" example:"\"https://siegel.firma.example\""`
	// The certificate, and what TLS must be like.
	TLS OutlookTLS `yaml:"tls"`
	// The language of the company, for those whose Outlook speaks neither: `de` or `en`.
	Language string `yaml:"language" default:"en" oneof:"de en"`
	// Users of Microsoft 365, known by access tokens of Entra ID.
	Entra OutlookEntra `yaml:"entra"`
	// Users of an Exchange server of the company's own, known by its identity tokens.
	Exchange OutlookExchange `yaml:"exchange" short:"hosts"`
	// Whose addresses are whose: a line for each user with its ID, which is the object ID of Entra or the `msexchuid` of Exchange, a colon, and the addresses that the user writes
	// from, with commas between them. Who stands here has these addresses and no others.
	UsersFile Path `yaml:"users_file" example:"/etc/siegel/outlook-users"`
	// The name of the directory under `certificates.directories` that knows the addresses of users, the further ones too.
	Directory string `yaml:"directory" example:"company"`
	// Networks, or single addresses, from which everybody may ask without a token. Whoever is there learns, of everybody that `networks_speak_for` has,
	// what a message of theirs would get.
	Networks []netip.Prefix `yaml:"networks" example:"[10.1.0.0/16]"`
	// The From addresses that may be asked for without a token. Where they are absent: those of `domains`.
	NetworksSpeakFor mail.Patterns `yaml:"networks_speak_for" example:"[firma.example]"`
	// Further pages that may show the add-in in a frame, such as Outlook on the web of the company's own server. Those of Microsoft 365 and
	// the servers of `exchange.hosts` may.
	Frames []string `yaml:"frames" example:"[\"https://owa.firma.example\"]"`
	// How much one user may ask.
	Limits OutlookLimits `yaml:"limits"`

	origin string
	users  addin.Table
}

// OutlookTLS is the TLS of the add-in.
type OutlookTLS struct {
	// The certificate and its chain, PEM, with the name in `url`. The files are looked at every ten seconds: a renewed certificate needs no reload.
	Certificate Path `yaml:"certificate" example:"/etc/siegel/tls/outlook.pem"`
	// The private key of the certificate, PEM. Where it is absent it is looked for in the certificate's file.
	Key Path `yaml:"key" example:"/etc/siegel/tls/outlook.key"`
	// The profile that its TLS is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`

	policy tlspolicy.Profile
	pair   *tls.Certificate
}

// OutlookEntra says whose access tokens of Entra ID are believed.
type OutlookEntra struct {
	// The tenant ID of the company, a GUID; the Entra admin center shows it under Overview.
	Tenant string `yaml:"tenant" example:"6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"`
	// The application ID of the add-in's registration there, a GUID.
	ClientID string `yaml:"client_id" example:"0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f"`
	// The identifier URI of the registration, for which Outlook gets tokens for the script that runs on sending; it stands in the manifest. Where it is absent: `api://`, the name in
	// `outlook.url` with its port, a slash and the application ID, as Outlook wants it. Tokens for the application ID alone are believed too: the pages get such.
	Audience string `yaml:"audience" example:"\"api://siegel.firma.example/0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f\""`
	// The scope that the registration exposes, and that a token must have.
	Scope string `yaml:"scope" default:"access_as_user"`
	// The applications, beside the add-in's own, that may get tokens for it: those of Outlook, which get them for the script that runs on sending. Entra ID gives them none unless the
	// registration authorises them.
	Clients []string `yaml:"clients" default:"d3590ed6-52b3-4102-aeff-aad2292ab01c, ea5a67f6-b6f3-4338-b240-c655ddc3cc8e, bc59ab01-8403-45c6-8796-ac3ef710b3e3, 57fb890c-0dab-4253-a5e0-7188c88b2bb4, 08e18876-6177-487e-b8b5-cf950c1e598c"`
	// Where Entra ID is, without the tenant. National clouds have others, such as `https://login.microsoftonline.us`.
	Authority string `yaml:"authority" default:"https://login.microsoftonline.com"`
	// A file with the tenant's signing keys (a JWK set, from `AUTHORITY/TENANT/discovery/v2.0/keys`), for gateways that may not reach the internet; somebody has to renew it, as Entra
	// changes its keys without notice. Where it is absent they are fetched.
	KeysFile Path `yaml:"keys_file" example:"/etc/siegel/entra-keys.json"`
	// The certification authorities that are believed when the keys are fetched, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/proxy-ca.pem"`
	// The profile that the TLS to Entra ID is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`
	// The attribute of `directory` that holds the object ID, as it is or after `User_`, by which a user is found there. Where it is absent the user is found by the
	// address in the token.
	Attribute string `yaml:"attribute" example:"msDS-ExternalDirectoryObjectId"`

	origin string // of the add-in
	policy tlspolicy.Profile
	roots  *x509.CertPool
}

// OutlookExchange says whose identity tokens of Exchange are believed.
type OutlookExchange struct {
	// The servers whose metadata documents are believed, with a port where it is not 443. A token names the document with the certificate that signed it; one at another
	// server is refused and not looked at.
	Hosts []string `yaml:"hosts" example:"[mail.firma.example]"`
	// The certification authorities that are believed when the documents are fetched, PEM. Where it is absent: those of the machine.
	CA Path `yaml:"ca" example:"/etc/siegel/tls/firma-ca.pem"`
	// The profile that the TLS to these servers is held to. Where it is absent: `tls.default`.
	Profile string `yaml:"profile" example:"modern"`
	// The attribute of `directory` that holds the ID of the mailbox, a GUID, by which a user is found there.
	Attribute string `yaml:"attribute" default:"msExchMailboxGuid"`

	policy tlspolicy.Profile
	roots  *x509.CertPool
}

// OutlookLimits are how much one user may ask.
type OutlookLimits struct {
	// The questions of one user, or of one address without a token, in a minute.
	PerMinute int `yaml:"per_minute" default:"60" min:"1" max:"10000"`
	// The different recipients that one user, or one address without a token, may ask about in an hour.
	RecipientsPerHour int `yaml:"recipients_per_hour" default:"500" min:"1" max:"100000"`
	// The most recipients of one question.
	Recipients int `yaml:"recipients" default:"100" min:"1" max:"100"`
	// How long one answer may take.
	Timeout time.Duration `yaml:"timeout" default:"10s" min:"1s" max:"1m"`
}

// finishOutlook adds what follows from other keys.
func finishOutlook(c *Config) {
	o := &c.Outlook
	if o.TLS.Key == "" {
		o.TLS.Key = o.TLS.Certificate
	}
	if len(o.Networks) > 0 && o.NetworksSpeakFor == nil {
		o.NetworksSpeakFor = c.Domains
	}
}

// Enabled reports whether the add-in is served.
func (o Outlook) Enabled() bool { return o.Listen != "" }

// Origin is where Outlook reaches it: scheme, name and port as a browser writes them, without a slash at the end.
func (o Outlook) Origin() string { return o.origin }

// Users are the lines of users_file as they were when the configuration was read.
func (o Outlook) Users() addin.Table { return o.users }

// Policy returns the profile that its TLS is held to.
func (t OutlookTLS) Policy() tlspolicy.Profile { return t.policy }

// Pair returns the certificate with its key as they were when the configuration was read, and false where there is none.
func (t OutlookTLS) Pair() (tls.Certificate, bool) {
	if t.pair == nil {
		return tls.Certificate{}, false
	}
	return *t.pair, true
}

// Policy returns the profile that the TLS to Entra ID is held to.
func (e OutlookEntra) Policy() tlspolicy.Profile { return e.policy }

// Roots returns the authorities of ca as they were when the configuration was read; nil: those of the machine.
func (e OutlookEntra) Roots() *x509.CertPool { return e.roots }

// Enabled reports whether tokens of Entra ID are believed.
func (e OutlookEntra) Enabled() bool { return e.Tenant != "" }

// Resource is the identifier URI of the application.
func (e OutlookEntra) Resource() string {
	if e.Audience != "" {
		return e.Audience
	}
	return "api://" + strings.TrimPrefix(e.origin, "https://") + "/" + e.ClientID
}

// Audiences are what a token may be for: the application, by its ID or its URI. Where no URI is configured that is also the one that Entra itself proposes.
func (e OutlookEntra) Audiences() []string {
	all := []string{e.ClientID, e.Resource()}
	if e.Audience == "" {
		all = append(all, "api://"+e.ClientID)
	}
	return all
}

// PagesScope is what the pages ask a token for: the scope by the application's own ID. Pages and gateway are one application in Entra, which renews a token for itself under no
// other name (AADSTS90009).
func (e OutlookEntra) PagesScope() string { return e.ClientID + "/" + e.Scope }

// Policy returns the profile that the TLS to the servers is held to.
func (e OutlookExchange) Policy() tlspolicy.Profile { return e.policy }

// Roots returns the authorities of ca as they were when the configuration was read; nil: those of the machine.
func (e OutlookExchange) Roots() *x509.CertPool { return e.roots }
