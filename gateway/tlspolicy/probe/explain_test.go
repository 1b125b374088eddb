package probe

import (
	"context"
	"crypto/tls"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// firstInteger is that of a SEQUENCE in PEM.
func firstInteger(t *testing.T, text []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no PEM: %s", text)
	}
	var all []asn1.RawValue
	if _, err := asn1.Unmarshal(block.Bytes, &all); err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(all[0].Bytes).Bytes()
}

// Every alert that a server may answer with has a sentence, and those that an administrator can do something about a remedy.
func TestExplainAlerts(t *testing.T) {
	for _, a := range tlsnames.Alerts() {
		p := explain(&Refusal{&hello.Alert{Fatal: true, Code: a.Code}}, Target{})
		if !strings.Contains(p.Text, a.Name) || p.Alert != a.Name || strings.HasSuffix(p.Text, ".") {
			t.Errorf("%s: %+v", a.Name, p)
		}
		if p.Remedy != remedies[a.Code] {
			t.Errorf("%s: %q", a.Name, p.Remedy)
		}
	}
	for code := range remedies {
		if _, ok := tlsnames.LookupAlert(code); !ok {
			t.Errorf("there is no alert %d", code)
		}
	}
	for _, code := range []uint8{40, 42, 43, 44, 45, 46, 48, 49, 70, 71, 80, 112, 116} {
		if remedies[code] == "" {
			t.Errorf("nothing is advised about %s", tlsnames.AlertName(code))
		}
	}
	if p := explain(&hello.Alert{Fatal: true, Code: 200}, Target{}); p.Alert != "alert_200" {
		t.Errorf("%+v", p)
	}
}

// Each kind of failure has its sentence.
func TestExplain(t *testing.T) {
	straight, started := Target{Address: "mx.example:465", Implicit: true}, Target{Address: "mx.example:25", Protocol: SMTP}
	for _, c := range []struct {
		err          error
		target       Target
		text, remedy string
	}{
		{nil, straight, "no version of TLS", "administrator"},
		{&DoorError{ErrDoor, "what", "do", nil}, straight, "what", "do"},
		{&Refusal{errHungUp}, straight, "hangs up", "firewall"},
		{&Refusal{errSilent}, straight, "in time", "give --smtp or --ldap"},
		{&Refusal{errSilent}, started, "in time", "give --implicit"},
		{&hello.NotTLS{Said: []byte("220 mx")}, straight, `says "220 mx"`, "give --smtp, and not --implicit"},
		{&hello.NotTLS{Said: []byte("HTTP/1.0 400")}, straight, "HTTP/1.0 400", "port of HTTPS"},
		{&hello.NotTLS{Said: []byte("0\x0c\x02\x01")}, straight, `0\f\x02\x01`, "give --ldap"},
		{&hello.NotTLS{Said: []byte("\x1b[2J")}, started, `\x1b[2J`, "--implicit"},
		{fmt.Errorf("%w: x", hello.ErrMalformed), straight, "breaks the rules", "something on the way"},
		{fmt.Errorf("%w: x", hello.ErrTooMuch), straight, "does not end", "attack"},
		{fmt.Errorf("%w: 9 connections", ErrEnough), straight, "9 connections", "--timeout"},
		{errOtherVersion, straight, "not offered", "administrator"},
		{&net.OpError{Op: "read", Err: errors.New("read: no route to host")}, straight, "no route to host", "network"},
		{errors.New("two\nlines"), straight, `two\nlines`, "network"},
	} {
		if p := explain(c.err, c.target); !strings.Contains(p.Text, c.text) || !strings.Contains(p.Remedy, c.remedy) {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
}

// An error of the gateway's own handshakes is explained by its rule, and an alert below it as one.
func TestExplainShake(t *testing.T) {
	policy := &tlspolicy.Error{Rule: tlspolicy.RuleGroup, Text: "the group", Advice: "another one", Err: io.EOF}
	if p := Explain(&Refusal{policy}, Target{}); p.Text != "the group: it hung up" || p.Remedy != "another one" {
		t.Errorf("%+v", p)
	}
	remote := &net.OpError{Op: "remote error", Err: tls.AlertError(116)}
	if p := Explain(&Refusal{&tlspolicy.Error{Rule: tlspolicy.RuleHandshake, Err: remote}}, Target{}); p.Alert != "certificate_required" {
		t.Errorf("%+v", p)
	}
}

// Errors of the network come in few kinds.
func TestCause(t *testing.T) {
	odd := errors.New("odd")
	for err, want := range map[error]error{
		io.EOF: errHungUp, io.ErrUnexpectedEOF: errHungUp, context.DeadlineExceeded: errSilent, odd: odd,
		&net.OpError{Op: "read", Err: syscall.ECONNRESET}: errHungUp, &net.OpError{Op: "write", Err: syscall.EPIPE}: errHungUp,
		&net.DNSError{IsTimeout: true}: errSilent,
	} {
		if got := cause(err); !errors.Is(got, want) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// What is dangerous in a server is told whoever asks.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		scans []*scan
		facts Facts
		want  []string // level, about, a part
	}{
		"modern": {[]*scan{{version: hello.TLS13, accepted: true, suites: []uint16{0x1301}}}, Facts{}, []string{"good version only TLS1.3 and nothing older"}},
		"old too": {[]*scan{{version: hello.TLS10, accepted: true, suites: []uint16{0x0005, 0x000a, 0xc013}}, {version: hello.TLS12, accepted: true, suites: []uint16{0xc02f, 0x002f}}}, Facts{Below13: true, SecureRenegotiation: true, ExtendedMasterSecret: true},
			[]string{"note version TLS1.0 are accepted", "note suite with RC4", "note suite with 3DES", "note suite read later"}},
		"broken": {[]*scan{{version: hello.SSL30, accepted: true, suites: []uint16{0x0002, 0x0018, 0x0003, 0x0009}}}, Facts{Below13: true, Compression: true},
			[]string{"bad version SSL3.0", "bad suite without encryption", "bad suite without authentication", "bad suite of export strength", "bad suite with DES", "bad protocol secure renegotiation", "note protocol extended master secret", "bad protocol CRIME"}},
		"a small prime": {[]*scan{{version: hello.TLS12, accepted: true, suites: []uint16{0x009e}, primes: []Prime{{1024, ""}, {2048, "modp2048"}}}}, Facts{Below13: true, SecureRenegotiation: true, ExtendedMasterSecret: true},
			[]string{"good version only", "bad group a prime of 1024 bits"}},
	} {
		r := &Report{scans: c.scans, Facts: c.facts}
		r.accepted()
		r.judge(nil, testNow)
		if len(r.Verdicts) != len(c.want) {
			t.Errorf("%s: %+v", name, r.Verdicts)
		}
		for _, want := range c.want {
			level, rest, _ := strings.Cut(want, " ")
			about, part, _ := strings.Cut(rest, " ")
			if !slices.ContainsFunc(r.Verdicts, func(v Verdict) bool {
				return string(v.Level) == level && v.About == about && strings.Contains(v.Text, part)
			}) {
				t.Errorf("%s: %q is not among %+v", name, want, r.Verdicts)
			}
		}
	}
}
