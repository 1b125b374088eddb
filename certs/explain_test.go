package certs_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/pathtest"
	"github.com/siegel-mail/siegel/certs/revocation"
)

// Whatever is said of a certificate says which one, by which rule, since when, and what to do; in one line, and with every rule met.
func TestExplained(t *testing.T) {
	met := map[certs.Check]bool{}
	for _, c := range pathtest.Cases() {
		v := certs.NewValidator(c.Anchors, nil).WithPolicies(c.Policies)
		var lists revocation.Lists
		for _, der := range c.Lists {
			if l, err := revocation.Parse(der); err == nil {
				lists = append(lists, l...)
			}
		}
		v = v.WithRevocation(lists)
		for _, address := range []string{"", "bob@firma.example"} {
			r := v.Validate(t.Context(), c.Leaf, c.Untrusted, c.Purpose, address, c.At)
			if len(r.Faults) != len(r.Reasons) || !r.Valid() && len(r.Faults) == 0 {
				t.Errorf("%s: %d faults, %d reasons", c.Name, len(r.Faults), len(r.Reasons))
			}
			given := slices.Concat([]*x509.Certificate{c.Leaf}, c.Untrusted, c.Anchors)
			for i, f := range r.Faults {
				met[f.Check] = true
				text := r.Reasons[i]
				switch {
				case f.Certificate == nil || !slices.ContainsFunc(given, f.Certificate.Equal) || !strings.Contains(text, certs.Describe(f.Certificate)):
					t.Errorf("%s: %q does not say which certificate", c.Name, text)
				case f.Check == "" || f.Since.IsZero():
					t.Errorf("%s: %q: check %q, since %v", c.Name, text, f.Check, f.Since)
				case !strings.Contains(text, " UTC") && (f.Check != certs.CheckRevocation || f.Status != certs.StatusValid):
					t.Errorf("%s: %q does not say since when", c.Name, text)
				case f.Advice == "" || !strings.HasSuffix(text, "; "+f.Advice):
					t.Errorf("%s: %q does not say what to do", c.Name, text)
				case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) || len(text) > 500:
					t.Errorf("%s: unfit to print: %q", c.Name, text)
				}
			}
		}
	}
	for _, check := range []certs.Check{
		certs.CheckTrust, certs.CheckValidity, certs.CheckRevocation, certs.CheckConstraints, certs.CheckPolicies, certs.CheckAuthority,
		certs.CheckLength, certs.CheckCritical, certs.CheckKeyUsage, certs.CheckExtKeyUsage, certs.CheckStrength, certs.CheckAddress,
	} {
		if !met[check] {
			t.Errorf("no fault by the rule %q", check)
		}
	}
}
