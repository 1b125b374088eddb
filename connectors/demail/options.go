package demail

import (
	"fmt"
	"slices"
)

// Limits of what is sent.
const (
	MaxNet           = 20 << 20 // bytes of a message as its user counts them, without transfer encodings (3.1, 4.1)
	MaxGross         = 45 << 20 // bytes of a message as providers have to take it from each other
	MaxPerDay        = 100      // messages a day from an account whose user has logged in at level "normal"
	MaxPerDayReaches = 300      // recipients of all these together
)

// Options are what a sender may ask for (3.4, 3.1.2 to 3.1.6).
type Options struct {
	Dispatch      bool // a confirmation that it was sent
	Receipt       bool // a confirmation that it lies in the recipient's mailbox
	Retrieve      bool // a confirmation that the recipient has logged in since; for public bodies only
	Authoritative bool // the provider signs that the sender had logged in at level "high"
	Private       bool // the recipient has to log in at level "high"
}

// known is an option and the word by which people ask for it.
type known struct {
	name string
	of   func(*Options) *bool
}

// allOptions are in the order of 3.4, table 1.
func allOptions() []known {
	return []known{
		{"dispatch", func(o *Options) *bool { return &o.Dispatch }},
		{"receipt", func(o *Options) *bool { return &o.Receipt }},
		{"retrieve", func(o *Options) *bool { return &o.Retrieve }},
		{"authoritative", func(o *Options) *bool { return &o.Authoritative }},
		{"private", func(o *Options) *bool { return &o.Private }},
	}
}

// Names are the words for the options that are set: dispatch, receipt, retrieve, authoritative, private.
func (o Options) Names() []string {
	var names []string
	for _, k := range allOptions() {
		if *k.of(&o) {
			names = append(names, k.name)
		}
	}
	return names
}

// ParseOption reads the word for an option, in letters of any case; false where it is none.
func ParseOption(word string) (o Options, ok bool) {
	all := allOptions()
	i := slices.IndexFunc(all, func(k known) bool { return k.name == lower(word) })
	if i < 0 {
		return Options{}, false
	}
	*all[i].of(&o) = true
	return o, true
}

// Or are the options that one of both has.
func (o Options) Or(other Options) Options {
	for _, k := range allOptions() {
		*k.of(&o) = *k.of(&o) || *k.of(&other)
	}
	return o
}

// Without are the options that o has and other has not.
func (o Options) Without(other Options) Options {
	for _, k := range allOptions() {
		*k.of(&o) = *k.of(&o) && !*k.of(&other)
	}
	return o
}

// Check reports why options are not for somebody who has logged in at this level and sends from this address (3.1, 3.3). Who may ask for
// Retrieve, the provider and the law know. The error wraps ErrOptions.
func (o Options) Check(sender Address, level Level) error {
	switch {
	case o.Retrieve && !o.Private:
		return fmt.Errorf("%w: %w", ErrOptions, ErrNeedsPrivate)
	case (o.Retrieve || o.Authoritative || o.Private) && level != LevelHigh:
		return fmt.Errorf("%w: retrieve, authoritative and private are for senders that have logged in at level %q", ErrOptions, LevelHigh)
	case o.Authoritative && sender.Form() == FormPseudonym:
		return fmt.Errorf("%w: %w", ErrOptions, ErrPseudonym)
	}
	return nil
}

// Fields are the header fields by which a sender asks for the options and names its own id, if any (3.4, 3.1.2 to 3.1.6, 3.1.17). All
// other metadata are the provider's. The error is a *FieldError.
func (o Options) Fields(privateID string) ([]Field, error) {
	m := Metadata{Options: o, PrivateID: privateID, Type: TypeNormal}
	var fields []Field
	for _, c := range m.codecs() {
		switch c.name {
		case FieldDispatch, FieldReceipt, FieldRetrieve, FieldAuthoritative, FieldPrivate, FieldPrivateID:
		default:
			continue
		}
		value := c.format()
		if value == "" {
			continue
		}
		f, err := c.field(value)
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}
