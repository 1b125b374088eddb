package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardListCmd shows what is in the readers.
type smartcardListCmd struct {
	cardFlags
	tokenFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// cardList is what --json prints.
type cardList struct {
	Readers []survey.Reader `json:"readers"`
}

// Run prints the list. That no reader is there is an answer, and no failure.
func (c *smartcardListCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	d, err := c.openDesk(t, c.cardFlags, cardPINs{})
	if err != nil {
		return err
	}
	defer d.close()
	ctx, stop := interrupted()
	defer stop()
	readers, err := d.look(ctx)
	if err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(k.Stdout, cardList{Readers: readers})
	}
	return printReaders(k.Stdout, readers, c.selection() != smartcard.Selection{} || c.Token != "")
}

// printReaders writes readers for people.
func printReaders(w io.Writer, readers []survey.Reader, selected bool) error {
	var b strings.Builder
	switch {
	case len(readers) == 0 && selected:
		fmt.Fprintln(&b, "No such reader or card is there. Leave --reader and --serial out to see all.")
	case len(readers) == 0:
		fmt.Fprintln(&b, noReaders)
	}
	for i, r := range readers {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintln(&b, r)
		printReader(&b, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// noReaders is what to do where the service runs and knows no reader.
const noReaders = "No reader is there. Look at its cable, or at the USB server that it is on (lsusb shows whether the machine sees it);\n" +
	"most readers need the driver libccid, some that of their maker, and pcscd is restarted after it was installed."

func printReader(b *strings.Builder, r survey.Reader) {
	switch r.State {
	case survey.Empty:
		fmt.Fprintln(b, "  no card")
	case survey.HasCard:
		printCard(b, r.Card)
	case survey.Strange:
		printUnknown(b, r.Unknown)
	default:
		fmt.Fprintf(b, "  %s\n  to do: %s\n", clean(r.Problem), r.Remedy)
	}
}

func printCard(b *strings.Builder, c *survey.Card) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	label := "card"
	if c.Label != "" {
		label = clean(c.Label)
	}
	fmt.Fprintf(t, "  card\t%s, family %s, serial %s\n", label, c.Family, clean(c.Serial))
	for _, p := range c.PINs {
		fmt.Fprintf(t, "  PIN %s\t%s: %s\n", p.Ref, p.Name, p.Words)
	}
	if len(c.Certificates) == 0 {
		fmt.Fprintf(t, "  keys\tnone with a certificate\n")
	}
	t.Flush()
	for _, c := range c.Certificates {
		fmt.Fprintf(b, "\n  %s, %s, %s\n", c.Key, c.Algorithm, openedBy(c))
		t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "    subject\t%s\n    issuer\t%s\n    for\t%s\n    valid\t%s\n    SHA-256\t%s\n", clean(c.Subject), clean(c.Issuer), usages(c), c.Expiry, c.Fingerprint)
		t.Flush()
	}
}

// openedBy says which PIN a key asks for.
func openedBy(c survey.Certificate) string {
	switch {
	case c.PIN == "":
		return "asks for no PIN"
	case c.PerUse:
		return "asks for PIN " + c.PIN + " each time"
	}
	return "opened by PIN " + c.PIN
}

func usages(c survey.Certificate) string {
	if len(c.Usages) == 0 {
		return "anything (it does not say)"
	}
	return strings.Join(c.Usages, "; ")
}

func printUnknown(b *strings.Builder, u *survey.Unknown) {
	fmt.Fprintf(b, "  unknown card: no family that is built in knows it (asked: %s)\n", strings.Join(u.Families, ", "))
	fmt.Fprintf(b, "  ATR %s", u.ATR.Hex)
	if len(u.ATR.Protocols) > 0 {
		fmt.Fprintf(b, "; protocol %s", strings.Join(u.ATR.Protocols, " "))
	}
	if u.ATR.Text != "" {
		fmt.Fprintf(b, "; it calls itself %q", u.ATR.Text)
	}
	fmt.Fprintln(b)
	for _, problem := range []string{u.ATR.Problem, u.Problem} {
		if problem != "" {
			fmt.Fprintf(b, "  %s\n", clean(problem))
		}
	}
	if len(u.Tried) > 0 {
		fmt.Fprintln(b, "  looked for:")
		t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for _, a := range u.Tried {
			fmt.Fprintf(t, "    %s\t%s\t%s\n", a.Name, a.AID, a.Answer)
		}
		t.Flush()
	}
	fmt.Fprintln(b, "  to do: where its maker has a PKCS #11 module, use that; see \"Cards of other kinds\" in docs/smartcards.md. To have the card supported, send the")
	fmt.Fprintln(b, "  lines above (they hold nothing secret) with the name of the card to those who look after Siegel.")
}
