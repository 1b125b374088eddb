package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// printProbe writes a report for people.
func printProbe(w io.Writer, r *probe.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s in %s\n", r.Address, beginsTLS(r), count(r.Connections, "connection"), r.Took.Round(time.Millisecond))
	if r.Problem != nil {
		what := "not reached"
		if r.Problem.Partly {
			what = "not all could be learned"
		}
		fmt.Fprintf(&b, "\n%s: %s\n", what, r.Problem.Text)
		if r.Problem.Remedy != "" {
			fmt.Fprintf(&b, "  to do: %s\n", r.Problem.Remedy)
		}
	}
	if r.Reached {
		printVersions(&b, r)
		printServerCertificates(&b, r)
		printClientCertificate(&b, r)
		printHandshake(&b, r)
		printDNS(&b, r.DNS)
	}
	printVerdicts(&b, r)
	if r.Configuration != "" {
		fmt.Fprintf(&b, "\nconfiguration that reaches this server:\n\n%s", r.Configuration)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// beginsTLS says what is spoken and how TLS begins.
func beginsTLS(r *probe.Report) string {
	name := map[probe.Protocol]string{probe.SMTP: "SMTP", probe.HTTPS: "HTTPS", probe.LDAP: "LDAP", probe.Plain: "TLS"}[r.Protocol]
	switch {
	case r.Implicit && r.Protocol != probe.Plain && r.Protocol != probe.HTTPS:
		return name + " with TLS from the first byte"
	case r.Implicit:
		return name
	case r.Protocol == probe.LDAP:
		return name + " with StartTLS"
	}
	return name + " with STARTTLS"
}

// printVersions writes, for each version, the suites and groups.
func printVersions(b *strings.Builder, r *probe.Report) {
	fmt.Fprintln(b, "\nversions:")
	for _, v := range r.PerVersion {
		if v.Accepted {
			fmt.Fprintf(b, "  %-8s accepted\n", v.Version)
		} else {
			fmt.Fprintf(b, "  %-8s refused (%s)\n", v.Version, v.Refusal)
		}
	}
	for i := len(r.PerVersion) - 1; i >= 0; i-- {
		v := r.PerVersion[i]
		if !v.Accepted {
			continue
		}
		fmt.Fprintf(b, "\n%s, cipher suites%s:\n", v.Version, inOrder(v.SuiteOrder))
		for _, s := range v.Suites {
			fmt.Fprintf(b, "  %s\n", s)
		}
		if len(v.Groups) > 0 {
			fmt.Fprintf(b, "%s, groups%s: %s\n", v.Version, inOrder(v.GroupOrder), strings.Join(v.Groups, " "))
		}
		for _, p := range v.Primes {
			fmt.Fprintf(b, "%s, Diffie-Hellman: %s\n", v.Version, p)
		}
		if v.Incomplete != "" {
			fmt.Fprintf(b, "%s, there may be more: %s\n", v.Version, v.Incomplete)
		}
	}
}

func inOrder(o probe.Order) string {
	switch o {
	case probe.ServerOrder:
		return " in the server's order"
	case probe.ClientOrder:
		return ", of which the client's order decides"
	}
	return ""
}

func printServerCertificates(b *strings.Builder, r *probe.Report) {
	if len(r.Certificates) > 0 {
		fmt.Fprintln(b, "\ncertificates:")
	}
	const day = "2006-01-02"
	for _, c := range r.Certificates {
		fmt.Fprintf(b, "  %s %d. %s\n", c.Chain, c.Position, c.Subject)
		if c.Unreadable != "" {
			fmt.Fprintf(b, "       cannot be read: %s\n       SHA-256 %s\n", c.Unreadable, c.SHA256)
			continue
		}
		fmt.Fprintf(b, "       issued by %s, from %s until %s, %s, signed by %s\n", c.Issuer, c.NotBefore.Format(day), c.NotAfter.Format(day), c.Key, c.Signature)
		if c.Position == 0 && len(c.Names) > 0 {
			fmt.Fprintf(b, "       for %s\n", fewNames(c.Names))
		}
	}
}

// fewNames are the first names of a list.
func fewNames(all []string) string {
	const shown = 8
	if len(all) <= shown {
		return strings.Join(all, " ")
	}
	return strings.Join(all[:shown], " ") + fmt.Sprintf(" and %d more", len(all)-shown)
}

func printClientCertificate(b *strings.Builder, r *probe.Report) {
	c := r.ClientCertificate
	if !c.Requested {
		fmt.Fprintln(b, "\nclient certificate: not asked for")
		return
	}
	state := "asked for; whether it is needed did not show"
	if c.Required != nil {
		state = map[bool]string{true: "asked for, and needed", false: "asked for, and not needed"}[*c.Required]
	}
	fmt.Fprintf(b, "\nclient certificate: %s", state)
	if c.Said != "" {
		fmt.Fprintf(b, " (without one: %s)", c.Said)
	}
	fmt.Fprintln(b)
	if len(c.Authorities) == 0 {
		fmt.Fprintln(b, "  the server does not say of which authorities")
	}
	for _, a := range c.Authorities {
		fmt.Fprintf(b, "  of %s\n", a)
	}
	if len(c.Schemes) > 0 {
		fmt.Fprintf(b, "  that signs by %s\n", fewNames(c.Schemes))
	}
}

func printHandshake(b *strings.Builder, r *probe.Report) {
	f := r.Facts
	if h := r.Handshake; h != nil {
		fmt.Fprint(b, "\nhandshake of this gateway: ")
		if h.Failure != "" {
			fmt.Fprintf(b, "fails: %s\n", h.Failure)
		} else {
			fmt.Fprintf(b, "%s by %s, %s\n", strings.Join(strings.Fields(h.Version+" "+h.Suite+" "+h.Group), " "), h.Engine, map[bool]string{true: "resumed the next time", false: "not resumed"}[h.Resumes])
		}
	}
	if f.Below13 {
		fmt.Fprintf(b, "extensions below TLS1.3: secure renegotiation %s, extended master secret %s, Encrypt-then-MAC %s, tickets %s, stapled OCSP %s\n",
			yes(f.SecureRenegotiation), yes(f.ExtendedMasterSecret), yes(f.EncryptThenMAC), yes(f.SessionTickets), yes(f.StapledOCSP))
	}
	if f.Protocol != "" {
		fmt.Fprintf(b, "ALPN: %s\n", f.Protocol)
	}
}

// printDNS writes what was found in DNS; what follows from it is among the verdicts.
func printDNS(b *strings.Builder, d *probe.DNS) {
	if d == nil {
		return
	}
	fmt.Fprintf(b, "\nTLSA records: %s\n", d.DANE.State)
	for _, record := range d.DANE.Records {
		fmt.Fprintf(b, "  %s\n", record)
	}
	if len(d.MX) > 0 {
		fmt.Fprintf(b, "MX of %s: %s\n", d.Domain, fewNames(d.MX))
	}
	if m := d.MTASTS; m != nil {
		fmt.Fprintf(b, "MTA-STS policy of %s: %s\n", d.Domain, strings.TrimSpace(string(m.State)+" "+string(m.Mode)+" "+fewNames(m.MX)))
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printVerdicts writes what is bad first to the eye: in capitals.
func printVerdicts(b *strings.Builder, r *probe.Report) {
	if len(r.Verdicts) > 0 {
		fmt.Fprintln(b, "\nverdicts:")
	}
	for _, v := range r.Verdicts {
		fmt.Fprintf(b, "  %-4s %s: %s\n", map[probe.Level]string{probe.Good: "good", probe.Note: "note", probe.Bad: "BAD"}[v.Level], v.About, v.Text)
		if v.Remedy != "" {
			fmt.Fprintf(b, "       to do: %s\n", v.Remedy)
		}
	}
}
