package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// demailRehearseCmd groups what the other side of a rehearsal does.
type demailRehearseCmd struct {
	Send  rehearseSendCmd  `cmd:"" help:"Send a message as the other company, or as ours."`
	List  rehearseListCmd  `cmd:"" help:"Show what lies in a simulated mailbox, how it is judged, and take it out."`
	Fault rehearseFaultCmd `cmd:"" help:"Make something go wrong with a simulated provider, or go well again."`
}

// rehearsalPlace is a world that siegel demail simulate runs, and who speaks to it.
type rehearsalPlace struct {
	Dir string `required:"" type:"existingdir" placeholder:"FOLDER" help:"The folder of siegel demail simulate."`
	As  string `enum:"firma,stadt" default:"stadt" help:"Whose mailbox: firma is the company of the configuration snippet, stadt the other one."`
}

// way is the way of the company to its provider. The caller calls done.
func (p *rehearsalPlace) way() (rehearsal.Company, *webservice.Provider, func(), error) {
	company, err := rehearsal.CompanyOf(p.As)
	if err != nil {
		return company, nil, nil, err
	}
	place, err := rehearsal.ReadPlace(p.Dir)
	if err != nil {
		return company, nil, nil, err
	}
	profile, err := configs.ProfileFile(filepath.Join(p.Dir, place.Profiles[0])).Load()
	if err != nil {
		return company, nil, nil, err
	}
	url, err := place.URLOf(company)
	if err != nil {
		return company, nil, nil, err
	}
	root, err := rehearsal.ReadRoot(p.Dir)
	if err != nil {
		return company, nil, nil, err
	}
	certificate, err := rehearsal.ReadClient(p.Dir, company.Name)
	if err != nil {
		return company, nil, nil, err
	}
	password, err := rehearsal.ReadPassword(p.Dir, company.Name)
	if err != nil {
		return company, nil, nil, err
	}
	dir, err := os.MkdirTemp("", "siegel-rehearse-")
	if err != nil {
		return company, nil, nil, err
	}
	spool, err := atrest.NewSpool(dir, atrest.NewKey(), 0)
	if err == nil {
		var provider *webservice.Provider
		if provider, err = rehearsal.Connect(company, profile, url, root, certificate, password, spool); err == nil {
			return company, provider, func() { os.RemoveAll(dir) }, nil
		}
	}
	os.RemoveAll(dir)
	return company, nil, nil, err
}

// rehearsalHint adds to an error of a world what an administrator may have forgotten.
func rehearsalHint(err error) error {
	if err != nil && connectors.Class(err) == connectors.ErrUnavailable {
		return fmt.Errorf("%w; is siegel demail simulate running, and no fault in the way? With --tls de-mail-legacy only stadt can be rehearsed by hand", err)
	}
	return err
}

// rehearseSendCmd sends a message.
type rehearseSendCmd struct {
	rehearsalPlace
	From    string   `placeholder:"ADDRESS" help:"An address of the company that sends. Default: its first one."`
	To      []string `placeholder:"ADDRESS" help:"A De-Mail address; may be given several times. Default: the first one of the company on the other side."`
	Subject string   `default:"SIMULATED De-Mail"`
	Text    string   `default:"This message is part of a rehearsal. It proves nothing."`
	Option  []string `enum:"dispatch,receipt,retrieve,authoritative,private" placeholder:"OPTION" help:"dispatch, receipt, retrieve (stadt alone), authoritative or private; may be given several times."`
	File    string   `arg:"" optional:"" type:"existingfile" help:"A message to send as it is, in place of one with --subject and --text."`
}

// Run sends it.
func (c *rehearseSendCmd) Run(w io.Writer) error {
	company, provider, done, err := c.way()
	if err != nil {
		return err
	}
	defer done()
	m, err := c.message(company)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, dmda.Simulation)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r, err := provider.Submit(ctx, m)
	if err != nil {
		return rehearsalHint(err)
	}
	_, err = fmt.Fprintf(w, "sent from %s to %s\nprivate id  %s\nmessage id  %s\n", m.Sender, addressList(m.Recipients), m.Key, safetext.Line(r.ID, 200))
	return err
}

// message is what is sent.
func (c *rehearseSendCmd) message(company rehearsal.Company) (connectors.Message, error) {
	m := connectors.Message{Key: "rehearsal-" + rand.Text(), Options: c.options()}
	from := c.From
	if from == "" {
		from = company.Address
	}
	var err error
	if m.Sender, err = demail.ParseAddress(from); err != nil {
		return m, usageError("--from is no De-Mail address")
	}
	to := c.To
	for _, o := range rehearsal.Companies() {
		if len(c.To) == 0 && o.Name != company.Name {
			to = append(to, o.Address)
		}
	}
	for _, s := range to {
		a, err := demail.ParseAddress(s)
		if err != nil {
			return m, usageError("--to is no De-Mail address")
		}
		m.Recipients.To = append(m.Recipients.To, demail.Mailbox{Address: a})
	}
	m.Content, err = c.content(m)
	return m, err
}

func (c *rehearseSendCmd) options() demail.Options {
	var list []configs.DeMailOption
	for _, o := range c.Option {
		list = append(list, configs.DeMailOption(o))
	}
	return configs.DeMailOptions(list)
}

// content is the message: the file's, with line ends as mail has them, or one that is made.
func (c *rehearseSendCmd) content(m connectors.Message) (connectors.Content, error) {
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, demail.MaxGross+1))
		if err != nil {
			return nil, err
		}
		return inMemory(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))), nil
	}
	if strings.ContainsAny(c.Subject, "\r\n") {
		return nil, usageError("--subject is one line")
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "From: <%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\nMIME-Version: 1.0\r\n", m.Sender, addressList(m.Recipients),
		mime.QEncoding.Encode("utf-8", c.Subject), time.Now().Format(time.RFC1123Z), rand.Text(), m.Sender.Domain())
	out.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	q := quotedprintable.NewWriter(&out)
	_, err := io.WriteString(q, strings.ReplaceAll(strings.ReplaceAll(c.Text, "\r\n", "\n"), "\n", "\r\n")+"\r\n")
	if err == nil {
		err = q.Close()
	}
	return inMemory(out.Bytes()), err
}

// addressList is what To says.
func addressList(r demail.Recipients) string {
	var out []string
	for _, m := range r.To {
		out = append(out, "<"+m.Address.String()+">")
	}
	return strings.Join(out, ", ")
}

// inMemory is a message.
type inMemory []byte

// Size is its length.
func (m inMemory) Size() int64 { return int64(len(m)) }

// Open reads it.
func (m inMemory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }
