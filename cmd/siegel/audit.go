package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// auditCmd reads the log of administrative acts, whether or not a gateway runs.
type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List the newest acts, oldest first."`
	Verify auditVerifyCmd `cmd:"" help:"Say whether every act is there, in its place and as it was written."`
	Export auditExportCmd `cmd:"" help:"Write all acts as lines of JSON, for an archive."`
}

// stateFlags say whose files a command reads.
type stateFlags struct {
	Config string `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration of the gateway: it names the state folder and the at-rest key."`
}

// open reads where the state is and under which key.
func (f stateFlags) open() (state string, key atrest.Key, err error) {
	c, problems := configs.Load(f.Config, configs.Options{})
	if err := problems.Err(); err != nil {
		return "", atrest.Key{}, fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	if err := vaultSecrets(c, "at_rest.key"); err != nil {
		return "", atrest.Key{}, err
	}
	if key, err = atrest.ParseKey(c.AtRest.Key.Reveal()); err != nil {
		return "", atrest.Key{}, fmt.Errorf("at_rest.key: %w", err)
	}
	return c.State.String(), key, nil
}

// auditFlags are common to all that read the log.
type auditFlags struct {
	stateFlags
	First  uint64 `placeholder:"N" help:"The number of the entry that the log begins with, where you have moved earlier files away."`
	Anchor string `placeholder:"N:MAC" help:"An entry that the log must hold, as you kept it elsewhere: number and MAC from the gateway's log or an earlier verify."`
}

// read gives each genuine entry to f and writes what is wrong with the log.
func (c auditFlags) read(k *kong.Kong, f func(audit.Entry) error) (audit.Result, error) {
	want := audit.Expect{First: c.First}
	if c.Anchor != "" {
		number, mac, ok := strings.Cut(c.Anchor, ":")
		seq, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil || len(mac) != 64 {
			return audit.Result{}, errors.New("--anchor takes the number and the MAC of an entry, as in 12:5f1e…")
		}
		want.Anchor = audit.Anchor{Seq: seq, MAC: strings.ToLower(mac)}
	}
	state, key, err := c.open()
	if err != nil {
		return audit.Result{}, err
	}
	r, err := audit.Read(filepath.Join(state, "audit"), key, want, f)
	if err != nil {
		return r, err
	}
	for _, p := range r.Problems {
		fmt.Fprintln(k.Stderr, safetext.Line(p.String(), 1024))
	}
	if hidden := r.Faults - len(r.Problems); hidden > 0 {
		fmt.Fprintf(k.Stderr, "and %s more\n", count(hidden, "fault"))
	}
	if c.First == 0 && r.First > 1 {
		fmt.Fprintf(k.Stderr, "Where you have moved the files before entry %d away yourself, say so: --first %d\n", r.First, r.First)
	}
	if r.Faults > 0 {
		return r, errSaid
	}
	return r, nil
}

// auditVerifyCmd proves the log.
type auditVerifyCmd struct {
	auditFlags
	JSON bool `name:"json" help:"Print JSON."`
}

// Run says what was found; it fails where the log is not whole.
func (c *auditVerifyCmd) Run(k *kong.Kong) error {
	r, err := c.read(k, nil)
	if err != nil && !errors.Is(err, errSaid) {
		return err
	}
	if c.JSON {
		return errors.Join(printJSON(k.Stdout, r), err)
	}
	switch {
	case err != nil:
		fmt.Fprintf(k.Stdout, "The log is not whole: %s. %s after the first one.\n", count(r.Faults, "fault"), sound(r.After))
	case r.Entries == 0:
		fmt.Fprintln(k.Stdout, "There is no log yet.")
	default:
		fmt.Fprintf(k.Stdout, "The log is whole: %s, from %d to %d, in %s.\n", entries(r.Entries), r.First, r.Last, count(r.Files, "file"))
		fmt.Fprintf(k.Stdout, "Its end is %d:%s; keep that elsewhere and give it to --anchor later.\n", r.Last, r.MAC)
		if r.Torn > 0 {
			fmt.Fprintf(k.Stdout, "After it are %d bytes of an entry that a crash cut off before it was confirmed; the gateway removes them at its next start.\n", r.Torn)
		}
	}
	return err
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func sound(n int) string {
	if n == 1 {
		return "1 entry is genuine"
	}
	return entries(n) + " are genuine"
}

// auditExportCmd writes the log out.
type auditExportCmd struct{ auditFlags }

// Run writes one line for each genuine entry; it fails where the log is not whole, after it has written all.
func (c *auditExportCmd) Run(k *kong.Kong) error {
	out := json.NewEncoder(k.Stdout)
	_, err := c.read(k, func(e audit.Entry) error { return out.Encode(e) })
	return err
}

// auditListCmd lists acts.
type auditListCmd struct {
	auditFlags
	What  string        `placeholder:"ACT" help:"Only acts of this kind, as in reload."`
	Who   string        `placeholder:"TEXT" help:"Only acts of users whose name contains TEXT."`
	ID    string        `name:"id" placeholder:"ID" help:"Only acts on this message."`
	Since time.Duration `placeholder:"TIME" help:"Only acts of so long ago at most, as in 48h."`
	Limit int           `default:"100" help:"Acts to show at most; 0: all."`
	JSON  bool          `name:"json" help:"Print JSON."`
}

// Run prints the acts, and fails where the log is not whole.
func (c *auditListCmd) Run(k *kong.Kong) error {
	since := time.Time{}
	if c.Since > 0 {
		since = time.Now().Add(-c.Since)
	}
	found, more := []audit.Entry{}, 0
	_, err := c.read(k, func(e audit.Entry) error {
		if !c.selects(e) || e.Time.Before(since) {
			return nil
		}
		found = append(found, e)
		if c.Limit > 0 && len(found) > c.Limit {
			found, more = found[1:], more+1
		}
		return nil
	})
	if err != nil && !errors.Is(err, errSaid) {
		return err
	}
	if c.JSON {
		return errors.Join(printJSON(k.Stdout, found), err)
	}
	return errors.Join(printActs(k.Stdout, found, more), err)
}

func (c *auditListCmd) selects(e audit.Entry) bool {
	on := c.ID == ""
	for _, s := range e.Subject {
		on = on || s == c.ID
	}
	return on && (c.What == "" || c.What == e.What) && strings.Contains(e.Who, c.Who)
}

// printActs writes a table of acts.
func printActs(w io.Writer, acts []audit.Entry, more int) error {
	if len(acts) == 0 {
		_, err := fmt.Fprintln(w, "The log holds no such act.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ENTRY\tTIME\tWHO\tACT\tON\tDETAIL")
	for _, e := range acts {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Seq, e.Time.Local().Format("2006-01-02 15:04:05"), safetext.Line(e.Who, 64),
			safetext.Line(e.What, 32), safetext.Line(subjects(e.Subject), 256), safetext.Line(e.Detail, 256))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s before these (--limit)\n", count(more, "act"))
	return err
}

// subjects are the first few of a list, and how many more.
func subjects(list []string) string {
	const shown = 5
	if len(list) <= shown {
		return strings.Join(list, " ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], " "), len(list)-shown)
}
