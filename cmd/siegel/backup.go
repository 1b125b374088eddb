package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
)

// backupCmd writes everything into one encrypted file.
type backupCmd struct {
	Config         string   `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration of the gateway."`
	File           string   `arg:"" type:"path" help:"The file to write. It must not be there yet."`
	PassphraseFile string   `type:"path" placeholder:"FILE" help:"File whose first line is the passphrase; - or none: asked for at the terminal."`
	Recipient      []string `sep:"none" placeholder:"AGE1" help:"Encrypt to this public key of age (age1…) instead of a passphrase; age-keygen makes one. May be given several times."`
	JSON           bool     `name:"json" help:"Print JSON."`
}

// minPassphrase is the length of a passphrase that everything may rest under.
const minPassphrase = 12

// Run writes the file, beside a running gateway or without one.
func (c *backupCmd) Run(k *kong.Kong) (err error) {
	config, err := loadConfig(c.Config, func(string) {})
	if err != nil {
		return err
	}
	key, err := atrest.ParseKey(config.AtRest.Key.Reveal())
	if err != nil {
		return fmt.Errorf("at_rest.key: %w", err)
	}
	to, err := c.recipients()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.File); err == nil {
		return fmt.Errorf("%s is there already; name another file, or move it away", safetext.Line(c.File, 256))
	}
	if err := noteAct(config, key, certadmin.Act{What: "backup", File: c.File}); err != nil {
		fmt.Fprintf(k.Stderr, "siegel: this backup is not in the audit log: %v\n", printable(err))
	}
	o := snapshot.Options{
		About: snapshot.About{Version: version, Hostname: config.Hostname, Created: time.Now().UTC(), Config: c.Config, State: config.State.String(),
			Key: key.Text(), KeyFrom: keyFrom(config)},
		Files: config.Files(), Key: key, Recipients: to,
	}
	sum, err := writeWhole(c.File, func(w io.Writer) (snapshot.Summary, error) { return snapshot.Write(context.Background(), w, o) })
	if err != nil {
		return printable(err)
	}
	sum.Key = ""
	if c.JSON {
		return printJSON(k.Stdout, sum)
	}
	for _, note := range sum.Notes {
		fmt.Fprintf(k.Stdout, "note: %s\n", safetext.Line(note, 512))
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: %d files, %s, key id %s. Try it: siegel restore --check %s\n", safetext.Line(c.File, 256), sum.Files, size(sum.Bytes), sum.KeyID, safetext.Line(c.File, 256))
	return err
}

// keyFrom says where the at-rest key is configured.
func keyFrom(c *configs.Config) string {
	origin, _ := c.Origin("at_rest.key")
	if origin.Env != "" {
		return "environment " + origin.Env
	}
	return origin.Secret
}

func (c *backupCmd) recipients() (to []age.Recipient, err error) {
	for _, text := range c.Recipient {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil {
			return nil, usageError(fmt.Sprintf("%s is no public key of age: it begins with age1, and age-keygen writes it", safetext.Line(text, 80)))
		}
		to = append(to, parsed...)
	}
	if len(to) > 0 && c.PassphraseFile != "" {
		return nil, usageError("give a passphrase or public keys, not both")
	}
	if len(to) > 0 {
		return to, nil
	}
	passphrase, err := newPassphrase(c.PassphraseFile)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	return []age.Recipient{r}, nil
}

// newPassphrase reads a passphrase; at the terminal it is asked for twice.
func newPassphrase(file string) (secret.String, error) {
	if file == "" {
		file = "-"
	}
	p, err := passwordFrom(file, "Passphrase: ")
	if err == nil && file == "-" && terminal() {
		var again secret.String
		if again, err = passwordFrom(file, "Again: "); err == nil && again.Reveal() != p.Reveal() {
			err = errors.New("the two passphrases differ; try again")
		}
	}
	if err == nil && len(p.Reveal()) < minPassphrase {
		err = fmt.Errorf("a passphrase has at least %d characters: all keys of the gateway rest under it", minPassphrase)
	}
	return p, err
}

// writeWhole writes a file under another name, syncs it, and gives it its name where all of it is there.
func writeWhole[T any](path string, write func(io.Writer) (T, error)) (sum T, err error) {
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return sum, fmt.Errorf("%s is there: another run writes it, or was cut off; remove it then", partial)
	}
	if err != nil {
		return sum, err
	}
	sum, err = write(f)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return sum, errors.Join(err, os.Remove(partial))
	}
	return sum, os.Rename(partial, path)
}

// noteAct has an act written into the audit log: by the running gateway, or where none runs here.
func noteAct(c *configs.Config, key atrest.Key, act certadmin.Act) error {
	state, running := c.State.String(), false
	err := snapshot.AsOwner(state, func() (err error) {
		running, err = sqlqueue.InUse(filepath.Join(state, "queue"))
		return err
	})
	if err != nil {
		return err
	}
	if running {
		return admin.NewClient(c.Admin.Socket.String()).Certs(context.Background(), "note", act, &struct{}{})
	}
	return appendAct(state, key, act)
}

// appendAct writes an act into the audit log of a gateway that does not run, as the user that log belongs to.
func appendAct(state string, key atrest.Key, act certadmin.Act) error {
	return snapshot.AsOwner(state, func() error { return appendHere(state, key, act) })
}

func appendHere(state string, key atrest.Key, act certadmin.Act) error {
	log, err := audit.Open(audit.Options{Dir: filepath.Join(state, "audit"), Key: key})
	if err != nil {
		return err
	}
	err = log.Record(context.Background(), admin.Act{Time: time.Now(), Who: whoami(), What: act.What, Subject: []string{act.File}, Detail: act.Detail})
	return errors.Join(err, log.Close())
}

// whoami names the user of this process.
func whoami() string {
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		return fmt.Sprintf("%s (uid %s)", u.Username, u.Uid)
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
