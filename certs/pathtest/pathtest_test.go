package pathtest_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/pathtest"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// demanding asks of lists to tell of each certificate, as openssl verify -crl_check_all does.
type demanding struct{ lists certs.Revocation }

func (d demanding) Revoked(ctx context.Context, chain []*x509.Certificate, at time.Time) []certs.Fault {
	found := d.lists.Revoked(ctx, chain, at)
	for i := range found {
		if found[i].Status == certs.StatusValid {
			found[i].Status = certs.StatusUntrusted
		}
	}
	return found
}

// validator is one with the trust, the policies and the lists of a case.
func validator(c pathtest.Case) *certs.Validator {
	v := certs.NewValidator(c.Anchors, nil).WithPolicies(c.Policies)
	if len(c.Lists) == 0 {
		return v
	}
	var lists revocation.Lists
	for _, der := range c.Lists {
		if l, err := revocation.Parse(der); err == nil { // what cannot be read tells nothing
			lists = append(lists, l...)
		}
	}
	return v.WithRevocation(demanding{lists.WithSigners(c.Untrusted)})
}

// all are the cases; to make them takes a moment.
var all = sync.OnceValue(pathtest.Cases)

// Each case is judged as it should be.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range all() {
		if names[c.Name] {
			t.Errorf("%s: twice", c.Name)
		}
		names[c.Name] = true
		r := validator(c).Validate(t.Context(), c.Leaf, c.Untrusted, c.Purpose, "", c.At)
		if r.Status != c.Want {
			t.Errorf("%s: %s %q, want %s", c.Name, r.Status, r.Reasons, c.Want)
		}
	}
	if len(names) < 500 {
		t.Errorf("%d cases", len(names))
	}
	t.Logf("%d cases", len(names))
}

// openssl verify says the same, except where docs/standards.md explains why not.
func TestOpenSSL(t *testing.T) {
	var wait sync.WaitGroup
	queue := make(chan pathtest.Case)
	for range 4 {
		wait.Go(func() {
			for c := range queue {
				dir := t.TempDir()
				ok, out := opensslVerify(t, dir, c)
				if agree := ok == (c.Want == certs.StatusValid); agree != (c.OpenSSL == "") {
					t.Errorf("%s: want %s, openssl says %v, the exception is %q\n%s", c.Name, c.Want, ok, c.OpenSSL, out)
				}
			}
		})
	}
	for _, c := range all() {
		queue <- c
	}
	close(queue)
	wait.Wait()
}

func write(t *testing.T, path, kind string, ders ...[]byte) string {
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Error(err)
	}
	return path
}

func raw(all []*x509.Certificate) (ders [][]byte) {
	for _, c := range all {
		ders = append(ders, c.Raw)
	}
	return ders
}

// opensslVerify asks openssl verify.
func opensslVerify(t *testing.T, dir string, c pathtest.Case, flags ...string) (bool, string) {
	file := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"verify", "-no-CApath", "-no-CAstore", "-partial_chain", "-auth_level", "2", "-policy_check", "-attime", fmt.Sprint(c.At.Unix())}
	args = append(args, flags...)
	if c.Purpose != certs.Any {
		args = append(args, "-purpose", "smime"+string(c.Purpose))
	}
	if len(c.Anchors) > 0 {
		args = append(args, "-CAfile", write(t, file("anchors"), "CERTIFICATE", raw(c.Anchors)...))
	} else {
		args = append(args, "-no-CAfile")
	}
	if len(c.Untrusted) > 0 {
		args = append(args, "-untrusted", write(t, file("untrusted"), "CERTIFICATE", raw(c.Untrusted)...))
	}
	if len(c.Lists) > 0 {
		args = append(args, "-crl_check_all", "-extended_crl", "-CRLfile", write(t, file("lists"), "X509 CRL", c.Lists...))
	}
	if len(c.Policies.Initial) == 0 { // which openssl takes for none at all where one is demanded
		args = append(args, "-policy", "2.5.29.32.0")
	}
	for _, p := range c.Policies.Initial {
		args = append(args, "-policy", p.String())
	}
	for flag, set := range map[string]bool{"-explicit_policy": c.Policies.Explicit, "-inhibit_map": c.Policies.InhibitMapping, "-inhibit_any": c.Policies.InhibitAny} {
		if set {
			args = append(args, flag)
		}
	}
	out, err := exec.Command("openssl", append(args, write(t, file("leaf"), "CERTIFICATE", c.Leaf.Raw))...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("openssl: %v", err)
	}
	return err == nil, string(out)
}

// crypto/x509 says the same, but for what it does not do.
func TestGo(t *testing.T) {
	for _, c := range all() {
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		for _, a := range c.Anchors {
			roots.AddCert(a)
		}
		for _, u := range c.Untrusted {
			between.AddCert(u)
		}
		_, err := c.Leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, CurrentTime: c.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, CertificatePolicies: c.Policies.Initial,
		})
		if agree := (err == nil) == (c.Want == certs.StatusValid); !agree && c.Go == "" {
			t.Errorf("%s: want %s, crypto/x509 says %v", c.Name, c.Want, strings.TrimSpace(fmt.Sprint(err)))
		}
	}
}

// explained are the exceptions in the table of a section of docs/standards.md.
func explained(t *testing.T, heading string) map[string]bool {
	text, err := os.ReadFile("../../docs/standards.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n"+heading+"\n")
	table, _, _ = strings.Cut(table, "\n##")
	if !found {
		t.Errorf("docs/standards.md has no %q", heading)
	}
	used := map[string]bool{}
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "`"); strings.HasPrefix(line, "| `") && len(cells) > 2 {
			used[cells[1]] = false
		}
	}
	return used
}

// What docs/standards.md explains and what the cases and the files of testdata name are the same.
func TestExceptionsExplained(t *testing.T) {
	named := map[string]map[string]string{"## Where openssl verify says otherwise": {}}
	for _, c := range all() {
		if c.OpenSSL != "" {
			named["## Where openssl verify says otherwise"][c.Name] = c.OpenSSL
		}
	}
	for peer, heading := range map[string]string{"openssl-strict": "### openssl verify -x509_strict", "nss": "### NSS", "gpgsm": "### gpgsm"} {
		named[heading] = readExceptions(t, peer)
	}
	for heading, cases := range named {
		used := explained(t, heading)
		for name, exception := range cases {
			if _, ok := used[exception]; !ok {
				t.Errorf("%s: %s: the exception %q is not explained", heading, name, exception)
			}
			used[exception] = true
		}
		for name, met := range used {
			if !met {
				t.Errorf("%s: the exception %q is explained and never met", heading, name)
			}
		}
	}
}
