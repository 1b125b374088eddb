// Package announce writes what a company publishes about the TLS of its own mail servers, for others to hold them to: MTA-STS, DANE and TLS-RPT. It publishes nothing itself.
package announce

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/dns"
)

// PolicyPath is where a policy is served on its host, and PolicyName the last part of it.
const (
	PolicyName = "mta-sts.txt"
	PolicyPath = "/.well-known/" + PolicyName
)

// PolicyHost is the host that serves the policy of a domain (RFC 8461, 3.3).
func PolicyHost(domain string) string { return "mta-sts." + domain }

// Plan is what is to be published.
type Plan struct {
	Mode     mtasts.Mode
	MaxAge   time.Duration
	MX       []string // hosts, and patterns as "*.firma.example"
	ReportTo []string // addresses and https URLs; empty: no reports are asked for
	// Hosts are the mail servers with their certificates; of others no TLSA records are written.
	Hosts []Host
	// Authority has a record written of the authority that issued each certificate, too (DANE-TA).
	Authority bool
}

// Host is a mail server.
type Host struct {
	Name   string
	Port   uint16
	Chains [][]*x509.Certificate // of each certificate that it may show, its own first
	Next   [][]byte              // public keys that it will change to: SubjectPublicKeyInfo in DER
}

// Policy is the text of the MTA-STS policy (RFC 8461, 3.2), with lines that end in CRLF. The same for every domain that has these servers.
func (p Plan) Policy() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\r\nmode: %s\r\n", p.Mode)
	for _, mx := range p.MX {
		fmt.Fprintf(&b, "mx: %s\r\n", strings.ToLower(mx))
	}
	fmt.Fprintf(&b, "max_age: %d\r\n", int64(p.MaxAge/time.Second))
	return b.String()
}

// PolicyID tells this policy from others (RFC 8461, 3.1): it changes when, and only when, the policy does.
func (p Plan) PolicyID() string {
	sum := sha256.Sum256([]byte(p.Policy()))
	return hex.EncodeToString(sum[:idBytes])
}

const idBytes = 8 // of the digest in an id

// Record is a DNS record that is to be published.
type Record struct {
	Name  string `json:"name"` // without the dot at the end
	Type  string `json:"type"` // TXT or TLSA
	Value string `json:"value"`
	Note  string `json:"note,omitempty"` // what it is of

	next bool // of a key that is not used yet
}

// Zone is the record as a line of a zone file. Long texts are parted (RFC 1035, 3.3.14).
func (r Record) Zone() string {
	value := r.Value
	if r.Type == "TXT" {
		value = quote(value)
	}
	return fmt.Sprintf("%s. IN %s %s", r.Name, r.Type, value)
}

func quote(text string) string {
	const most = 255
	var parts []string
	for {
		n := min(most, len(text))
		parts = append(parts, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text[:n])+`"`)
		if text = text[n:]; text == "" {
			return strings.Join(parts, " ")
		}
	}
}

// Domain are the records of one domain: those of MTA-STS and TLS-RPT.
func (p Plan) Domain(domain string) ([]Record, error) {
	all := []Record{{Name: "_mta-sts." + domain, Type: "TXT", Value: "v=STSv1; id=" + p.PolicyID() + ";"}}
	if len(p.ReportTo) == 0 {
		return all, nil
	}
	r, err := p.reports()
	if err != nil {
		return nil, err
	}
	return append(all, Record{Name: tlsrpt.RecordName(domain), Type: "TXT", Value: r.String()}), nil
}

func (p Plan) reports() (r tlsrpt.Record, err error) {
	for _, to := range p.ReportTo {
		if strings.HasPrefix(strings.ToLower(to), "https:") {
			r.Posts = append(r.Posts, to)
			continue
		}
		a, err := mail.ParseAddress(strings.TrimPrefix(to, "mailto:"))
		if err != nil {
			return r, fmt.Errorf("announce: reports cannot go to %q: %w", to, err)
		}
		r.Mail = append(r.Mail, a)
	}
	return r, nil
}

// TLSA are the records of a host (RFC 7672, 3.1): of the key of each certificate that it shows or will show, 3 1 1, and where it is
// asked for of the authority, 2 1 1. A certificate that is renewed with its old key needs no new record.
func (p Plan) TLSA(h Host) []Record {
	var all []Record
	seen := map[string]bool{}
	add := func(r dns.TLSA, note string, next bool) {
		one := Record{Name: TLSAName(h), Type: "TLSA", Value: dane.Text(r), Note: note, next: next}
		if !seen[one.Value] {
			seen[one.Value] = true
			all = append(all, one)
		}
	}
	for _, chain := range h.Chains {
		add(dane.Of(chain[0], dane.UsageEE, dane.SelectorSPKI, dane.MatchSHA2_256), "the certificate of "+name(chain[0]), false)
	}
	for _, next := range h.Next {
		sum := sha256.Sum256(next)
		add(dns.TLSA{Usage: dane.UsageEE, Selector: dane.SelectorSPKI, MatchingType: dane.MatchSHA2_256, Data: sum[:]}, "the key that comes next", true)
	}
	for _, chain := range h.Chains {
		if p.Authority && len(chain) > 1 {
			add(dane.Of(chain[1], dane.UsageTA, dane.SelectorSPKI, dane.MatchSHA2_256), "the authority "+name(chain[1]), false)
		}
	}
	return all
}

// TLSAName is where the records of a host stand (RFC 7672, 2.2.3; RFC 6698, 3).
func TLSAName(h Host) string {
	port := h.Port
	if port == 0 {
		port = 25
	}
	return "_" + strconv.Itoa(int(port)) + "._tcp." + h.Name
}

func name(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.Subject.String()
}
