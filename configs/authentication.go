package configs

import (
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Authentication is what becomes of mail from outside whose origin is in doubt.
type Authentication struct {
	// Clients that are not judged, as networks or single addresses: servers that forward the company's mail and
	// have judged it, as a filter in front of the gateway or a second MX. What they wrote about it stays.
	Trusted []netip.Prefix `yaml:"trusted" example:"[192.0.2.25, 2001:db8:1::/48]"`
	// How long DNS is waited for, for all of one message. What is not known by then counts as a temporary error
	// (`…_temperror`).
	Timeout time.Duration `yaml:"timeout" default:"20s" min:"1s" max:"2m"`
	// Mail in the name of one of `domains` that neither SPF nor DKIM confirms: `none`, `mark`, `quarantine` or
	// `reject`. Messages that come back from mailing lists are among it.
	OwnDomains mailauth.Disposition `yaml:"own_domains" default:"mark" oneof:"none mark quarantine reject"`
	// DMARC refutes the author: `published` does what the author's domain asks for, and marks where that asks
	// for nothing; else `none`, `mark`, `quarantine`, `temporary` or `reject`.
	DMARCFail mailauth.Disposition `yaml:"dmarc_fail" default:"published" oneof:"published none mark quarantine temporary reject"`
	// DNS does not answer for DMARC, or for what it rests on: `none`, `mark`, `quarantine`, `temporary` (the
	// client is told to come again) or `reject`.
	DMARCTempError mailauth.Disposition `yaml:"dmarc_temperror" default:"temporary" oneof:"none mark quarantine temporary reject"`
	// There is not exactly one From field that can be read: `none`, `mark`, `quarantine`, `temporary` or `reject`.
	BadFrom mailauth.Disposition `yaml:"bad_from" default:"reject" oneof:"none mark quarantine temporary reject"`
	// The SPF record of the sender's domain does not permit the client: `none`, `mark`, `quarantine`, `temporary`
	// or `reject`. This and what follows counts only where DMARC has not passed.
	SPFFail mailauth.Disposition `yaml:"spf_fail" default:"mark" oneof:"none mark quarantine temporary reject"`
	// As `spf_fail`, for a record that ends in `~all`: `none`, `mark`, `quarantine`, `temporary` or `reject`.
	SPFSoftFail mailauth.Disposition `yaml:"spf_softfail" default:"mark" oneof:"none mark quarantine temporary reject"`
	// DNS does not answer for SPF: `none`, `mark`, `quarantine`, `temporary` or `reject`.
	SPFTempError mailauth.Disposition `yaml:"spf_temperror" default:"none" oneof:"none mark quarantine temporary reject"`
	// The SPF record cannot be understood: `none`, `mark`, `quarantine`, `temporary` or `reject`.
	SPFPermError mailauth.Disposition `yaml:"spf_permerror" default:"none" oneof:"none mark quarantine temporary reject"`
	// There are DKIM signatures, and none passes: `none`, `mark`, `quarantine`, `temporary` or `reject`. RFC 6376
	// advises against more than `none`.
	DKIMFail mailauth.Disposition `yaml:"dkim_fail" default:"none" oneof:"none mark quarantine temporary reject"`
	// As `dkim_fail`, where DNS does not answer for a key: `none`, `mark`, `quarantine`, `temporary` or `reject`.
	DKIMTempError mailauth.Disposition `yaml:"dkim_temperror" default:"none" oneof:"none mark quarantine temporary reject"`
}

// Policy is what the results of SPF, DKIM and DMARC lead to.
func (a Authentication) Policy() mailauth.Policy {
	return mailauth.Policy{
		SPFFail: a.SPFFail, SPFSoftFail: a.SPFSoftFail, SPFTempError: a.SPFTempError, SPFPermError: a.SPFPermError,
		DKIMFail: a.DKIMFail, DKIMTempError: a.DKIMTempError,
		DMARCFail: a.DMARCFail, DMARCTempError: a.DMARCTempError, BadFrom: a.BadFrom,
	}
}

// DKIM is one key that signs what leaves.
type DKIM struct {
	// The domains whose mail it signs, with that of their subdomains where these have no key of their own.
	Domains []string `yaml:"domains" alias:"domain" required:"yes" example:"[firma.example]"`
	// Tells the keys of a domain apart: the public key stands in DNS at SELECTOR._domainkey.DOMAIN.
	Selector string `yaml:"selector" required:"yes" example:"gw2027"`
	// The private key, PEM. `siegel dkim new` makes one and prints the record to publish.
	Key secret.String `yaml:"key" required:"yes" example:"{file: /etc/siegel/dkim/gw2027.key}"`
	// The fields that are signed. Where they are absent: From, To, Cc, Reply-To, Subject, Date, Message-ID,
	// In-Reply-To, References, MIME-Version, Content-Type and Content-Transfer-Encoding.
	Headers []string `yaml:"headers" example:"[From, To, Subject, Date, Message-ID, Content-Type]"`

	signers mailauth.Signers
}

// Signers are the key for each of its domains, as they were when the configuration was read.
func (d DKIM) Signers() mailauth.Signers { return d.signers }
