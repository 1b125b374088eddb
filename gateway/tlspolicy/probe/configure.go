package probe

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Paths are the files that stand in the configuration that is written; empty where they were not given.
type Paths struct{ CA, ClientCertificate, ClientKey string }

// Configure writes the configuration with which this gateway reaches the server: a profile of its own that has nothing but what
// both speak, and the route or directory that uses it. Where there is none Configuration stays empty.
func (r *Report) Configure(files Paths) {
	base, strict := r.least()
	if !strict {
		base = r.common()
	}
	m := r.meet(base)
	if !r.Reached || !m.possible() {
		return
	}
	name := profileName(r.target.host())
	var b strings.Builder
	fmt.Fprintf(&b, "tls:\n  profiles:\n    - name: %s\n", name)
	if strict {
		fmt.Fprintf(&b, "      inherit: %s\n", base.Name)
	} else {
		fmt.Fprintf(&b, "      inherit: %s # no built-in profile reaches this server: what follows is weaker than any of them\n", tlspolicy.Default)
	}
	slices.Sort(m.versions)
	slices.Reverse(m.versions)
	if !strict {
		m = narrowed(m)
	}
	m.suites = inVersions(m.suites, m.versions)
	fmt.Fprintf(&b, "      versions: %s\n", inline(names(m.versions, tlsnames.VersionName)))
	fmt.Fprintf(&b, "      suites: %s\n", inline(names(m.suites, tlsnames.SuiteName)))
	if len(m.groups) > 0 {
		fmt.Fprintf(&b, "      groups: %s\n", inline(names(m.groups, tlsnames.GroupName)))
	}
	r.keySizes(&b, base)
	if r.needsCertificate() {
		b.WriteString("      client_certificate: required\n")
	}
	if domain := r.partnerDomain(files); domain != "" {
		r.partner(&b, name, domain, files)
	} else {
		r.use(&b, name, files)
	}
	if len(r.pins()) > 0 && !strings.Contains(b.String(), "pins: ") {
		fmt.Fprintf(&b, "# What the server is to be pinned by, where it is: %s\n", strings.Join(r.pins(), " "))
	}
	r.Configuration = b.String()
}

// narrowed leaves out the versions and suites that are worse than others that would do.
func narrowed(m meeting) meeting {
	if slices.Contains(m.versions, hello.TLS13) || slices.Contains(m.versions, hello.TLS12) {
		m.versions = slices.DeleteFunc(m.versions, func(v uint16) bool { return v < hello.TLS12 })
	} else {
		m.versions = m.versions[:1]
	}
	if good := slices.DeleteFunc(slices.Clone(m.suites), func(id uint16) bool { s, _ := tlsnames.LookupSuite(id); return !s.ForwardSecret() }); len(good) > 0 {
		m.suites = good
	}
	return m
}

// inVersions are the suites that some of the versions have.
func inVersions(suites, versions []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(suites), func(id uint16) bool {
		return !slices.ContainsFunc(versions, func(v uint16) bool { return slices.Contains(suitesOf(v), id) })
	})
}

// keySizes lowers the least sizes of keys where the certificates need it.
func (r *Report) keySizes(b *strings.Builder, base tlspolicy.Profile) {
	if base.Name == "" {
		base, _ = tlspolicy.Builtin(tlspolicy.Default)
	}
	for _, c := range r.chains {
		for i, cert := range c.all {
			if cert == nil || i > 0 && isRoot(cert) || base.KeyTooSmall(cert) == "" {
				continue
			}
			switch bits := keyBits(cert.PublicKey); {
			case keyKind(cert.PublicKey) == "RSA" && bits < base.MinRSA:
				base.MinRSA = bits
				fmt.Fprintf(b, "      min_rsa: %d\n", bits)
			case bits > 0 && bits < base.MinEC:
				base.MinEC = bits
				fmt.Fprintf(b, "      min_ec: %d\n", bits)
			}
		}
	}
}

// use writes where the profile is used.
func (r *Report) use(b *strings.Builder, name string, files Paths) {
	host, port, _ := net.SplitHostPort(r.target.Address)
	switch r.target.Protocol {
	case SMTP:
		fmt.Fprintf(b, "routes:\n  - name: %s\n    domains: [%s] # whose mail goes this way\n    hosts: [%s]\n", name, exampleDomain(host), quoted(host))
		if port != "25" {
			fmt.Fprintf(b, "    port: %s\n", port)
		}
		fmt.Fprintf(b, "    tls:\n      mode: %s\n      profile: %s\n", r.mode(), name)
		if r.target.Implicit {
			b.WriteString("      implicit: true\n")
		}
		r.writePins(b, "      ")
		r.files(b, "      ", files)
	case LDAP:
		scheme := "ldap"
		if r.target.Implicit {
			scheme = "ldaps"
		}
		fmt.Fprintf(b, "certificates:\n  directories:\n    - name: %s\n      servers: [\"%s://%s\"]\n", name, scheme, r.target.Address)
		if !r.target.Implicit {
			b.WriteString("      starttls: true\n")
		}
		fmt.Fprintf(b, "      tls:\n        profile: %s\n", name)
		r.files(b, "        ", files)
	default:
		fmt.Fprintf(b, "# Where the connection stands in the configuration:\n#   profile: %s\n", name)
		r.files(b, "#   ", files)
	}
}

// partnerDomain is the domain whose mail goes to the server by MX records, so that an entry of tls.partners will do; empty where a route is
// needed.
func (r *Report) partnerDomain(files Paths) string {
	if r.DNS == nil || r.target.Protocol != SMTP || r.target.Implicit || files.ClientCertificate != "" || r.needsCertificate() {
		return ""
	}
	if name, err := dns.Name(r.target.host()); err != nil || !slices.Contains(r.DNS.MX, name) {
		return ""
	}
	return r.DNS.Domain
}

// partner writes an entry of tls.partners below the profiles.
func (r *Report) partner(b *strings.Builder, name, domain string, files Paths) {
	fmt.Fprintf(b, "  partners:\n    - name: %s\n      domains: [%s]\n      level: %s\n      profile: %s\n", name, domain, r.mode(), name)
	r.writePins(b, "      ")
	r.files(b, "      ", files)
}

// pins are the pins of the server's keys.
func (r *Report) pins() []string {
	var all []string
	for _, c := range r.chains {
		if len(c.all) > 0 && c.all[0] != nil {
			all = append(all, tlspolicy.PinOf(c.all[0], true).String())
		}
	}
	return all
}

// writePins pins a server whose certificate is not believed otherwise.
func (r *Report) writePins(b *strings.Builder, indent string) {
	if r.Bad("certificate") && len(r.pins()) > 0 {
		fmt.Fprintf(b, "%spins: [\"%s\"] # its certificate is not believed: ask its administrator whether this is its key\n", indent, strings.Join(r.pins(), "\", \""))
	}
}

// mode is the strictest one that the certificates, or pins of them, allow.
func (r *Report) mode() string {
	if r.Bad("certificate") && len(r.pins()) == 0 {
		return "required # since its certificate cannot be read"
	}
	return "verified"
}

func (r *Report) files(b *strings.Builder, indent string, files Paths) {
	if files.CA != "" {
		fmt.Fprintf(b, "%sca: %q\n", indent, files.CA)
	}
	switch {
	case files.ClientCertificate != "":
		fmt.Fprintf(b, "%sclient_certificate: %q\n", indent, files.ClientCertificate)
		if files.ClientKey != "" {
			fmt.Fprintf(b, "%sclient_key: %q\n", indent, files.ClientKey)
		}
	case r.needsCertificate():
		fmt.Fprintf(b, "%sclient_certificate: /etc/siegel/tls/client.pem # with its key\n", indent)
	}
}

// profileName makes a name of a host: letters, digits, '.', '_' and '-'.
func profileName(host string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(host))
	return "to-" + strings.Trim(name[:min(len(name), 40)], "-")
}

// exampleDomain is what stands behind the first label of a host that has enough of them.
func exampleDomain(host string) string {
	if _, domain, ok := strings.Cut(host, "."); ok && strings.Contains(domain, ".") && net.ParseIP(host) == nil {
		return quoted(domain)
	}
	return "partner.example"
}

// quoted writes a host as YAML: an address of IPv6 has colons.
func quoted(host string) string {
	if strings.ContainsAny(host, ":") {
		return `"` + host + `"`
	}
	return host
}

// keyBits is the size of a key as a profile counts it; 0 where it is of another kind.
func keyBits(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	}
	return 0
}
