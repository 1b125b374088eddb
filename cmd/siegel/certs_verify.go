package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// certsVerifyCmd judges one certificate by what is given, without a gateway.
type certsVerifyCmd struct {
	Cert           string    `arg:"" type:"path" help:"File with the certificate (PEM, DER, PKCS#12, PKCS#7); further ones in it are as those of --untrusted."`
	CA             []string  `name:"ca" sep:"none" type:"path" placeholder:"FILE" help:"Certificates to trust, self-signed or not. May be given several times. Nothing else is trusted."`
	Untrusted      []string  `sep:"none" type:"path" placeholder:"FILE" help:"Certificates between it and a trusted one, and of those who sign lists of --crl, in any order, among others. May be given several times."`
	CRL            []string  `name:"crl" sep:"none" type:"path" placeholder:"FILE" help:"Lists of revoked certificates. May be given several times."`
	At             time.Time `format:"2006-01-02T15:04:05Z07:00" placeholder:"RFC3339" help:"Judge as of then, such as 2027-01-31T12:00:00Z. Default: now."`
	Purpose        string    `enum:"sign,encrypt,any" default:"any" help:"What it is to be used for: ${enum}. Always for mail."`
	Address        string    `placeholder:"ADDRESS" help:"The mail address that it must bear."`
	Policy         []string  `sep:"," placeholder:"OID" help:"Certificate policy that is accepted. May be given several times. Default: any."`
	ExplicitPolicy bool      `help:"Ask for an accepted policy. Without it one is needed only where an authority asks for it."`
	InhibitMapping bool      `help:"Let no authority declare policies of others to be its own."`
	InhibitAny     bool      `help:"Let anyPolicy count as no policy."`
	Revocation     string    `enum:"require,soft,off" default:"soft" help:"Where it cannot be told whether a certificate of the path is revoked: require makes it invalid, soft a remark. off does not look."`
	NoNetwork      bool      `help:"Look at the lists of --crl only, and fetch nothing; so it is with --at too."`
	JSON           bool      `name:"json" help:"Print JSON."`
}

// verifyUsage is the error of a question that cannot be judged.
type verifyUsage struct{ error }

// ExitCode is that of a command that was not understood.
func (verifyUsage) ExitCode() int { return exitUsage }

// Unwrap returns the inner error.
func (u verifyUsage) Unwrap() error { return u.error }

// Run judges, says why, and fails where the certificate is not valid.
func (c *certsVerifyCmd) Run(k *kong.Kong) error {
	v, leaf, between, err := c.question()
	if err != nil {
		return verifyUsage{err}
	}
	if c.Revocation != "off" {
		past := !c.At.IsZero()
		checker, err := c.revoked(past, between)
		if err != nil {
			return verifyUsage{err}
		}
		defer checker.Close()
		v = v.WithRevocation(checker)
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	r := v.Validate(context.Background(), leaf, nil, certs.Purpose(c.Purpose), c.Address, c.At)
	if c.JSON {
		err = printJSON(k.Stdout, c.report(leaf, r))
	} else {
		err = c.print(k.Stdout, leaf, r)
	}
	if err == nil && !r.Valid() {
		return errSaid
	}
	return err
}

// question reads what is judged, and what by: a validator, and what it knows without trust.
func (c *certsVerifyCmd) question() (v *certs.Validator, leaf *x509.Certificate, between []*x509.Certificate, err error) {
	if c.Revocation == "off" && len(c.CRL) > 0 {
		return nil, nil, nil, errors.New("--crl goes with --revocation require or soft, not with off")
	}
	policies, err := c.policies()
	if err != nil {
		return nil, nil, nil, err
	}
	own, err := certificatesOf([]string{c.Cert})
	if err != nil {
		return nil, nil, nil, err
	}
	anchors, err := certificatesOf(c.CA)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--ca: %w", err)
	}
	between, err = certificatesOf(c.Untrusted)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--untrusted: %w", err)
	}
	// What an administrator names is not bounded as what strangers send along: it is known, if not trusted.
	between = slices.Concat(between, own[1:])
	return certs.NewValidator(anchors, between).WithPolicies(policies), own[0], between, nil
}

// certificatesOf reads the certificates of files; each must hold one.
func certificatesOf(files []string) (all []*x509.Certificate, err error) {
	for _, path := range files {
		found, err := bundle.ReadFile(path, bundle.Options{SoftwareBrainpool: true})
		if err != nil && len(found.Certificates) == 0 {
			return nil, err
		}
		if len(found.Certificates) == 0 {
			return nil, fmt.Errorf("%s holds no certificate", safetext.Line(path, 256))
		}
		all = append(all, found.Certificates...)
	}
	return all, nil
}

func (c *certsVerifyCmd) policies() (certs.Policies, error) {
	p := certs.Policies{Explicit: c.ExplicitPolicy, InhibitMapping: c.InhibitMapping, InhibitAny: c.InhibitAny}
	for _, text := range c.Policy {
		id, err := x509.ParseOID(text)
		if err != nil {
			return p, fmt.Errorf("--policy: %q is no object identifier; write it in numbers, as in 2.23.140.1.5.2.2", safetext.Line(text, 64))
		}
		p.Initial = append(p.Initial, id)
	}
	return p, nil
}

// revoked is what tells which certificates are revoked, by lists of their issuers and of others that sign them, whose certificates are given.
// Of another time than now the network knows nothing.
func (c *certsVerifyCmd) revoked(past bool, signers []*x509.Certificate) (*revocation.Checker, error) {
	var lists revocation.Lists
	for _, path := range c.CRL {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("--crl: %s cannot be read: %w", safetext.Line(path, 256), errors.Unwrap(err))
		}
		if info.Size() > revocation.MaxSize {
			return nil, fmt.Errorf("--crl: %s has more than %d bytes", safetext.Line(path, 256), revocation.MaxSize)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("--crl: %w", err)
		}
		l, err := revocation.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("--crl: %s: %w", safetext.Line(path, 256), err)
		}
		lists = append(lists, l...)
	}
	return revocation.New(revocation.Options{
		Settings: revocation.Settings{Mode: revocation.Mode(c.Revocation), Given: lists, Signers: signers, Offline: c.NoNetwork || past},
		Now: func() time.Time {
			if past {
				return c.At
			}
			return time.Now()
		},
	}), nil
}
