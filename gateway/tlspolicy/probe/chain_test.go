package probe_test

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// shows starts a server that shows the certificates of files, in their order, with the key of the first one.
func shows(t *testing.T, files ...string) string {
	t.Helper()
	k := someKeys(t)
	pair := *k.pair(t, files[0])
	for _, f := range files[1:] {
		text, err := os.ReadFile(k.file(f + ".pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		pair.Certificate = append(pair.Certificate, block.Bytes)
	}
	return served(t, func(c net.Conn) {
		conn := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{pair}})
		if conn.HandshakeContext(t.Context()) == nil {
			conn.Write([]byte("220 ready\r\n"))
			conn.Read(make([]byte, 1024))
		}
	})
}

// What is wrong with the certificates of a server, one thing at a time.
func TestChains(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shown []string
		name  string
		roots []string
		in    time.Duration // from now
		good  string        // a part of a verdict
		bad   []string
		notes []string
	}{
		"all well":                  {shown: []string{"leaf", "between"}, roots: []string{"root"}, good: "it is believed by the authorities of --ca: CN=Root"},
		"a root too many":           {shown: []string{"leaf", "between", "root"}, roots: []string{"root"}, notes: []string{"is a root, which nobody needs"}},
		"none between":              {shown: []string{"leaf"}, roots: []string{"root"}, bad: []string{"a certificate is missing between it and the authorities of --ca: that of CN=Between", "it is at http://ca.example/between.der"}},
		"the authority is given":    {shown: []string{"leaf"}, roots: []string{"between"}, good: "CN=Between"},
		"another authority":         {shown: []string{"leaf", "between", "root"}, roots: []string{"rsa"}, bad: []string{"its root CN=Root is not among the authorities of --ca"}, notes: []string{"is a root"}},
		"an authority nobody knows": {shown: []string{"leaf", "between"}, roots: []string{"rsa"}, bad: []string{"that of CN=Root"}},
		"the wrong order":           {shown: []string{"leaf", "root", "between"}, roots: []string{"root"}, notes: []string{"certificate 1 of the chain stands in the wrong place"}},
		"a stranger":                {shown: []string{"leaf", "between", "ed"}, roots: []string{"root"}, notes: []string{"has nothing to do with the others"}},
		"another name":              {shown: []string{"leaf", "between"}, name: "mail.other.example", roots: []string{"root"}, bad: []string{"it is not for mail.other.example, but for localhost, mx.firma.example, 127.0.0.1"}},
		"its own authority":         {shown: []string{"rsa"}, roots: []string{"root"}, bad: []string{"issued by itself"}},
		"too late":                  {shown: []string{"leaf", "between"}, roots: []string{"root"}, in: 31 * 24 * time.Hour, bad: []string{"the certificate has expired", "certificate 1 of the chain has expired", "not judged"}},
		"soon too late":             {shown: []string{"leaf", "between"}, roots: []string{"root"}, in: 20 * 24 * time.Hour, notes: []string{"the certificate ends soon", "certificate 1 of the chain ends soon"}},
		"too early":                 {shown: []string{"leaf", "between"}, roots: []string{"root"}, in: -time.Hour, bad: []string{"the certificate is not valid before", "certificate 1 of the chain is not valid before", "not judged"}},
		"weak":                      {shown: []string{"weak"}, roots: []string{"root"}, bad: []string{"RSA key of only 1024 bits", "names no host at all", "issued by itself", "is signed with SHA1-RSA"}},
		"a client's":                {shown: []string{"client"}, roots: []string{"root"}, bad: []string{"names no host at all", "it is not believed by the authorities of --ca: certificate specifies an incompatible key usage"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, err := probe.ParseTarget(shows(t, c.shown...), "", false)
			if err != nil {
				t.Fatal(err)
			}
			target.ServerName = c.name
			if c.name == "" {
				target.ServerName = "mx.firma.example"
			}
			r := probe.Probe(t.Context(), target, probe.Options{Timeout: 5 * time.Minute, Patience: time.Minute, Roots: someKeys(t).roots(t, c.roots...), Now: func() time.Time { return time.Now().Add(c.in) }})
			if r.Problem != nil {
				t.Fatalf("%+v", r.Problem)
			}
			if n := len(r.Certificates); n != len(c.shown) {
				t.Errorf("%d certificates", n)
			}
			said := func(level probe.Level, part string) bool {
				return slices.ContainsFunc(r.Verdicts, func(v probe.Verdict) bool {
					return v.About == "certificate" && v.Level == level && strings.Contains(v.Text+"; "+v.Remedy, part)
				})
			}
			for _, part := range c.bad {
				if !said(probe.Bad, part) {
					t.Errorf("%q is not among %+v", part, r.Verdicts)
				}
			}
			for _, part := range c.notes {
				if !said(probe.Note, part) {
					t.Errorf("%q is not among %+v", part, r.Verdicts)
				}
			}
			if c.good != "" && !said(probe.Good, c.good) || len(c.bad) == 0 && r.Bad("certificate") {
				t.Errorf("%+v", r.Verdicts)
			}
		})
	}
}

// Chains for each kind of key are found, in TLS 1.2 those for RSA and for ECDSA.
func TestKinds(t *testing.T) {
	t.Parallel()
	r := ask(t, openssl(t, "-cert rsa.pem -key rsa.key -dcert ec.pem -dkey ec.key"), "", probe.Options{})
	var keys []string
	for _, c := range r.Certificates {
		keys = append(keys, c.Chain+" "+c.Key+" "+c.Pin[len(c.Pin)-1:])
	}
	slices.Sort(keys)
	if strings.Join(keys, ", ") != "ECDSA EC P-256 =, RSA RSA 2048 =" {
		t.Errorf("%q", keys)
	}
	r = ask(t, openssl(t, "-cert ed.pem -key ed.key -tls1_3"), "", probe.Options{})
	if len(r.Certificates) != 1 || r.Certificates[0].Key != "Ed25519" || !strings.HasPrefix(r.Certificates[0].Subject, "CN=localhost") {
		t.Errorf("%+v", r.Certificates)
	}
}
