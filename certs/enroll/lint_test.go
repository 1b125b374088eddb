package enroll_test

import (
	"encoding/pem"
	"fmt"
	"slices"
	"testing"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// finding is what a lint says of a certificate or list.
type finding struct {
	name   string
	status lint.LintStatus
}

// findings are the lints that do not pass, down to warnings.
func findings(r *zlint.ResultSet, checked map[string]bool) (out []finding) {
	for name, result := range r.Results {
		switch result.Status {
		case lint.Warn, lint.Error, lint.Fatal:
			out = append(out, finding{name, result.Status})
		case lint.Pass:
			checked[name] = true
		}
	}
	slices.SortFunc(out, func(a, b finding) int { return int(b.status) - int(a.status) })
	return out
}

// zlint finds no fault by the S/MIME Baseline Requirements, RFC 5280 and the rest of what it knows.
func TestLint(t *testing.T) {
	b := newBench(t)
	b.o.URL = "http://pki.example.com" // .example is an internal name to zlint
	b.open()
	root, issuing := b.found()
	checked := map[string]bool{}
	look := func(what string, der []byte) {
		c, err := zx509.ParseCertificate(der)
		if err != nil {
			t.Fatal(what, err)
		}
		for _, f := range findings(zlint.LintCertificate(c), checked) {
			if what == "issuing" && f.name == "e_ext_name_constraints_not_critical" { // the quirk of constrain
				continue
			}
			t.Errorf("%s: %s: %s", what, f.name, f.status)
		}
	}
	look("root", root.Raw)
	look("issuing", issuing.Raw)
	for _, k := range kinds() {
		b.o.Profile = k.profile
		b.open()
		look(fmt.Sprint(k), b.issue(k.address, k.purpose, k.key).Certificate.Raw)
	}
	smime := 0
	for _, l := range lint.GlobalRegistry().CertificateLints().BySource(lint.CABFSMIMEBaselineRequirements) {
		if checked[l.Name] {
			smime++
		}
	}
	if smime < 10 {
		t.Errorf("only %d S/MIME lints had something to look at", smime)
	}
	t.Logf("%d lints passed, %d of them of S/MIME", len(checked), smime)
}

// The lists, too.
func TestLintLists(t *testing.T) {
	b := newBench(t)
	_, issuing := b.found()
	c := b.issue("alice@firma.example", "any", "p-256").Certificate
	if err := b.ca.Revoke(t.Context(), c, 1); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{c.CRLDistributionPoints[0], issuing.CRLDistributionPoints[0]} {
		d := b.doc(url)
		block, _ := pem.Decode(crlPEM(d.Body))
		l, err := zx509.ParseRevocationList(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings(zlint.LintRevocationList(l), map[string]bool{}) {
			t.Errorf("%s: %s: %s", url, f.name, f.status)
		}
	}
}
