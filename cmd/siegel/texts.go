package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// textsCmd groups what looks at the texts that users meet.
type textsCmd struct {
	List textsListCmd `cmd:"" help:"List the texts, when each is said, and which ones the configuration changes."`
	Show textsShowCmd `cmd:"" help:"Show a text in every form, with sample values, or all of them."`
}

// textsFile names the configuration whose texts are looked at.
type textsFile struct {
	Config string `type:"path" default:"/etc/siegel/siegel.yaml" env:"SIEGEL_CONFIG" help:"Configuration file (${default}); without one the texts are those that come with the gateway."`
}

// load gives the texts in force.
func (f textsFile) load(k *kong.Kong) (*texts.Texts, error) {
	if _, err := os.Stat(f.Config); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(k.Stderr, "%s is not there: these are the texts that come with the gateway.\n", f.Config)
		return nil, nil
	}
	config, problems := configs.Load(f.Config, configs.Options{})
	if config == nil {
		for _, p := range problems.Errors() {
			fmt.Fprintln(k.Stderr, p)
		}
		return nil, errSaid
	}
	return texts.New(config.Texts.Options())
}

// textsListCmd is `siegel texts list`.
type textsListCmd struct {
	textsFile
}

// Run writes a line for each text.
func (c *textsListCmd) Run(k *kong.Kong) error {
	t, err := c.load(k)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(k.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tFORM\tOF\tWHEN")
	for _, id := range texts.IDs() {
		a, _ := t.About(id)
		form, whose := "notice", "gateway"
		if a.SMTP {
			form = "smtp"
		}
		if a.Changed {
			whose = "configuration"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", id, form, whose, a.When)
	}
	return w.Flush()
}

// textsShowCmd is `siegel texts show`.
type textsShowCmd struct {
	textsFile
	Name string `arg:"" optional:"" help:"Name of the text, as list has it; without it all are shown."`
}

// Run writes the text.
func (c *textsShowCmd) Run(k *kong.Kong) error {
	t, err := c.load(k)
	if err != nil {
		return err
	}
	ids := texts.IDs()
	if c.Name != "" {
		if _, ok := t.About(texts.ID(c.Name)); !ok {
			return fmt.Errorf("there is no text %q; see siegel texts list", c.Name)
		}
		ids = []texts.ID{texts.ID(c.Name)}
	}
	for _, id := range ids {
		showText(k.Stdout, t, id)
	}
	return nil
}

// showText writes one text with each phrase that it may show.
func showText(w io.Writer, t *texts.Texts, id texts.ID) {
	a, _ := t.About(id)
	fmt.Fprintf(w, "%s\n  %s\n", id, a.When)
	if len(a.Placeholders) > 0 {
		fmt.Fprintf(w, "  placeholders: {%s}\n", strings.Join(a.Placeholders, "} {"))
	}
	for _, v := range a.Samples {
		fmt.Fprintln(w)
		if subject := t.Subject(id, v); subject != "" {
			fmt.Fprintf(w, "  subject  %s\n", subject)
		}
		for _, l := range []texts.Language{texts.English, texts.German} {
			if a.SMTP {
				fmt.Fprintf(w, "  smtp %s  %s\n", l, t.In(l, id, v))
			}
			fmt.Fprintf(w, "  %s       %s\n", l, strings.ReplaceAll(strings.TrimSuffix(t.Body(id, v, l), "\n"), "\n", "\n           "))
		}
	}
	fmt.Fprintln(w)
}
