package mailauth_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// peer runs another program with a message as input, and returns what it prints.
func peer(t testing.TB, input, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath(filepath.Join("/usr/sbin", name)); err != nil {
			t.Skipf("%s is missing: run scripts/install-tools test", name)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		if strings.Contains(trouble.String(), "ModuleNotFoundError") || strings.Contains(trouble.String(), "Can't locate") {
			t.Skipf("%s lacks a module: run scripts/install-tools test: %.200s", name, trouble.String())
		}
		t.Fatalf("%s: %v\n%s%s", name, err, out.String(), trouble.String())
	}
	return out.String()
}

// python runs a script with the python of Debian's packages.
func python(t testing.TB, input, script string, args ...string) string {
	t.Helper()
	return peer(t, input, "/usr/bin/python3", append([]string{"-c", script}, args...)...)
}

// perl runs a script with a resolver $r that asks s.
func perl(t testing.TB, s *dnstest.Server, input, script string, args ...string) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.Addr())
	prefix := "use strict; use warnings; use Net::DNS::Resolver; binmode STDIN; binmode STDOUT;\n" +
		"my $r = Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => " + port + ", recurse => 1);\n"
	return peer(t, input, "/usr/bin/perl", append([]string{"-e", prefix + script}, args...)...)
}

// dkimpy asks DNS by a function, which reads the records of the zone here.
const dkimpyVerify = `
import dkim, json, sys
keys = json.loads(sys.argv[1])
def lookup(name, timeout=5):
    text = keys.get(name.decode().rstrip('.'))
    return text.encode() if text else None
message = sys.stdin.buffer.read()
d = dkim.DKIM(message)
def verify(i):
    try:
        return 'pass' if d.verify(idx=i, dnsfunc=lookup) else 'fail'
    except dkim.DKIMException as e:
        return 'fail'
count = sum(1 for name, _ in d.headers if name.lower() == b'dkim-signature')
print(' '.join(verify(i) for i in range(count)), end='')
`

const dkimpySign = `
import dkim, sys
canon = tuple(c.encode() for c in sys.argv[3].split('/'))
message = sys.stdin.buffer.read()
field = dkim.sign(message, sys.argv[1].encode(), b'firma.example', open(sys.argv[2], 'rb').read(), canonicalize=canon, signature_algorithm=sys.argv[4].encode())
sys.stdout.buffer.write(field + message)
`

const mailDKIMVerify = `
use Mail::DKIM::Verifier; use Mail::DKIM::DNS;
Mail::DKIM::DNS::resolver($r);
my $v = Mail::DKIM::Verifier->new();
while (<STDIN>) { s/\r?\n$/\r\n/; $v->PRINT($_); }
$v->CLOSE();
print join ' ', map { $_->result } $v->signatures;
`

const mailDKIMSign = `
use Mail::DKIM::Signer;
my $s = Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256', Method => $ARGV[2], Domain => 'firma.example', Selector => $ARGV[0], KeyFile => $ARGV[1]);
my $all = '';
while (<STDIN>) { s/\r?\n$/\r\n/; $all .= $_; $s->PRINT($_); }
$s->CLOSE();
print $s->signature->as_string(), "\r\n", $all;
`

// OpenDKIM, dkimpy and Mail::DKIM find our signatures good, and those over something else not.
func TestOthersVerifyOurs(t *testing.T) {
	head, _, _ := strings.Cut(letter, "\r\n\r\n")
	for _, simple := range []bool{false, true} {
		one := signer(t, mailauth.SignerOptions{Simple: simple})
		two := signer(t, mailauth.SignerOptions{Simple: simple, Selector: "ed", Key: edKey()})
		server := dnstest.Start(t, record(t, one)+record(t, two))
		keys := map[string]string{}
		for _, s := range []*mailauth.Signer{one, two} {
			name, text, _ := s.Record()
			keys[name] = text
		}
		table, _ := json.Marshal(keys)
		for name, body := range bodies {
			if name == "no end" { // the others end the line for us
				continue
			}
			message := head + "\r\n\r\n" + body
			both := sign(t, message, one, two)
			if got := python(t, both, dkimpyVerify, string(table)); got != "pass pass" {
				t.Errorf("dkimpy, simple %v, %s: %s", simple, name, got)
			}
			signed := sign(t, message, one)
			if got := perl(t, server, signed, mailDKIMVerify); got != "pass" {
				t.Errorf("Mail::DKIM, simple %v, %s: %s", simple, name, got)
			}
			if got := openDKIM(t, signed, keys); !strings.Contains(got, "succeeded") {
				t.Errorf("OpenDKIM, simple %v, %s: %s", simple, name, got)
			}
		}
		altered := strings.Replace(sign(t, letter, one), "Hello", "Hallo", 1)
		if got := python(t, altered, dkimpyVerify, string(table)); got != "fail" {
			t.Errorf("dkimpy: %s", got)
		}
		if got := openDKIM(t, altered, keys); !strings.Contains(got, "failed") {
			t.Errorf("OpenDKIM: %s", got)
		}
	}
}

// openDKIM verifies in its test mode, which reads files with bare line feeds.
func openDKIM(t *testing.T, message string, keys map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	var table strings.Builder
	for name, text := range keys {
		fmt.Fprintf(&table, "%s %s\n", name, text)
	}
	files := map[string]string{
		"keys": table.String(), "m.eml": strings.ReplaceAll(message, "\r\n", "\n"),
		"conf": "TestPublicKeys " + filepath.Join(dir, "keys") + "\nMode v\nBackground no\nSyslog no\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return peer(t, "", "/bin/sh", "-c", `PATH=$PATH:/usr/sbin; exec opendkim -x "$1" -t "$2" 2>&1`, "sh", filepath.Join(dir, "conf"), filepath.Join(dir, "m.eml"))
}

// keyFile writes a key as the others read it.
func keyFile(t *testing.T, ed bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	text := []byte(base64.StdEncoding.EncodeToString(edKey().(ed25519.PrivateKey).Seed()))
	if !ed {
		der, err := x509.MarshalPKCS8PrivateKey(rsaKey())
		if err != nil {
			t.Fatal(err)
		}
		text = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// We find good what dkimpy and Mail::DKIM have signed.
func TestWeVerifyOthers(t *testing.T) {
	one := signer(t, mailauth.SignerOptions{})
	two := signer(t, mailauth.SignerOptions{Selector: "ed", Key: edKey()})
	server := dnstest.Start(t, record(t, one)+record(t, two))
	c := checker(t, server, mailauth.Options{})
	head, _, _ := strings.Cut(letter, "\r\n\r\n")
	verify := func(who, name, signed string) {
		t.Helper()
		got := check(t, c, envelope(t, "", ""), signed).DKIM
		if len(got) != 1 || got[0].Status != mailauth.Pass {
			t.Errorf("%s, %s: %+v", who, name, got)
		}
		got = check(t, c, envelope(t, "", ""), strings.Replace(signed, "bob@", "eve@", 1)).DKIM
		if len(got) != 1 || got[0].Status != mailauth.Fail {
			t.Errorf("%s, %s, altered: %+v", who, name, got)
		}
	}
	for _, canon := range []string{"relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"} {
		for name, body := range bodies {
			message := head + "\r\n\r\n" + body
			verify("dkimpy RSA "+canon, name, python(t, message, dkimpySign, "s1", keyFile(t, false), canon, "rsa-sha256"))
			if canon == "relaxed/relaxed" {
				verify("dkimpy Ed25519 "+canon, name, python(t, message, dkimpySign, "ed", keyFile(t, true), canon, "ed25519-sha256"))
			}
			if name != "no end" && (canon == "relaxed/relaxed" || canon == "simple/simple") {
				verify("Mail::DKIM "+canon, name, perl(t, server, message, mailDKIMSign, "s1", keyFile(t, false), canon))
			}
		}
	}
}

// What opendkim-testmsg signs is rsa-sha1, which nobody may accept (RFC 8301, 3.1).
func TestSHA1IsRefused(t *testing.T) {
	one := signer(t, mailauth.SignerOptions{})
	c := checker(t, dnstest.Start(t, record(t, one)), mailauth.Options{})
	signed := peer(t, strings.ReplaceAll(letter, "\r\n", "\n"), "opendkim-testmsg", "-d", "firma.example", "-s", "s1", "-k", keyFile(t, false))
	got := check(t, c, envelope(t, "", ""), strings.ReplaceAll(strings.ReplaceAll(signed, "\r\n", "\n"), "\n", "\r\n")+"\r\n").DKIM
	if len(got) != 1 || got[0].Status != mailauth.PermError || !strings.Contains(got[0].Reason, "too weak") || got[0].Algorithm != "rsa-sha1" {
		t.Errorf("%+v", got)
	}
}

const mailSPF = `
use Mail::SPF;
my $server = Mail::SPF::Server->new(dns_resolver => $r);
while (<STDIN>) {
    chomp; my ($scope, $identity, $ip) = split /\t/;
    my $request = Mail::SPF::Request->new(versions => [1], scope => $scope, identity => $identity, ip_address => $ip, helo_identity => 'mx.firma.example');
    print $server->process($request)->code, "\n";
}
`

// Mail::SPF says the same.
func TestSPFLikeMailSPF(t *testing.T) {
	zone := spfZone + `
mech.example.   MX 10 mx.mech.example.
mx.mech.example. A 192.0.2.20
mx.mech.example. AAAA 2001:db8::20
mech.example.   A 192.0.2.21
mech.example.   AAAA 2001:db8::21
mech.example.   TXT "v=spf1 a mx ip4:192.0.2.22 ip6:2001:db8:1::/48 ptr:ptr.example include:firma.example exists:%{ir}.%{v}.x.example redirect=soft.example"
23.2.0.192.in-addr.x.example. A 127.0.0.2
24.2.0.198.in-addr.arpa. PTR host.ptr.example.
host.ptr.example. A 198.0.2.24
slash.example.  TXT "v=spf1 a:mech.example/30 mx:mech.example//64 -all"
manymx.example. TXT "v=spf1 mx -all"
macro.example.  TXT "v=spf1 exists:%{l1r-}.%{d2}.%{o}.%{h}.m.example -all"
void.example.   TXT "v=spf1 a:v1.example a:v2.example a:v3.example a:mech.example -all"
upper.example.  TXT "V=SPF1 A:MECH.EXAMPLE IP4:192.0.2.9 -ALL"
empty.example.  TXT "v=spf1"
incnone.example. TXT "v=spf1 include:none.example -all"
`
	for i := range 11 {
		zone += fmt.Sprintf("manymx.example. MX 10 m%d.example.\nm%d.example. A 192.0.2.%d\n", i, i, 100+i)
	}
	s := dnstest.Start(t, zone)
	c := checker(t, s, mailauth.Options{})
	var input strings.Builder
	var ours []string
	for _, domain := range []string{
		"firma", "soft", "neutral", "none", "broken", "two", "deep", "local", "nowhere", "mech", "slash", "macro", "void", "upper", "empty", "incnone",
	} {
		for _, ip := range []string{"192.0.2.9", "192.0.2.20", "192.0.2.21", "192.0.2.22", "192.0.2.23", "198.0.2.24", "198.51.100.1", "2001:db8::21", "2001:db8:1::1", "2001:db9::1"} {
			fmt.Fprintf(&input, "mfrom\ta-b@%s.example\t%s\n", domain, ip)
			ours = append(ours, fmt.Sprint(domain, " ", ip, " ", check(t, c, envelope(t, "a-b@"+domain+".example", ip), letter).SPF.Status))
		}
	}
	// RFC 7208, 4.6.4 asks for an error where Mail::SPF takes the first ten, as RFC 4408 did.
	if r := check(t, c, envelope(t, "a@manymx.example", "192.0.2.100"), letter); r.SPF.Status != mailauth.PermError {
		t.Errorf("eleven MX: %+v", r.SPF)
	}
	theirs := strings.Split(strings.TrimSpace(perl(t, s, input.String(), mailSPF)), "\n")
	if len(theirs) != len(ours) {
		t.Fatalf("%d answers, want %d", len(theirs), len(ours))
	}
	for i := range ours {
		if !strings.HasSuffix(ours[i], " "+theirs[i]) {
			t.Errorf("%s, Mail::SPF says %s", ours[i], theirs[i])
		}
	}
}

const mailDMARC = `
use Mail::DMARC::PurePerl;
while (<STDIN>) {
    chomp; my ($from, $spf, $spfdomain, $dkim, $dkimdomain) = split /\t/;
    my $d = Mail::DMARC::PurePerl->new; $d->set_resolver($r);
    $d->source_ip('192.0.2.1'); $d->envelope_to('example.org'); $d->envelope_from($spfdomain); $d->header_from($from);
    $d->spf([{ domain => $spfdomain, scope => 'mfrom', result => $spf }]);
    $d->dkim($dkim ? [{ domain => $dkimdomain, selector => 's', result => $dkim }] : []);
    my $v = eval { $d->validate };
    print $v ? $v->result . ' ' . $v->disposition : "error $@", "\n";
}
`

// Mail::DMARC comes to the same verdict and disposition, for every combination of domains.
func TestDMARCLikeMailDMARC(t *testing.T) {
	zone := dmarcZone
	key := edKey()
	domains := []string{
		"example.com", "child.example.com", "example.net", "strict.example.com", "deep.strict.example.com", "firma.co.uk", "www.firma.co.uk",
		"a.sub.example.org", "sub.example.org", "other.co.uk",
	}
	zone += "_dmarc.strict.example.com. TXT \"v=DMARC1; p=quarantine; adkim=s; aspf=s\"\n_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=quarantine\"\n" +
		"example.org. TXT x\nwww.firma.co.uk. TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\nother.co.uk. A 192.0.2.1\n"
	for _, d := range domains {
		zone += record(t, signer(t, mailauth.SignerOptions{Domain: d, Selector: "s", Key: key})) + d + ". MX 10 mx." + d + ".\n"
		if !strings.Contains(zone, "\n"+d+".") || strings.HasSuffix(d, ".org") || strings.Contains(d, "strict.example.com") {
			zone += d + ". TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
		}
	}
	s := dnstest.Start(t, zone)
	c := checker(t, s, mailauth.Options{})
	var input strings.Builder
	var ours []string
	for _, from := range domains {
		for _, sender := range domains {
			for _, signing := range append(domains, "") {
				text := message("From: a@" + from)
				dkim := ""
				if signing != "" {
					text, dkim = sign(t, text, signer(t, mailauth.SignerOptions{Domain: signing, Selector: "s", Key: key})), "pass"
				}
				r := check(t, c, envelope(t, "a@"+sender, good), text)
				apply := r.DMARC.Apply
				if apply == "" {
					apply = mailauth.Nothing
				}
				ours = append(ours, fmt.Sprintf("From %s, SPF %s of %s, DKIM %s: %s %s", from, r.SPF.Status, sender, signing, r.DMARC.Status, apply))
				fmt.Fprintf(&input, "%s\t%s\t%s\t%s\t%s\n", from, r.SPF.Status, sender, dkim, signing)
			}
		}
	}
	theirs := strings.Split(strings.TrimSpace(perl(t, s, input.String(), mailDMARC)), "\n")
	if len(theirs) != len(ours) {
		t.Fatalf("%d answers, want %d", len(theirs), len(ours))
	}
	for i := range ours {
		if !strings.HasSuffix(ours[i], ": "+theirs[i]) {
			t.Errorf("%s, Mail::DMARC says %s", ours[i], theirs[i])
		}
	}
}

const authResults = `
use Mail::AuthenticationResults::Parser;
local $/; my $text = <STDIN>; $text =~ s/\r\n//g; $text =~ s/^Authentication-Results: //;
my $p = Mail::AuthenticationResults::Parser->new($text)->parsed;
print $p->value->value;
for my $e (@{$p->children}) {
    print ' | ', $e->key, '=', $e->value;
    for my $c (sort { $a->key cmp $b->key } @{$e->children}) { print ' ', $c->key, '=', $c->value }
}
`

// Mail::AuthenticationResults reads the field as we mean it.
func TestOthersReadField(t *testing.T) {
	r := mailauth.Result{
		SPF: mailauth.SPF{Status: mailauth.SoftFail, Domain: "firma.example", Sender: "a.b+c@firma.example"},
		DKIM: []mailauth.DKIM{
			{Status: mailauth.Fail, Domain: "firma.example", Selector: "a.b", Algorithm: "rsa-sha256", Identifier: "x@firma.example", Reason: "body hash did not verify"},
		},
		DMARC: mailauth.DMARC{Status: mailauth.Fail, Domain: "firma.example", Policy: mailauth.Reject},
	}
	f, err := r.Field("mx.bank.example")
	if err != nil {
		t.Fatal(err)
	}
	want := "mx.bank.example | spf=softfail smtp.mailfrom=a.b+c@firma.example | dkim=fail header.a=rsa-sha256 header.d=firma.example header.i=x@firma.example " +
		"header.s=a.b reason=body hash did not verify | dmarc=fail header.from=firma.example reason=policy is reject"
	if got := peer(t, string(f.Raw), "/usr/bin/perl", "-e", authResults); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}
