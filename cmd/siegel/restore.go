package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/certadmin"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// restoreCmd puts a gateway back from the file that backup wrote.
type restoreCmd struct {
	File           string `arg:"" type:"path" help:"The file that siegel backup wrote."`
	PassphraseFile string `type:"path" placeholder:"FILE" help:"File whose first line is the passphrase; - or none: asked for at the terminal."`
	IdentityFile   string `type:"path" placeholder:"FILE" help:"File with the private key of age that the backup was encrypted to."`
	ConfigDir      string `type:"path" placeholder:"DIR" help:"Put the configuration into this folder, not to where it was."`
	State          string `type:"path" placeholder:"DIR" help:"Put queue and stores into this folder, not to where they were."`
	Replace        bool   `help:"Move what is there aside, under names that end with .before-restore and the time. Without it, the command refuses where there is something."`
	KeyID          string `name:"key-id" placeholder:"ID" help:"Refuse a file that was not made by who knows the at-rest key of this id, which backup printed."`
	Check          bool   `help:"Check every part of the file, and put nothing anywhere."`
	JSON           bool   `name:"json" help:"Print JSON."`
}

// restored is what --json prints.
type restored struct {
	snapshot.Summary
	Checked bool     `json:"checked"`
	Config  string   `json:"config_file,omitempty"`
	Aside   []string `json:"moved_aside,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// Run reads and checks all of the file before it puts anything into its place.
func (c *restoreCmd) Run(k *kong.Kong) (err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", safetext.Line(c.File, 256), errors.Unwrap(err))
	}
	defer f.Close()
	identities, err := c.identities()
	if err != nil {
		return err
	}
	dir, err := c.staging()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // keys rest in the folder: it does not stay
	defer stop()
	archive, err := snapshot.Open(ctx, f, dir, identities...)
	if err != nil {
		return c.explain(err)
	}
	if c.KeyID != "" && !strings.EqualFold(c.KeyID, archive.KeyID) {
		return fmt.Errorf("%s holds the at-rest key %s and not %s: it is the backup of another gateway, or was made by somebody else; nothing was changed", safetext.Line(c.File, 256), archive.KeyID, safetext.Line(c.KeyID, 64))
	}
	out := restored{Summary: archive.Summary, Checked: true}
	if !c.Check {
		if err := c.place(archive, &out); err != nil {
			return printable(err)
		}
	}
	out.Key = ""
	if c.JSON {
		return printJSON(k.Stdout, out)
	}
	return c.print(k, out)
}

// identities are what opens the file.
func (c *restoreCmd) identities() ([]age.Identity, error) {
	if c.IdentityFile != "" && c.PassphraseFile != "" {
		return nil, usageError("give a passphrase or a private key, not both")
	}
	if c.IdentityFile != "" {
		f, err := os.Open(c.IdentityFile)
		if err != nil {
			return nil, fmt.Errorf("the private key cannot be read: %w", err)
		}
		defer f.Close()
		ids, err := age.ParseIdentities(f)
		if err != nil {
			return nil, fmt.Errorf("%s holds no private key of age (AGE-SECRET-KEY-1…)", safetext.Line(c.IdentityFile, 256))
		}
		return ids, nil
	}
	file := c.PassphraseFile
	if file == "" {
		file = "-"
	}
	p, err := passwordFrom(file, "Passphrase: ")
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(p.Reveal())
	if err != nil {
		return nil, errors.New("the passphrase is empty")
	}
	return []age.Identity{id}, nil
}

// staging makes the folder in which the file is unpacked: near the place, since keys rest there meanwhile. Who owns the folder above could
// put another one in its place, and so lead root anywhere.
func (c *restoreCmd) staging() (string, error) {
	above := filepath.Dir(c.File)
	if c.State != "" {
		above = filepath.Dir(c.State)
		if err := os.MkdirAll(above, 0o755); err != nil {
			return "", err
		}
	}
	if os.Geteuid() == 0 && !rootOnly(above) {
		above = "/var/tmp"
	}
	return os.MkdirTemp(above, ".siegel-restore-")
}

// rootOnly reports whether nobody but root can rename what root has in a folder.
func rootOnly(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && (info.Mode().Perm()&0o022 == 0 || info.Mode()&os.ModeSticky != 0)
}

// explain says what to do about a file that cannot be opened.
func (c *restoreCmd) explain(err error) error {
	var none *age.NoIdentityMatchError
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; nothing was changed")
	case errors.As(err, &none) && c.IdentityFile != "":
		return fmt.Errorf("%s was not encrypted to this key: use the one of the public key that was given to siegel backup, or --passphrase-file", safetext.Line(c.File, 256))
	case errors.As(err, &none):
		return fmt.Errorf("the passphrase does not open %s; where it was encrypted to a public key, give --identity-file", safetext.Line(c.File, 256))
	case errors.Is(err, sqlqueue.ErrWrongKey):
		return errors.New("the queue in the file was written under another at-rest key than the one beside it; the backup is of no use: look for another one")
	}
	return printable(fmt.Errorf("%s: %w; nothing was changed", c.File, err))
}

// place puts all into its place, and writes that into the audit log.
func (c *restoreCmd) place(archive *snapshot.Opened, out *restored) (err error) {
	state := c.State
	if state == "" {
		state = archive.State
	}
	out.Config, out.Aside, err = archive.Place(snapshot.Places{Config: c.ConfigDir, State: c.State, Replace: c.Replace, Now: time.Now()})
	if err != nil {
		return err
	}
	key, err := atrest.ParseKey(archive.Key)
	if err != nil {
		return err
	}
	if err := appendAct(state, key, certadmin.Act{What: "restore", File: c.File}); err != nil {
		out.Notes = append(out.Notes, "that this was restored is not in the audit log: "+err.Error())
	}
	if name, ok := strings.CutPrefix(archive.KeyFrom, "environment "); ok {
		path, err := archive.KeepKey(filepath.Dir(out.Config), state)
		if err != nil {
			return err
		}
		out.Notes = append(out.Notes, "the at-rest key came from the environment variable "+name+"; it is in "+path+" now: set the variable to it, or name the file in at_rest.key")
	}
	config, problems := configs.Load(out.Config, configs.Options{})
	for _, p := range problems {
		out.Notes = append(out.Notes, p.String())
	}
	if config != nil && config.State.String() != state {
		out.Notes = append(out.Notes, "the configuration names "+config.State.String()+" as the state folder; set state to "+state)
	}
	return nil
}

func (c *restoreCmd) print(k *kong.Kong, out restored) error {
	fmt.Fprintf(k.Stdout, "%s: Siegel %s on %s, %s: %d files, %s, key id %s; every part is sound.\n", safetext.Line(c.File, 256), safetext.Line(out.Version, 32),
		safetext.Line(out.Hostname, 255), out.Created.Local().Format("2006-01-02 15:04:05"), out.Files, size(out.Bytes), out.KeyID)
	if c.Check {
		_, err := fmt.Fprintln(k.Stdout, "Nothing was put anywhere (--check).")
		return err
	}
	for _, path := range out.Aside {
		fmt.Fprintf(k.Stdout, "moved aside: %s\n", safetext.Line(path, 512))
	}
	for _, note := range out.Notes {
		fmt.Fprintf(k.Stdout, "note: %s\n", safetext.Line(note, 1024))
	}
	_, err := fmt.Fprintf(k.Stdout, "Restored. Start it: siegel serve -c %s\nWhat had left after the backup leaves again; siegel queue list shows what waits.\n", safetext.Line(out.Config, 512))
	return err
}
