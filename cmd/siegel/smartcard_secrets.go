package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// pinFlags say where the PIN of a command comes from. It is never an argument, which other users of the machine could read.
type pinFlags struct {
	PINFile string `name:"pin-file" placeholder:"FILE" help:"File whose first line is the PIN; - is standard input."`
	PINEnv  string `name:"pin-env" placeholder:"NAME" help:"Environment variable that holds the PIN."`
}

// value is the PIN that the flags name; empty where they name none.
func (f pinFlags) value() (secret.String, error) {
	switch {
	case f.PINFile != "" && f.PINEnv != "":
		return secret.String{}, usageError("the PIN is named twice; give --pin-file or --pin-env")
	case f.PINEnv != "":
		v := secret.New(os.Getenv(f.PINEnv))
		if v.IsZero() {
			return v, fmt.Errorf("--pin-env: the environment holds no variable %s", clean(f.PINEnv))
		}
		return v, nil
	case f.PINFile == "":
		return secret.String{}, nil
	}
	v, err := passwordFrom(f.PINFile, "PIN: ")
	if err != nil {
		return v, fmt.Errorf("--pin-file: %w", err)
	}
	if v.IsZero() {
		return v, fmt.Errorf("--pin-file: the first line of %s is empty; the PIN belongs there", clean(f.PINFile))
	}
	return v, nil
}

// cardSecrets are the PINs of a command, and what is remembered of them.
type cardSecrets struct {
	file   string
	config *configs.Config // nil: there is none
	given  secret.String   // by flags
	in     secretInput
	pins   cardPINs

	mu       sync.Mutex
	prepared map[pinOf]secret.String
}

// pinOf names a PIN of a card.
type pinOf struct {
	card, application string // smartcard.Identity.String; PIN.Application
	ref               byte
}

func of(card string, p smartcard.PIN) pinOf { return pinOf{card, p.Application, p.Ref} }

// openSecrets reads the PIN of the flags and the configuration: the file that is named; else the usual one where it can be read, unless need
// says that it must.
func (f pinFlags) openSecrets(file string, need bool, warn io.Writer) (*cardSecrets, error) {
	given, err := f.value()
	if err != nil {
		return nil, err
	}
	s := &cardSecrets{file: file, given: given, prepared: map[pinOf]secret.String{}}
	need = need || file != ""
	if file == "" {
		s.file = configs.DefaultFile
	}
	if err = s.load(); err == nil || need {
		return s, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(warn, "Without the configuration, and without what it remembers of PINs: %v\n", err)
	}
	s.config, s.pins = nil, cardPINs{}
	return s, nil
}

// load reads the configuration with the secrets that lie in vaults, and opens the memory of PINs.
func (s *cardSecrets) load() error {
	if _, err := os.Stat(s.file); err != nil {
		return fmt.Errorf("the configuration %s cannot be read: %w; name it by --config", clean(s.file), err)
	}
	c, problems := configs.Load(s.file, configs.Options{})
	if err := problems.Err(); err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	for _, v := range c.VaultSecrets() {
		if v.Key == "at_rest.key" || strings.HasPrefix(v.Key, "smartcards[") {
			if err := vaultSecrets(c, v.Key); err != nil {
				return err
			}
			break // all were read
		}
	}
	memory, key, err := gatewayMemory(c)
	switch {
	case err == nil:
		s.pins = cardPINs{memory: memory, key: key}
	case !errors.Is(err, errNoState): // nothing is remembered where no gateway has run
		return err
	}
	s.config = c
	return nil
}

// cards are the PINs as the readers take them. Who uses a key prepares its PIN before.
func (s *cardSecrets) cards() cardPINs {
	p := s.pins
	p.source = func(_ context.Context, id smartcard.Identity, pin smartcard.PIN) (secret.String, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.prepared[of(id.String(), pin)], nil
	}
	return p
}

// prepare finds the PIN of a key, and asks for it where nobody has named it; fresh says that it will be presented. Where the card would not
// have it anyway, nobody is asked.
func (s *cardSecrets) prepare(t target) (fresh bool, err error) {
	p := t.certificate.Info.PIN
	if p == nil {
		return false, nil
	}
	state := t.described.PIN(t.certificate.PIN)
	if state.State == survey.PINPresented && !t.certificate.PerUse {
		return false, nil
	}
	if state.State != survey.PINReady && state.State != survey.PINPresented {
		return true, nil
	}
	one := of(smartcard.Identity{Family: t.described.Family, Serial: t.described.Serial}.String(), *p)
	s.mu.Lock()
	_, known := s.prepared[one]
	s.mu.Unlock()
	if known {
		return true, nil
	}
	value, err := s.find(t, *p, state)
	if err != nil {
		return true, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepared[one] = value
	return true, nil
}

// find takes the PIN of the flags, then that of the configuration, and then asks for it.
func (s *cardSecrets) find(t target, p smartcard.PIN, state survey.PIN) (secret.String, error) {
	if !s.given.IsZero() {
		return s.given, nil
	}
	if s.config != nil {
		if v := configuredPIN(s.config.Smartcards, t, p); !v.IsZero() {
			return v, nil
		}
	}
	if !terminal() {
		return secret.String{}, fmt.Errorf("no PIN is there for card %s: name one by --pin-file or --pin-env, put it into the configuration, or run this at a terminal, where it is asked for", cardName(t.described))
	}
	return s.in.read(fmt.Sprintf("%s of card %s (%s): ", p, cardName(t.described), state.Words))
}

// configuredPIN is the PIN that the entries for a card have: that of its number, else the one that names none.
func configuredPIN(entries []configs.Smartcard, t target, p smartcard.PIN) (found secret.String) {
	for _, e := range entries {
		if e.PIN.IsZero() || t.name != "" && e.Name != t.name && e.Serial == "" || !admits(e, t) {
			continue
		}
		switch ref, ok := e.Reference(); {
		case ok && ref == p.Ref:
			return e.PIN
		case !ok && found.IsZero():
			found = e.PIN
		}
	}
	return found
}

// admits tells whether an entry is for the card of a target.
func admits(e configs.Smartcard, t target) bool {
	if p := e.PKCS11; p.Given() || t.described.Family == "pkcs11" {
		return t.described.Family == "pkcs11" && p.Given() && (p.Token == "" || p.Token == t.described.Label) && (p.Serial == "" || strings.EqualFold(p.Serial, t.described.Serial))
	}
	s := e.Selection()
	return s.Admits(t.reader) && (s.Serial == "" || strings.EqualFold(s.Serial, t.described.Serial))
}

// names are those of the entries, for errors.
func (s *cardSecrets) names() string {
	var all []string
	for _, e := range s.config.Smartcards {
		all = append(all, e.Name)
	}
	if len(all) == 0 {
		return "none; siegel smartcard bind writes one"
	}
	return strings.Join(all, ", ")
}

// onePIN holds that a PIN which was named for the command is presented to one card only: others would count it as wrong.
func (s *cardSecrets) onePIN(all []target) error {
	if s.given.IsZero() {
		return nil
	}
	pins := map[pinOf]bool{}
	for _, t := range all {
		if t.described != nil && t.certificate.Info.PIN != nil {
			pins[of(cardName(t.described), *t.certificate.Info.PIN)] = true
		}
	}
	if len(pins) > 1 {
		return usageError("the PIN that is named would be presented to several cards, or as several PINs of a card, and each that it is not of would count it as wrong; name one card by --serial or --reader, or one key by --cert")
	}
	return nil
}
