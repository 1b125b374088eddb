package revocation

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/publicnet"
)

// Mode is what becomes of a certificate of which it cannot be told whether it is revoked.
type Mode string

// The modes.
const (
	Soft    Mode = "soft"    // it is used, and a remark says so
	Require Mode = "require" // it is not used; where that may pass, the fault says that somebody is away
	Off     Mode = "off"     // nobody is asked
)

// Method is a way to learn whether a certificate is revoked.
type Method string

// The methods.
const (
	OCSP Method = "ocsp"
	CRL  Method = "crl"
)

// Rule gives some certificates another mode.
type Rule struct {
	Authorities [][sha256.Size]byte // those with one of these above them, by the digest of its certificate
	Domains     []string            // or for an address in one of these domains, or below it where that begins with "*."
	Mode        Mode
}

// Settings say how a Checker judges. The zero Settings are soft, ask OCSP first, and wait 5 seconds.
type Settings struct {
	Mode    Mode
	Rules   []Rule        // the first that matches counts
	Order   []Method      // none: OCSP, CRL
	Timeout time.Duration // for all answers that one judgement waits for; 0: 5 seconds
	Given   Lists         // lists of files: looked at before anybody is asked
	Signers []*x509.Certificate
	MaxList int64 // bytes of a list; 0: MaxSize
	Nonce   bool  // questions by OCSP bear a nonce, and so must answers (RFC 9654); such answers are not those of a cache
	Offline bool  // nobody is asked over the network

	// What may be connected to besides hosts of the internet on the standard ports of HTTP and LDAP.
	Hosts    []string // names, or "*.firma.example"
	Networks []netip.Prefix
	Ports    []uint16
	Resolver publicnet.Resolver // nil: the machine's

	Proxy     *url.URL       // for HTTP; nil: none
	Directory string         // for LDAP addresses that name no host: host:port, with ldaps:// before it for TLS
	Roots     *x509.CertPool // believed for https and ldaps; nil: the machine's
	TLS       *tls.Config    // what https and ldaps must be like; nil: TLS 1.2 and later
}

const defaultTimeout = 5 * time.Second

func (s Settings) withDefaults() Settings {
	if s.Mode == "" {
		s.Mode = Soft
	}
	if len(s.Order) == 0 {
		s.Order = []Method{OCSP, CRL}
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.MaxList <= 0 || s.MaxList > MaxSize {
		s.MaxList = MaxSize
	}
	return s
}

// dialer is what connects, but for the proxy.
func (s Settings) dialer() *publicnet.Dialer {
	ports := append([]uint16{80, 443, 389, 636}, s.Ports...)
	return publicnet.New(publicnet.Options{Hosts: s.Hosts, Networks: s.Networks, Ports: ports, Resolver: s.Resolver})
}

// mode is what holds for a path.
func (s *Settings) mode(chain []*x509.Certificate) Mode {
	for _, r := range s.Rules {
		if r.matches(chain) {
			return r.Mode
		}
	}
	return s.Mode
}

func (r Rule) matches(chain []*x509.Certificate) bool {
	if len(r.Authorities) > 0 && slices.ContainsFunc(chain[1:], func(c *x509.Certificate) bool {
		return slices.Contains(r.Authorities, sha256.Sum256(c.Raw))
	}) {
		return true
	}
	if len(r.Domains) == 0 {
		return false
	}
	return slices.ContainsFunc(certs.Addresses(chain[0]), func(a string) bool {
		key := certs.AddressKey(a)
		domain := key[strings.LastIndexByte(key, '@')+1:]
		return slices.ContainsFunc(r.Domains, func(d string) bool {
			if below, ok := strings.CutPrefix(d, "*."); ok {
				return strings.HasSuffix(domain, "."+below)
			}
			return domain == d
		})
	})
}
