package mailauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

func message(from ...string) string {
	return strings.Join(from, "\r\n") + "\r\nSubject: x\r\n\r\nHello\r\n"
}

// dmarcZone has a policy for each kind of domain. The network 192.0.2.0/24 may send for all.
const dmarcZone = `
_dmarc.example.com.          TXT "v=DMARC1; p=reject"
_dmarc.strict.example.       TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
_dmarc.sub.example.          TXT "v=DMARC1; p=reject; sp=none"
_dmarc.own.sub.example.      TXT "v=DMARC1; p=quarantine; sp=reject"
_dmarc.mild.example.         TXT "v=DMARC1; p=none; rua=mailto:r@mild.example"
_dmarc.half.example.         TXT "v=DMARC1; p=reject; pct=50"
_dmarc.few.example.          TXT "v=DMARC1; p=quarantine; pct=0"
_dmarc.two.example.          TXT "v=DMARC1; p=reject"
_dmarc.two.example.          TXT "v=DMARC1; p=none"
_dmarc.mixed.example.        TXT "v=spf1 -all"
_dmarc.mixed.example.        TXT "v=DMARC1; p=reject"
_dmarc.bad.example.          TXT "v=DMARC1; p=rejct"
_dmarc.firma.co.uk.          TXT "v=DMARC1; p=reject"
_dmarc.xn--bcher-kva.example. TXT "v=DMARC1; p=reject"
_dmarc.alias.example.        CNAME _dmarc.example.com.
_dmarc.uk.                   TXT "v=DMARC1; p=none"
*.example.com.    TXT "v=spf1 ip4:192.0.2.0/24 -all"
example.com.      TXT "v=spf1 ip4:192.0.2.0/24 -all"
example.net.      TXT "v=spf1 ip4:192.0.2.0/24 -all"
strict.example.   TXT "v=spf1 ip4:192.0.2.0/24 -all"
mail.strict.example. TXT "v=spf1 ip4:192.0.2.0/24 -all"
firma.co.uk.      TXT "v=spf1 ip4:192.0.2.0/24 -all"
other.co.uk.      TXT "v=spf1 ip4:192.0.2.0/24 -all"
a.sub.example.    TXT "v=spf1 ip4:192.0.2.0/24 -all"
xn--bcher-kva.example. TXT "v=spf1 ip4:192.0.2.0/24 -all"
`

const good, bad = "192.0.2.1", "198.51.100.1"

// Alignment by SPF: RFC 7489, B.1.1 and 3.1.2, and where records are found: 6.6.3.
func TestDMARCBySPF(t *testing.T) {
	s := dnstest.Start(t, dmarcZone)
	for _, name := range []string{"_dmarc.away.example", "spfaway.example.com", "away.example.net"} {
		s.Fail(name, dnstest.ServFail)
	}
	c := checker(t, s, mailauth.Options{Percent: func() int { return 60 }})
	for _, k := range []struct{ from, sender, client, want string }{
		// RFC 7489, B.1.1: identical, in the same organisation, unrelated.
		{"sender@example.com", "sender@example.com", good, "pass example.com reject none spf"},
		{"sender@example.com", "sender@child.example.com", good, "pass example.com reject none spf"},
		{"sender@child.example.com", "sender@example.com", good, "pass example.com reject none spf"},
		{"sender@child.example.com", "sender@other.example.com", good, "pass example.com reject none spf"},
		{"sender@example.com", "sender@example.net", good, "fail example.com reject reject"},
		{"sender@example.com", "sender@example.com", bad, "fail example.com reject reject"},
		{"sender@example.com", "", good, "fail example.com reject reject"}, // HELO is mx.firma.example
		// Strict.
		{"a@strict.example", "a@strict.example", good, "pass strict.example reject none spf"},
		{"a@strict.example", "a@mail.strict.example", good, "fail strict.example reject reject"},
		{"a@mail.strict.example", "a@mail.strict.example", good, "pass strict.example reject none spf"},
		{"a@mail.strict.example", "a@strict.example", good, "fail strict.example reject reject"},
		// Policies of subdomains.
		{"a@sub.example", "x@example.net", good, "fail sub.example reject reject"},
		{"a@a.sub.example", "x@example.net", good, "fail sub.example none none"},
		{"a@a.sub.example", "a@a.sub.example", good, "pass sub.example none none spf"},
		{"a@own.sub.example", "x@example.net", good, "fail own.sub.example quarantine quarantine"},
		{"a@deep.own.sub.example", "x@example.net", good, "fail sub.example none none"}, // never in between
		// Shares of the mail; the number drawn is 60.
		{"a@mild.example", "x@example.net", good, "fail mild.example none none"},
		{"a@half.example", "x@example.net", good, "fail half.example reject quarantine"},
		{"a@few.example", "x@example.net", good, "fail few.example quarantine none"},
		// Records that count for nothing, or stand beside others.
		{"a@two.example", "x@example.net", good, "none"},
		{"a@bad.example", "x@example.net", good, "none"},
		{"a@nowhere.example", "x@example.net", good, "none"},
		{"a@nowhere.example", "a@example.com", good, "none"},
		{"a@mixed.example", "x@example.net", good, "fail mixed.example reject reject"},
		{"a@alias.example", "x@example.net", good, "fail alias.example reject reject"},
		// Public suffixes.
		{"a@mail.firma.co.uk", "a@firma.co.uk", good, "pass firma.co.uk reject none spf"},
		{"a@firma.co.uk", "a@other.co.uk", good, "fail firma.co.uk reject reject"},
		{"a@co.uk", "a@other.co.uk", good, "none"},
		// Names beyond ASCII.
		{"a@b\u00fccher.example", "a@xn--bcher-kva.example", good, "pass xn--bcher-kva.example reject none spf"},
		{"a@xn--bcher-kva.example", "a@xn--bcher-kva.example", good, "pass xn--bcher-kva.example reject none spf"},
		{"a@BU\u0308CHER.example", "x@example.net", good, "fail xn--bcher-kva.example reject reject"},
		// DNS fails: for the record, for an aligned domain, for another one.
		{"a@away.example", "x@example.net", good, "temperror"},
		{"a@www.away.example", "x@example.net", good, "temperror"},
		{"a@example.com", "a@spfaway.example.com", good, "temperror example.com reject none"},
		{"a@example.com", "a@away.example.net", good, "fail example.com reject reject"},
		// No policy is possible.
		{"a@[192.0.2.1]", "x@example.net", good, "none"},
	} {
		d := check(t, c, envelope(t, k.sender, k.client), message("From: "+k.from)).DMARC
		if got := brief(d); got != k.want {
			t.Errorf("From %s, MAIL FROM %s: %s, want %s; %+v", k.from, k.sender, got, k.want, d)
		}
	}
}

func brief(d mailauth.DMARC) string {
	s := fmt.Sprint(d.Status, " ", d.Record, " ", d.Policy, " ", d.Apply)
	if d.AlignedSPF {
		s += " spf"
	}
	if d.AlignedDKIM {
		s += " dkim"
	}
	return strings.TrimSpace(s)
}

// Alignment by DKIM: RFC 7489, B.1.2, and signatures of others beside.
func TestDMARCByDKIM(t *testing.T) {
	zone := dmarcZone
	signers := map[string]*mailauth.Signer{}
	for _, domain := range []string{"example.com", "child.example.com", "example.net", "mail.strict.example", "strict.example", "com.example"} {
		signers[domain] = signer(t, mailauth.SignerOptions{Domain: domain, Key: edKey()})
		zone += record(t, signers[domain])
	}
	s := dnstest.Start(t, zone)
	s.Fail("gone._domainkey.example.com", dnstest.ServFail)
	s.Fail("gone._domainkey.example.net", dnstest.ServFail)
	c := checker(t, s, mailauth.Options{})
	for _, k := range []struct{ from, signed, more, want string }{
		{"sender@example.com", "example.com", "", "pass example.com reject none dkim"},
		{"sender@child.example.com", "example.com", "", "pass example.com reject none dkim"},
		{"sender@example.com", "child.example.com", "", "pass example.com reject none dkim"},
		{"sender@example.com", "example.net", "", "fail example.com reject reject"},
		{"sender@example.com", "example.net example.com", "", "pass example.com reject none dkim"},
		{"sender@example.com", "", "", "fail example.com reject reject"},
		{"a@strict.example", "mail.strict.example", "", "fail strict.example reject reject"},
		{"a@mail.strict.example", "mail.strict.example", "", "pass strict.example reject none dkim"},
		// A key that does not come leaves it open only if it would count.
		{"a@example.com", "", "d=example.com; s=gone", "temperror example.com reject none"},
		{"a@example.com", "", "d=example.net; s=gone", "fail example.com reject reject"},
		{"a@example.com", "example.com", "d=example.com; s=gone", "pass example.com reject none dkim"},
		// A broken signature of the right domain is none.
		{"a@example.com", "", "d=example.com; s=s1", "fail example.com reject reject"},
	} {
		text := message("From: " + k.from)
		for _, domain := range strings.Fields(k.signed) {
			text = sign(t, text, signers[domain])
		}
		if k.more != "" {
			text = "DKIM-Signature: v=1; a=ed25519-sha256; h=from; bh=AAAA; b=AAAA; " + k.more + "\r\n" + text
		}
		r := check(t, c, envelope(t, "x@example.net", bad), text)
		if got := brief(r.DMARC); got != k.want {
			t.Errorf("From %s, signed %s %s: %s, want %s; %+v", k.from, k.signed, k.more, got, k.want, r)
		}
	}
}

// Who the author is, or that it cannot be told.
func TestFrom(t *testing.T) {
	c := checker(t, dnstest.Start(t, dmarcZone), mailauth.Options{})
	for _, k := range []struct{ message, want, domain string }{
		{message("From: a@example.com"), "pass", "example.com"},
		{message("From: \"Alice, B.\" <a@Example.COM>"), "pass", "example.com"},
		{message("from :\ta@example.com (Alice)"), "pass", "example.com"},
		{message("From: =?gb2312?B?1tDOxA==?= <a@example.com>"), "pass", "example.com"},
		{message("From: =?x-unknown?Q?=FF?= <a@example.com>"), "pass", "example.com"},
		{message("From: \xff\xfe <a@example.com>"), "pass", "example.com"},
		{message("From: \"b@mild.example\" <a@example.com>"), "pass", "example.com"},
		{message("From: \"b@mild.example\"@example.com"), "pass", "example.com"},
		{message("From: a@example.com,\r\n b@example.com"), "pass", "example.com"},
		{message("From: a@example.com, b@child.example.com"), "pass", "example.com"},
		// The worst of several.
		{message("From: a@example.com, b@mild.example"), "fail", "mild.example"},
		{message("From: b@mild.example, c@strict.example, a@example.com"), "fail", "strict.example"},
		{message("From: a@example.com, b@nowhere.example"), "none", "nowhere.example"},
		{message("From: Friends: a@example.com, b@strict.example;"), "fail", "strict.example"},
		// No author.
		{message("To: a@example.com"), "permerror", ""},
		{message("From:"), "permerror", ""},
		{message("From: nobody"), "permerror", ""},
		{message("From: <>"), "permerror", ""},
		{message("From: undisclosed:;"), "permerror", ""},
		{message("From: a@example.com <b@mild.example>"), "permerror", ""},
		{message("From: a@exa mple.com"), "permerror", ""},
		{message("From: a@example.com", "From: a@example.com"), "permerror", ""},
		{message("From: a@example.com", "FROM : b@mild.example"), "permerror", ""},
		{message("From: a@a.example, a@b.example, a@c.example, a@d.example, a@e.example"), "permerror", ""},
		{"\r\nFrom: a@example.com\r\n", "permerror", ""},
	} {
		d := check(t, c, envelope(t, "a@example.com", good), k.message).DMARC
		if string(d.Status) != k.want || d.Domain != k.domain || d.BadFrom != (k.want == "permerror") || d.BadFrom && d.Reason == "" {
			t.Errorf("%q: %+v, want %s of %s", k.message, d, k.want, k.domain)
		}
	}
}

// Each domain in From that nothing confirms is named, whether it publishes a policy or not.
func TestUnconfirmed(t *testing.T) {
	server := dnstest.Start(t, `pass.example. TXT "v=spf1 ip4:192.0.2.1 -all"`+"\n"+`_dmarc.strict.example. TXT "v=DMARC1; p=reject"`+"\n")
	c := checker(t, server, mailauth.Options{})
	for from, want := range map[string]string{
		"a@pass.example":                  "",
		"a@sub.pass.example":              "",
		"a@firma.example":                 "firma.example",
		"a@strict.example":                "strict.example",
		"a@pass.example, b@firma.example": "firma.example",
		"x@other.example, b@firma.example, c@firma.example": "other.example firma.example",
	} {
		r := check(t, c, envelope(t, "bounces@pass.example", "192.0.2.1"), "From: "+from+"\r\n\r\n")
		if got := strings.Join(r.Unconfirmed, " "); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}
