package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// rehearseListCmd shows a mailbox.
type rehearseListCmd struct {
	rehearsalPlace
	Take bool   `help:"Take what is shown out of the mailbox."`
	Save string `type:"path" placeholder:"FOLDER" help:"Write each message to a file in this folder."`
}

// Run writes a paragraph for each message.
func (c *rehearseListCmd) Run(w io.Writer) error {
	company, provider, done, err := c.way()
	if err != nil {
		return err
	}
	defer done()
	anchor, err := rehearsal.ReadAnchor(c.Dir)
	if err != nil {
		return err
	}
	if c.Save != "" {
		if err := os.MkdirAll(c.Save, 0o700); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s\nThe mailbox of %s, logged in at level high:\n", dmda.Simulation, company.Name)
	v := demail.Verifier{Trust: rehearsalTrust{anchor}, Now: time.Now}
	n := 0
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	err = provider.Fetch(ctx, func(ctx context.Context, in connectors.Incoming) error {
		n++
		if err := c.one(ctx, w, v, n, in); err != nil {
			return err
		}
		if !c.Take {
			return connectors.ErrLeave
		}
		return nil
	})
	if err != nil {
		return rehearsalHint(err)
	}
	_, err = fmt.Fprintf(w, "\n%s\n", count(n, "message"))
	return err
}

// one shows a message.
func (c *rehearseListCmd) one(ctx context.Context, w io.Writer, v demail.Verifier, n int, in connectors.Incoming) error {
	content, err := io.ReadAll(in.Content)
	if err != nil {
		return err
	}
	if c.Save != "" {
		if err := os.WriteFile(filepath.Join(c.Save, fmt.Sprintf("%03d.eml", n)), content, 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n%d. %s\n", n, safetext.Line(in.ID, 200))
	r := bufio.NewReader(bytes.NewReader(content))
	h, err := demail.ReadHeader(r)
	if err != nil {
		_, err = fmt.Fprintf(w, "   no header of De-Mail: %s\n", safetext.Line(err.Error(), 200))
		return err
	}
	m, err := demail.ParseMetadata(h)
	if err != nil {
		_, err = fmt.Fprintf(w, "   metadata that cannot be read: %s\n", safetext.Line(err.Error(), 200))
		return err
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	to := in.Mailbox.String()
	if to == "" { // the profile does not say it
		to = m.EnvelopeTo
	}
	for _, line := range [][2]string{
		{"kind", string(m.Type)}, {"for", to}, {"from", m.Sender.String()}, {"subject", m.Subject}, {"options", optionWords(m.Options)}, {"level", string(m.Level)},
		{"private id", m.PrivateID}, {"integrity", worth(ctx, v, m.Type, h, body)},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "   %-11s %s\n", line[0], safetext.Line(line[1], 300))
		}
	}
	return nil
}

// optionWords names options.
func optionWords(o demail.Options) string {
	var out []string
	for _, one := range []struct {
		name string
		set  bool
	}{{"dispatch", o.Dispatch}, {"receipt", o.Receipt}, {"retrieve", o.Retrieve}, {"authoritative", o.Authoritative}, {"private", o.Private}} {
		if one.set {
			out = append(out, one.name)
		}
	}
	return strings.Join(out, ", ")
}

// worth tells what the signatures of a message are worth within the simulation.
func worth(ctx context.Context, v demail.Verifier, kind demail.MessageType, h demail.Header, body []byte) string {
	if kind.Confirmation() {
		k, err := v.Confirmation(ctx, h, bytes.NewReader(body))
		switch {
		case err != nil:
			return "no confirmation: " + err.Error()
		case k.Proven():
			return "both signatures are the simulated provider's"
		}
		return fmt.Sprintf("not proven: message %s, XML %s %s", k.Integrity.State, k.Signature.State, k.Contradiction)
	}
	r, err := v.Message(ctx, h, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	text := r.State.String()
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// rehearsalTrust believes the authority of a simulation, and nobody else.
type rehearsalTrust struct{ anchor *x509.Certificate }

// Judge is demail.Trust.
func (t rehearsalTrust) Judge(_ context.Context, c demail.Claim) demail.Verdict {
	pool := x509.NewCertPool()
	pool.AddCert(t.anchor)
	chains, err := c.Certificate.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: c.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return demail.Verdict{Reason: "it is not of the simulation's authority"}
	}
	return demail.Verdict{Standing: demail.StandingTrusted, Chain: chains[0][1:]}
}

// rehearseFaultCmd sets faults.
type rehearseFaultCmd struct {
	Dir   string   `required:"" type:"existingdir" placeholder:"FOLDER" help:"The folder of siegel demail simulate."`
	At    string   `enum:"firma,stadt" default:"firma" help:"Whose provider: that of firma, to which the gateway speaks, or of stadt."`
	Fault []string `arg:"" optional:"" help:"KIND[=TIME][@OPERATION][*TIMES], such as lost@submit*1 or slow=5s; none: all goes well again. Without one the kinds are listed, and the faults that are left."`
}

// Run sets the faults, or shows them.
func (c *rehearseFaultCmd) Run(w io.Writer) error {
	if len(c.Fault) == 1 && c.Fault[0] == "none" {
		c.Fault = []string{""}
	} else if _, err := parseFaults(c.Fault); err != nil {
		return err
	}
	place, err := rehearsal.ReadPlace(c.Dir)
	if err != nil {
		return err
	}
	company, err := rehearsal.CompanyOf(c.At)
	if err != nil {
		return err
	}
	last := place.Providers[len(place.Providers)-1] // whose TLS is never that of old providers
	said, err := c.ask(last.URL + rehearsal.FaultsPath + "?provider=" + url.QueryEscape(company.Provider))
	if err != nil {
		return fmt.Errorf("%w; is siegel demail simulate running", err)
	}
	fmt.Fprint(w, said)
	if len(c.Fault) > 0 {
		return nil
	}
	for _, k := range dmdaweb.Kinds() {
		fmt.Fprintf(w, "  %-18s %s\n", k, k.About())
	}
	return nil
}

// maxSaid bounds the provider's answer.
const maxSaid = 64 << 10

// ask is the request to the provider, as its operator.
func (c *rehearseFaultCmd) ask(address string) (string, error) {
	root, err := rehearsal.ReadRoot(c.Dir)
	if err != nil {
		return "", err
	}
	certificate, err := rehearsal.ReadClient(c.Dir, rehearsal.Operator)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	method := http.MethodGet
	if len(c.Fault) > 0 {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(strings.Join(c.Fault, "\n")))
	if err != nil {
		return "", err
	}
	response, err := rehearsal.HTTP(root, certificate).Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxSaid))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the simulated provider says: %s", safetext.Line(string(text), 300))
	}
	return string(text), err
}
