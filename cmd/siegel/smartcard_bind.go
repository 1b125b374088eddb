package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// smartcardBindCmd writes the configuration of a key on a card.
type smartcardBindCmd struct {
	Name string `arg:"" help:"The name of the key: card:NAME in the configuration."`
	cardFlags
	tokenFlags
	Cert           string `placeholder:"SHA-256" help:"The certificate of the key. Without it: the one that is for client authentication, where the card has one such."`
	PINFile        string `name:"pin-file" type:"path" placeholder:"FILE" help:"The file with the PIN that the configuration shall name; without it NAME.pin beside the configuration. With --write it is made, and the PIN asked for, where it is not there."`
	NonRepudiation bool   `help:"Bind a key that binds its holder by what it signs."`
	Write          string `short:"w" type:"path" placeholder:"FILE" help:"Write it into this configuration, which keeps its comments; an entry of that name is changed. Without it the lines are printed."`
}

// Run prints the block or writes it.
func (c *smartcardBindCmd) Run(k *kong.Kong, t smartcard.Transport) error {
	d, err := c.openDesk(t, c.cardFlags, cardPINs{})
	if err != nil {
		return err
	}
	defer d.close()
	ctx, stop := interrupted()
	defer stop()
	one, others, err := c.choose(ctx, d)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.Stderr, "%s, card %s, reader %s:\n  %s, for %s, %s\n", one.certificate.Key, cardName(one.reader.Card), one.reader, clean(one.certificate.Subject), usages(one.certificate), one.certificate.Expiry)
	for _, o := range others {
		also := ""
		if o.Binding {
			also = " --non-repudiation (it binds its holder by what it signs)"
		}
		fmt.Fprintf(k.Stderr, "  not chosen: %s, %s; choose it by --cert %s%s\n", o.Key, clean(o.Subject), o.Fingerprint, also)
	}
	b := binding{name: c.Name, pairs: c.pairs(one), pinFile: c.pinFile(), needsPIN: one.certificate.PIN != "", givenPIN: c.PINFile != "", pin: one.certificate}
	if c.Write == "" {
		return b.print(k)
	}
	return b.write(k, c.Write)
}

// choose finds the certificate to bind, and those of the same card that would do as well.
func (c *smartcardBindCmd) choose(ctx context.Context, d *cardDesk) (chosen, []survey.Certificate, error) {
	readers, err := d.look(ctx)
	if err != nil {
		return chosen{}, nil, printable(err)
	}
	if c.Cert != "" {
		one, err := withFingerprint(readers, c.Cert)
		if err == nil && one.certificate.Binding && !c.NonRepudiation {
			err = fmt.Errorf("%s, %s, binds its holder by what it signs (non-repudiation). Choose another certificate; or say --non-repudiation, if that is meant", one.certificate.Key, clean(one.certificate.Subject))
		}
		return one, nil, err
	}
	var cards []survey.Reader
	for _, r := range readers {
		if r.Card != nil && len(r.Card.Certificates) > 0 {
			cards = append(cards, r)
		}
	}
	switch {
	case len(cards) == 0:
		return chosen{}, nil, errNoCard(readers)
	case len(cards) > 1:
		return chosen{}, nil, errors.New("there are several cards; say which one by --serial or --reader, or name a certificate by --cert:\n" + inventory(cards))
	}
	ranked := survey.Rank(cards[0].Card.Certificates, time.Now())
	if !survey.Suits(ranked[0], time.Now()) {
		return chosen{}, nil, errors.New("no certificate of this card is one to sign with that is valid and does not bind its holder; name one by --cert, if it is meant:\n" + inventory(cards))
	}
	return chosen{cards[0], ranked[0]}, suitable(ranked[1:]), nil
}

// suitable are those that could be bound as well.
func suitable(all []survey.Certificate) []survey.Certificate {
	var some []survey.Certificate
	for _, c := range all {
		if c.Signs || c.Decrypts {
			some = append(some, c)
		}
	}
	return some
}

// pairs are the keys of the entry, without that of the PIN.
func (c *smartcardBindCmd) pairs(one chosen) []configs.Pair {
	cert := one.certificate
	all := []configs.Pair{{Key: "serial", Value: configs.Quoted(one.reader.Card.Serial)}}
	if c.Module != "" {
		all[0] = configs.Pair{Key: "pkcs11", Value: fmt.Sprintf("{module: %s, token: %s, serial: %s}", configs.Quoted(c.Module), configs.Quoted(one.reader.Card.Label), configs.Quoted(one.reader.Card.Serial))}
	}
	if c.Reader != "" {
		all = append(all, configs.Pair{Key: "reader", Value: configs.Quoted(c.Reader)})
	}
	comment := strings.ReplaceAll(fmt.Sprintf(" # %s, until %s", clean(cert.Subject), cert.NotAfter.Format(time.DateOnly)), "\n", " ")
	all = append(all, configs.Pair{Key: "certificate", Value: configs.Quoted(cert.Fingerprint) + comment})
	if cert.Binding {
		all = append(all, configs.Pair{Key: "non_repudiation", Value: "true"})
	}
	return all
}

func (c *smartcardBindCmd) pinFile() string {
	if c.PINFile != "" {
		return c.PINFile
	}
	beside := c.Write
	if beside == "" {
		beside = configs.DefaultFile
	}
	return filepath.Join(filepath.Dir(beside), c.Name+".pin")
}

// binding is an entry of the configuration in the making.
type binding struct {
	name               string
	pairs              []configs.Pair
	pinFile            string
	needsPIN, givenPIN bool
	pin                survey.Certificate // whose PIN it is
}

func (b *binding) pinPair() configs.Pair {
	path := configs.Quoted(b.pinFile)
	if plain := strings.Trim(path, `"`); plain == b.pinFile && !strings.ContainsAny(plain, " ,:{}[]#&*!|>'%@`") {
		path = plain
	}
	return configs.Pair{Key: "pin", Value: "{file: " + path + "}"}
}

// print writes the lines, once the gateway's own check has found nothing wrong with them.
func (b *binding) print(k *kong.Kong) error {
	if b.needsPIN {
		b.pairs = append(b.pairs, b.pinPair())
	}
	problems := b.judge(configs.DefaultFile, []byte(configs.EntryText("smartcards", b.name, b.pairs)))
	if len(problems) > 0 {
		return problemsError("these lines would not pass siegel config check", problems)
	}
	if b.needsPIN {
		fmt.Fprintf(k.Stderr, "Write the PIN, and nothing else, into %s, which the gateway's user alone may read. Then add this to the configuration:\n\n", clean(b.pinFile))
	} else {
		fmt.Fprint(k.Stderr, "The key asks for no PIN. Add this to the configuration:\n\n")
	}
	_, err := io.WriteString(k.Stdout, configs.EntryText("smartcards", b.name, b.pairs))
	return err
}

// judge is what the configuration's check says of this entry. That the PIN is not in its file yet is none of its faults.
func (b *binding) judge(file string, text []byte) configs.Problems {
	_, problems := configs.Parse(file, text, configs.Options{})
	var of configs.Problems
	prefix := "smartcards[" + b.name + "]"
	for _, p := range problems {
		if p.Severity == configs.Error && (p.Key == "smartcards" || strings.HasPrefix(p.Key, prefix) && p.Key != prefix+".pin") {
			of = append(of, p)
		}
	}
	return of
}

// problemsError is an error of problems, a line each.
func problemsError(what string, problems configs.Problems) error {
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return errors.New(what + ":\n" + strings.Join(lines, "\n"))
}

// write puts the entry into a configuration that is whole afterwards, or leaves it as it is.
func (b *binding) write(k *kong.Kong, file string) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("the configuration cannot be read: %w", err)
	}
	was, _ := configs.Parse(file, text, configs.Options{})
	asks := b.needsPIN && (b.givenPIN || !b.pinStands(was, text))
	if asks {
		b.pairs = append(b.pairs, b.pinPair())
	}
	changed, err := configs.SetEntry(text, "smartcards", b.name, b.pairs)
	if err != nil {
		return fmt.Errorf("%s: %w\n\n%s", clean(file), err, configs.EntryText("smartcards", b.name, b.pairs))
	}
	if problems := b.judge(file, changed); len(problems) > 0 {
		return problemsError(clean(file)+" was not changed, since with the new lines it would not pass siegel config check", problems)
	}
	if asks {
		if err := b.makePINFile(k, file); err != nil {
			return err
		}
	}
	if _, problems := configs.Parse(file, changed, configs.Options{}); problems.Err() != nil {
		return problemsError(clean(file)+" was not changed, since with the new lines it would not pass siegel config check", problems.Errors())
	}
	if string(changed) == string(text) {
		_, err := fmt.Fprintf(k.Stdout, "%s holds this already.\n", clean(file))
		return err
	}
	if err := replaceFile(file, text, changed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: smartcards[%s] is written, and the file passes siegel config check.\n"+
		"Try it: siegel smartcard probe %s --config %s\nThe gateway takes it at its next reload: siegel reload\n", clean(file), b.name, b.name, clean(file))
	return err
}

// pinStands tells whether the configuration has a PIN for this key: in its entry, or in another one of the same card, which it is then shared with.
func (b *binding) pinStands(was *configs.Config, text []byte) bool {
	if was == nil {
		return configs.EntryHas(text, "smartcards", b.name, "pin")
	}
	serial := ""
	for _, p := range b.pairs {
		if p.Key == "serial" {
			serial = strings.Trim(p.Value, `"`)
		}
	}
	for _, s := range was.Smartcards {
		if !s.PIN.IsZero() && (s.Name == b.name || serial != "" && strings.EqualFold(s.Serial, serial)) {
			return true
		}
	}
	return false
}

// makePINFile asks for the PIN and writes it, where its file is not there. Owner, group and mode are those of the configuration, so that who
// reads that can read it: the gateway.
func (b *binding) makePINFile(k *kong.Kong, config string) error {
	if _, err := os.Stat(b.pinFile); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !terminal() {
		return fmt.Errorf("the file %s is not there: write the PIN into it, and nothing else, so that the gateway's user can read it; or run this at a terminal, where the PIN is asked for", clean(b.pinFile))
	}
	var in secretInput
	pin, err := in.readTwice("PIN of the key, to be written to "+clean(b.pinFile)+": ", "Again: ")
	if err != nil {
		return err
	}
	if p := b.pin.Info.PIN; p != nil && (len(pin.Reveal()) < p.Min || len(pin.Reveal()) > p.Max) {
		return fmt.Errorf("%s has %d to %d characters; nothing was written", p.Name, p.Min, p.Max)
	}
	if err := createLike(b.pinFile, config, []byte(pin.Reveal()+"\n")); err != nil {
		return err
	}
	_, err = fmt.Fprintf(k.Stdout, "%s: the PIN is written.\n", clean(b.pinFile))
	return err
}
