package smimetool

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime"
)

// Trust is what certificates are judged by, as flags.
type Trust struct {
	CA  []string  `name:"ca" sep:"none" placeholder:"FILE" help:"Certificate to trust, self-signed or not (PEM, may hold several). May be given several times. Nothing else is trusted."`
	CRL []string  `name:"crl" sep:"none" placeholder:"FILE" help:"List of revoked certificates (PEM or DER). May be given several times."`
	At  time.Time `format:"2006-01-02T15:04:05Z07:00" placeholder:"RFC3339" help:"Judge as of then, such as 2027-01-31T12:00:00Z. Default: now."`
}

// Decrypt writes the message without its encryption.
type Decrypt struct {
	Message
	Keys
}

// Verify judges the message, and what is in its encryption where a key fits.
type Verify struct {
	Message
	Keys
	Trust
	JSON bool `name:"json" help:"Print the result as JSON."`
}

// Inspect shows the layers of a message.
type Inspect struct{ Verify }

// maxLayer is the most bytes of one layer: as much as the disk holds.
const maxLayer = 1 << 50

// Run writes the result to standard output.
func (c *Decrypt) Run(t *Tool) error {
	defer t.Close()
	if len(c.Key) == 0 {
		return usage("name the key to decrypt with by --key")
	}
	opened, err := t.open(c.File, c.Keys, Trust{})
	if err != nil {
		return err
	}
	defer opened.Close()
	envelope := func(l smime.Layer) bool { return l.Type == smime.TypeEnveloped || l.Type == smime.TypeAuthEnveloped }
	switch {
	case !slices.ContainsFunc(opened.Layers, envelope):
		return not("the message is not encrypted")
	case !slices.ContainsFunc(opened.Layers, func(l smime.Layer) bool { return l.Decrypted }):
		return not("the message cannot be decrypted with these keys; siegel smime inspect shows for whom it is")
	}
	_, err = opened.WriteTo(t.Out)
	return err
}

// Run prints the verdict.
func (c *Verify) Run(t *Tool) error {
	verdict, err := c.run(t)
	if err != nil {
		return err
	}
	if verdict != smime.Valid {
		return &failure{code: exitNot}
	}
	return nil
}

// Run prints the layers.
func (c *Inspect) Run(t *Tool) error {
	_, err := c.run(t)
	return err
}

func (c *Verify) run(t *Tool) (smime.Verdict, error) {
	defer t.Close()
	opened, err := t.open(c.File, c.Keys, c.Trust)
	if err != nil {
		if c.JSON {
			FailJSON(t.Out, err)
		}
		return "", err
	}
	defer opened.Close()
	if c.JSON {
		return opened.Verdict, safetext.JSON(t.Out, opened.Report)
	}
	return opened.Verdict, printText(t.Out, opened.Report)
}

// open opens the layers of the message.
func (t *Tool) open(path string, keys Keys, trust Trust) (*smime.Opened, error) {
	contents, ids, err := keys.identities()
	if err != nil {
		return nil, err
	}
	judge, err := trust.judge(contents.Certificates, t.remark)
	if err != nil {
		return nil, err
	}
	spool, err := t.scratch()
	if err != nil {
		return nil, err
	}
	src, err := t.message(path)
	if err != nil {
		return nil, err
	}
	o := smime.OpenOptions{
		Keys: keys.finder(ids), Judge: judge, Scratch: func() smime.Buffer { return spool.Create() }, Now: trust.At, Legacy: true,
		Limits: smime.Limits{Size: maxLayer},
	}
	if o.Now.IsZero() {
		o.Now = t.now()
	}
	opened, err := smime.Open(t.Ctx, src, o)
	if errors.Is(err, smime.ErrMessage) {
		return nil, usage("%w", err)
	}
	return opened, err
}

// judge judges by the anchors and lists that were named, and by nothing else. What is to be said of a valid certificate is a remark.
func (c Trust) judge(intermediates []*x509.Certificate, remark func(string)) (smime.Judge, error) {
	files, err := certificates(c.CA, "--ca")
	if err != nil {
		return nil, err
	}
	v := certs.NewValidator(slices.Concat(files...), intermediates)
	var lists revocation.Lists
	for _, path := range c.CRL {
		l, err := readLists(path)
		if err != nil {
			return nil, usage("--crl: %s: %w", path, err)
		}
		lists = append(lists, l...)
	}
	if len(lists) > 0 {
		v = v.WithRevocation(lists.WithSigners(intermediates))
	}
	return func(ctx context.Context, leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
		r := v.Validate(ctx, leaf, intermediates, certs.Sign, "", at)
		if r.Valid() {
			for _, text := range r.Reasons {
				remark(text)
			}
		}
		return smime.Verdict(r.Status), r.Reasons
	}, nil
}

func readLists(path string) (revocation.Lists, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > revocation.MaxSize {
		return nil, fmt.Errorf("it has more than %d bytes", revocation.MaxSize)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return revocation.Parse(data)
}
