package main

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// verifiedCertificate is a certificate as a judgement names it.
type verifiedCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	SHA256    string    `json:"sha256"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// verifiedFault is one thing that is wrong, or a remark.
type verifiedFault struct {
	Status      certs.Status         `json:"status"`
	Check       certs.Check          `json:"check"`
	Certificate *verifiedCertificate `json:"certificate,omitempty"`
	Since       *time.Time           `json:"since,omitempty"`
	Reason      string               `json:"reason"`
	Advice      string               `json:"advice,omitempty"`
}

// verified is what --json prints.
type verified struct {
	Valid       bool                  `json:"valid"`
	Verdict     certs.Status          `json:"verdict"`
	Purpose     string                `json:"purpose"`
	Address     string                `json:"address,omitempty"`
	At          time.Time             `json:"at"`
	Certificate verifiedCertificate   `json:"certificate"`
	Path        []verifiedCertificate `json:"path"`
	Faults      []verifiedFault       `json:"faults"`
	Remarks     []verifiedFault       `json:"remarks"`
}

func nameCertificate(c *x509.Certificate) verifiedCertificate {
	return verifiedCertificate{
		safetext.Line(x509x.Name(c.RawSubject), 256), safetext.Line(x509x.Name(c.RawIssuer), 256), fmt.Sprintf("%x", c.SerialNumber), fmt.Sprintf("%x", sha256.Sum256(c.Raw)),
		c.NotBefore.UTC(), c.NotAfter.UTC(),
	}
}

func nameFault(f certs.Fault) verifiedFault {
	out := verifiedFault{Status: f.Status, Check: f.Check, Reason: f.Reason, Advice: f.Advice}
	if f.Certificate != nil {
		c := nameCertificate(f.Certificate)
		out.Certificate = &c
	}
	if !f.Since.IsZero() {
		since := f.Since.UTC()
		out.Since = &since
	}
	return out
}

// report is the judgement for programs.
func (c *certsVerifyCmd) report(leaf *x509.Certificate, r certs.Result) verified {
	out := verified{
		Valid: r.Valid(), Verdict: r.Status, Purpose: c.Purpose, Address: c.Address, At: c.At.UTC(), Certificate: nameCertificate(leaf),
		Path: []verifiedCertificate{}, Faults: []verifiedFault{}, Remarks: []verifiedFault{},
	}
	for _, p := range r.Chain {
		out.Path = append(out.Path, nameCertificate(p))
	}
	for _, f := range r.Faults {
		if f.Status == certs.StatusValid {
			out.Remarks = append(out.Remarks, nameFault(f))
		} else {
			out.Faults = append(out.Faults, nameFault(f))
		}
	}
	return out
}

// print writes the judgement for people: the verdict, the path from the certificate upwards, and of each fault which certificate, which
// check, since when, and what to do.
func (c *certsVerifyCmd) print(w io.Writer, leaf *x509.Certificate, r certs.Result) error {
	var b strings.Builder
	report := c.report(leaf, r)
	if r.Valid() {
		fmt.Fprintf(&b, "valid: %s\n", certs.Describe(leaf))
	} else {
		fmt.Fprintf(&b, "not valid (%s): %s\n", r.Status, certs.Describe(leaf))
	}
	if len(report.Path) > 0 {
		fmt.Fprintln(&b, "path:")
	}
	const day = "2006-01-02 15:04"
	for i, p := range report.Path {
		fmt.Fprintf(&b, "  %d. %s (serial %s), from %s until %s UTC\n", i+1, safetext.Line(p.Subject, 120), p.Serial, p.NotBefore.Format(day), p.NotAfter.Format(day))
	}
	for _, part := range []struct {
		title  string
		faults []verifiedFault
	}{{"fault", report.Faults}, {"remark", report.Remarks}} {
		for _, f := range part.faults {
			fmt.Fprintf(&b, "%s, %s: %s\n", part.title, f.Check, f.Reason)
			if f.Certificate != nil {
				fmt.Fprintf(&b, "  certificate: %s (serial %s)\n", safetext.Line(f.Certificate.Subject, 120), f.Certificate.Serial)
			}
			if f.Since != nil {
				fmt.Fprintf(&b, "  since:       %s UTC\n", f.Since.Format(day))
			}
			if f.Advice != "" {
				fmt.Fprintf(&b, "  to do:       %s\n", f.Advice)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
