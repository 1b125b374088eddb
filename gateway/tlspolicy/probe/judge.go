package probe

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// judge gives the verdicts that need no profile: what is dangerous whoever connects, and whether the certificates are sound.
func (r *Report) judge(roots *x509.CertPool, now time.Time) {
	r.judgeVersions()
	r.judgeSuites()
	r.judgeFacts()
	for _, c := range r.chains {
		c.judge(r, r.ServerName, roots, now)
	}
	if c := r.ClientCertificate; c.Requested && c.Required != nil && *c.Required && !c.Shown {
		r.say("client certificate", Note, "the server lets nobody in without one", "give it with --client-cert, and as client_certificate in the configuration")
	}
}

func (r *Report) judgeVersions() {
	var old []string
	modern := false
	for _, s := range r.scans {
		switch {
		case !s.accepted:
		case s.version < hello.TLS12:
			old = append(old, tlsnames.VersionName(s.version))
		default:
			modern = true
		}
	}
	if len(old) == 0 {
		r.say("version", Good, "only "+strings.Join(r.Accepted.Versions, " and ")+" and nothing older", "")
		return
	}
	level, remedy := Note, "have the server switch them off (RFC 8996, RFC 7568)"
	if !modern {
		level = Bad
	}
	r.say("version", level, strings.Join(old, ", ")+" are accepted, which are broken", remedy)
}

// weaknesses of cipher suites, each with the part of the name that gives it away.
var weaknesses = []struct {
	what string
	in   func(s tlsnames.Suite) bool
}{
	{"without encryption", func(s tlsnames.Suite) bool { return strings.Contains(s.Name, "_WITH_NULL_") }},
	{"without authentication", func(s tlsnames.Suite) bool { return strings.Contains(s.KeyExchange(), "_anon") }},
	{"of export strength", func(s tlsnames.Suite) bool { return strings.Contains(s.Name, "_EXPORT") }},
	{"with RC4, which RFC 7465 forbids", func(s tlsnames.Suite) bool { return strings.Contains(s.Name, "_RC4_") }},
	{"with DES or RC2", func(s tlsnames.Suite) bool {
		return strings.Contains(s.Name, "_DES_") || strings.Contains(s.Name, "_DES40_") || strings.Contains(s.Name, "_RC2_")
	}},
	{"with 3DES, whose blocks are too small (Sweet32)", func(s tlsnames.Suite) bool { return strings.Contains(s.Name, "_3DES_") }},
	{"whose connections can be read later by who gets the server's key", func(s tlsnames.Suite) bool { return !s.ForwardSecret() }},
}

// judgeSuites names each suite with the worst that is to be said of it.
func (r *Report) judgeSuites() {
	found := make([][]string, len(weaknesses))
	sound := false
	for _, name := range r.Accepted.Suites {
		id, err := tlsnames.ParseSuite(name)
		if err != nil {
			continue
		}
		s, _ := tlsnames.LookupSuite(id)
		at := slices.IndexFunc(weaknesses, func(w struct {
			what string
			in   func(tlsnames.Suite) bool
		}) bool {
			return w.in(s)
		})
		if at < 0 {
			sound = true
			continue
		}
		found[at] = append(found[at], name)
	}
	level := Note
	if !sound {
		level = Bad
	}
	for i, all := range found {
		if len(all) > 0 {
			r.say("suite", level, "cipher suites "+weaknesses[i].what+" are accepted: "+few(all), "have the server switch them off")
		}
	}
}

// few are the first names of a list, and how many more there are.
func few(all []string) string {
	const shown = 3
	if len(all) <= shown+1 {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:shown], ", ") + " and " + count(len(all)-shown, "other")
}

// leastPrime is the size below which a prime of Diffie-Hellman is within reach (RFC 9325, 4.2).
const leastPrime = 2048

func (r *Report) judgeFacts() {
	for _, s := range r.scans {
		for _, p := range s.primes {
			if p.Bits < leastPrime {
				r.say("group", Bad, "Diffie-Hellman in "+tlsnames.VersionName(s.version)+" uses "+p.String()+", which is too small", "have the server use ffdhe3072, or switch the DHE cipher suites off")
			}
		}
	}
	f := r.Facts
	if !f.Below13 {
		return
	}
	if !f.SecureRenegotiation {
		r.say("protocol", Bad, "the server does not know secure renegotiation, so that another's data can be put in front of ours (RFC 5746)", "have the server updated")
	}
	if !f.ExtendedMasterSecret {
		r.say("protocol", Note, "the server does not know the extended master secret (RFC 7627), which profiles after TR-03116-4 recommend", "have the server updated")
	}
	if f.Compression {
		r.say("protocol", Bad, "the server compresses, which gives away what is encrypted (CRIME)", "have the server switch compression off")
	}
}
