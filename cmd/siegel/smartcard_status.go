package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// smartcardStatusCmd asks the running gateway how its cards are.
type smartcardStatusCmd struct {
	controlFlags
	Name []string `arg:"" optional:"" help:"Only these keys of the configuration."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Run prints how the cards are, and fails where a key cannot be used.
func (c *smartcardStatusCmd) Run(w io.Writer) error {
	all, err := c.client().Smartcards(context.Background())
	if err != nil {
		return printable(err)
	}
	if all, err = c.only(all); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(w, struct {
			Smartcards []admin.Smartcard `json:"smartcards"`
		}{all})
	} else {
		err = printSmartcards(w, all, time.Now())
	}
	for _, s := range all {
		if err == nil && !s.Usable {
			err = errSaid
		}
	}
	return err
}

// only are the keys that are asked for.
func (c *smartcardStatusCmd) only(all []admin.Smartcard) ([]admin.Smartcard, error) {
	if len(c.Name) == 0 {
		return all, nil
	}
	some := []admin.Smartcard{}
	for _, name := range c.Name {
		found := false
		for _, s := range all {
			if s.Name == strings.TrimPrefix(name, "card:") {
				some, found = append(some, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("the gateway has no smart card named %q; a new one is there after siegel reload", clean(name))
		}
	}
	return some, nil
}

// printSmartcards writes cards for people.
func printSmartcards(w io.Writer, all []admin.Smartcard, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "The gateway's configuration has no smart cards. siegel smartcard bind writes one into it.")
		return err
	}
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(&b)
		}
		fmt.Fprintf(&b, "card:%s  %s\n", clean(s.Name), conditionSince(s, now))
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, line := range [][2]string{
			{"what", clean(s.Text)}, {"to do", s.Advice}, {"card", cardOf(s)}, {"reader", clean(s.Reader)}, {"certificate", certificateOf(s)},
			{"PIN", triesOf(s)}, {"used", usedOf(s)},
		} {
			if line[1] != "" {
				fmt.Fprintf(t, "  %s\t%s\n", line[0], line[1])
			}
		}
		t.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// conditionSince is "no-card for 2m, cannot be used".
func conditionSince(s admin.Smartcard, now time.Time) string {
	text := clean(s.Condition) + " for " + span(now.Sub(s.Since))
	if !s.Usable {
		text += ", cannot be used"
	}
	return text
}

func cardOf(s admin.Smartcard) string {
	if s.Serial == "" {
		return ""
	}
	text := s.Family + " " + s.Serial
	if s.Label != "" {
		text += " (" + s.Label + ")"
	}
	return clean(text)
}

func certificateOf(s admin.Smartcard) string {
	if s.NotAfter == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s, until %s", clean(s.Subject), clean(s.Key), s.NotAfter.Format(time.DateOnly))
}

func triesOf(s admin.Smartcard) string {
	if s.PINTries == nil {
		return ""
	}
	return fmt.Sprintf("tries left when the card was looked at: %d", *s.PINTries)
}

func usedOf(s admin.Smartcard) string {
	text := count(int(s.Signatures), "signature") + " since the start"
	if s.Waiting > 0 {
		text += "; waiting: " + fmt.Sprint(s.Waiting)
	}
	return text
}
