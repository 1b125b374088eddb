package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/pathtest"
)

// pathCases are the chains; to make them takes a moment.
var pathCases = sync.OnceValue(pathtest.Cases)

// verifyArgs writes a case into files and returns the command line that asks about it.
func verifyArgs(t *testing.T, dir string, c pathtest.Case) []string {
	t.Helper()
	file := func(name, kind string, ders ...[]byte) string {
		var text []byte
		for _, der := range ders {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	raw := func(all []*x509.Certificate) (ders [][]byte) {
		for _, one := range all {
			ders = append(ders, one.Raw)
		}
		return ders
	}
	args := []string{"certs", "verify", "--no-network", "--purpose", string(c.Purpose), "--at", c.At.Format(time.RFC3339), file("leaf.pem", "CERTIFICATE", c.Leaf.Raw)}
	if len(c.Anchors) > 0 {
		args = append(args, "--ca", file("ca.pem", "CERTIFICATE", raw(c.Anchors)...))
	}
	if len(c.Untrusted) > 0 {
		args = append(args, "--untrusted", file("untrusted.pem", "CERTIFICATE", raw(c.Untrusted)...))
	}
	args = append(args, "--revocation", map[bool]string{true: "require", false: "off"}[len(c.Lists) > 0])
	if len(c.Lists) > 0 {
		args = append(args, "--crl", file("lists.pem", "X509 CRL", c.Lists...))
	}
	for _, p := range c.Policies.Initial {
		args = append(args, "--policy", p.String())
	}
	for flag, set := range map[string]bool{"--explicit-policy": c.Policies.Explicit, "--inhibit-mapping": c.Policies.InhibitMapping, "--inhibit-any": c.Policies.InhibitAny} {
		if set {
			args = append(args, flag)
		}
	}
	return args
}

// The command says of every chain of certs/pathtest what is due; a list that cannot be read is no question.
func TestCertsVerifyCases(t *testing.T) {
	dir := t.TempDir()
	for _, c := range pathCases() {
		var out, said bytes.Buffer
		code := run(append(verifyArgs(t, dir, c), "--json"), &out, &said)
		if code == exitUsage && strings.Contains(said.String(), "--crl") && c.Want != certs.StatusValid {
			continue
		}
		var r verified
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Errorf("%s: %v %s", c.Name, err, said.String())
			continue
		}
		if r.Verdict != c.Want || r.Valid != (code == exitDone) || (code == exitDone) != (c.Want == certs.StatusValid) || !r.Valid && len(r.Faults) == 0 {
			t.Errorf("%s: exit %d: %s", c.Name, code, out.String())
		}
	}
}

// What a person reads, and the three exit codes.
func TestCertsVerifyText(t *testing.T) {
	dir := t.TempDir()
	find := func(name string) pathtest.Case {
		for _, c := range pathCases() {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("no case %q", name)
		return pathtest.Case{}
	}
	for _, c := range []struct {
		name string
		more []string
		code int
		want string // in what is printed
	}{
		{"6.1.3 a1: all signatures are right", nil, exitDone, "valid: the certificate of CN=Alice,O=Pathtest,C=DE (serial 3)\npath:\n  1. CN=Alice,"},
		{"6.1.3 a1: all signatures are right", []string{"--address", "Alice@firma.example"}, exitDone, "\n  3. CN=Root,O=Pathtest,C=DE"},
		{"6.1.3 a1: all signatures are right", []string{"--address", "bob@firma.example"}, exitFailed, "not valid (mismatch)"},
		{"6.1.3 a1: all signatures are right", []string{"--revocation", "require"}, exitFailed, "fault, revocation: whether the certificate of CN=Alice"},
		{"6.3.3: an authority that may not sign lists, beside its certificate that lets it", []string{"--revocation", "soft"}, exitFailed, "not valid (revoked)"},
		{"6.3.3: the same, the other way round", []string{"--revocation", "soft"}, exitFailed, "not valid (revoked)"},
		{"6.3.3: the same, nobody revoked", []string{"--revocation", "soft"}, exitDone, "valid: "},
		{"6.1.3 a1: all signatures are right", []string{"--policy", "2.5.29.32.0", "--explicit-policy"}, exitFailed, "fault, certificate policies: "},
		{"6.1.3 a1: all signatures are right", []string{"--policy", "mail"}, exitUsage, "write it in numbers"},
		{"6.1.3 a1: all signatures are right", []string{"--crl", filepath.Join(dir, "leaf.pem")}, exitUsage, "--crl goes with"},
		{"6.1.3 a1: all signatures are right", []string{"--revocation", "soft", "--crl", filepath.Join(dir, "leaf.pem")}, exitUsage, "no PEM block of the kind X509 CRL"},
		{"6.1.3 a1: all signatures are right", []string{"--ca", filepath.Join(dir, "none.pem")}, exitUsage, "none.pem"},
		{"6.1.3 a1: all signatures are right", []string{"--purpose", "knit"}, exitUsage, "purpose"},
		{"6.1.3 a2: the leaf is expired by a second", nil, exitFailed, "  since:       2030-05-01 11:59 UTC\n  to do:       its owner must get a new one\n"},
	} {
		var out, said bytes.Buffer
		if code := run(append(verifyArgs(t, dir, find(c.name)), c.more...), &out, &said); code != c.code || !strings.Contains(out.String()+said.String(), c.want) {
			t.Errorf("%s %v: exit %d\n%s%s", c.name, c.more, code, out.String(), said.String())
		}
	}
}
