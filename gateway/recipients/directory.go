package recipients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Source is a directory of the company. It may be used at once.
type Source interface {
	// Name is its name in the configuration.
	Name() string
	// Addresses returns all addresses, or an error; never a part of them.
	Addresses(ctx context.Context) ([]string, error)
	// Exists reports whether somebody has the address; an error says that this is not known.
	Exists(ctx context.Context, address string) (bool, error)
}

// DirectoryOptions are what a Directory needs. Source is required.
type DirectoryOptions struct {
	Source Source
	Local  mail.Patterns // the company's domains; other addresses are left out
	Tag    string        // see Parse
	// Path is the file that keeps the list, encrypted under Key; empty: none is kept.
	Path    string
	Key     atrest.Key
	Every   time.Duration      // between two readings of all addresses; 0: 15 minutes
	Unknown time.Duration      // for which an address that nobody has is not asked about again; 0: 5 minutes
	Log     logrus.FieldLogger // of changes and troubles; nil: none
	Now     func() time.Time   // nil: time.Now
}

// Directory is the addresses of a directory. All of them are read from time to time, and kept in a file, so that they are
// known while the directory is away, and after a restart. One that is not among them is asked about at once; where that cannot be told, it is an
// error: nobody is unknown because a directory is away, or does not show the gateway what it has. It may be used at once.
type Directory struct {
	o DirectoryOptions

	mu      sync.Mutex
	list    *List // nil: there was none yet
	since   time.Time
	answers map[string]answer
	trouble error     // of the last reading
	shrunk  time.Time // since when the directory has far fewer addresses than before
}

// answer is what the directory said of one address.
type answer struct {
	exists bool
	until  time.Time
}

const (
	maxAnswers  = 10_000 // that are remembered
	retryPause  = time.Minute
	patience    = time.Hour      // without a reading, before somebody has to look
	smallList   = 20             // addresses, below which a list may shrink as it likes
	shrinkPause = 24 * time.Hour // after which a list that lost more than half is believed
)

// ErrEmpty is the error of a directory without addresses of the company.
var ErrEmpty = errors.New("recipients: the directory has no address in the company's domains; look at its base, its filter for all, and the rights of its account")

// errBlind is the error of an address that a directory does not show, while it does not show those that it must have either.
var errBlind = errors.New("recipients: the directory has not shown the addresses of the company, so that it does not show one says nothing")

// OpenDirectory makes a Directory, with the list that was kept; one that cannot be read is as none. Run reads the directory.
func OpenDirectory(o DirectoryOptions) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Minute
	}
	if o.Unknown <= 0 {
		o.Unknown = 5 * time.Minute
	}
	if o.Log == nil {
		o.Log = silent()
	}
	o.Log = o.Log.WithField("directory", o.Source.Name())
	d := &Directory{o: o, answers: map[string]answer{}}
	if o.Path == "" {
		return d
	}
	list, since, err := d.load()
	switch {
	case err != nil:
		o.Log.WithError(err).Warn("recipients: the list that was kept cannot be read; the directory is read anew, and unknown addresses are put off until then")
	case list != nil:
		d.list, d.since = list, since
		o.Log.Infof("recipients: %d addresses of %s are in force", list.Len(), since.UTC().Format(time.RFC3339))
	}
	return d
}

// Run reads the directory from time to time until ctx ends.
func (d *Directory) Run(ctx context.Context) {
	timer := time.NewTimer(d.wait())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		d.Read(ctx)
		timer.Reset(d.wait())
	}
}

// wait is the time until the directory is to be read.
func (d *Directory) wait() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble != nil {
		return min(d.o.Every, retryPause)
	}
	return min(max(0, d.since.Add(d.o.Every).Sub(d.o.Now())), d.o.Every)
}

// Read reads the directory now. On an error what was known stays in force.
func (d *Directory) Read(ctx context.Context) error {
	all, err := d.o.Source.Addresses(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var list *List
	if err == nil {
		if list = listOf(all, d.o.Local, d.o.Tag); list.Len() == 0 {
			err = ErrEmpty
		}
	}
	now := d.o.Now()
	if err == nil {
		err = d.believable(list, now)
	}
	d.mu.Lock()
	told := d.trouble
	d.trouble = err
	changed := err == nil && (d.list == nil || !slices.Equal(list.addresses, d.list.addresses))
	if err == nil {
		d.list, d.since, d.shrunk = list, now, time.Time{}
		maps.DeleteFunc(d.answers, func(_ string, a answer) bool { return a.exists }) // the list tells
	}
	d.mu.Unlock()
	switch {
	case err != nil && (told == nil || told.Error() != err.Error()):
		d.o.Log.WithError(err).Warn("recipients: the directory cannot be read; what was known stays in force, other addresses are asked for one by one")
	case err == nil && (changed || told != nil):
		d.o.Log.Infof("recipients: the directory was read; %d addresses are in force", list.Len())
	}
	if err == nil && d.o.Path != "" {
		if err := d.save(list, now); err != nil {
			d.o.Log.WithError(err).Warn("recipients: the list cannot be kept for the next start")
		}
	}
	return err
}

// believable is the error of a list that has lost most of what there was: somebody took a right from the gateway, or moved the base.
// It is believed where it stays so for a day.
func (d *Directory) believable(list *List, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list == nil || d.list.Len() < smallList || list.Len()*2 >= d.list.Len() {
		return nil
	}
	if d.shrunk.IsZero() {
		d.shrunk = now
	}
	if now.Sub(d.shrunk) >= shrinkPause {
		return nil
	}
	return fmt.Errorf("recipients: the directory has %d addresses in place of %d; the list of before stays in force until %s. If so many are really gone, remove %s and restart; else look at base, filter and the rights of the account",
		list.Len(), d.list.Len(), d.shrunk.Add(shrinkPause).UTC().Format(time.RFC3339), d.o.Path)
}

// Known reports whether somebody has the address. The error says that this is not known at present.
func (d *Directory) Known(ctx context.Context, a mail.Address) (bool, error) {
	key := a.Key()
	d.mu.Lock()
	list := d.list
	known, remembered := d.answers[key]
	blind := d.list == nil || errors.Is(d.trouble, ErrEmpty) || !d.shrunk.IsZero()
	d.mu.Unlock()
	if list == nil {
		list = &List{tag: d.o.Tag} // which knows the postmaster
	}
	switch now := d.o.Now(); {
	case list.Has(a):
		return true, nil
	case a.IsNull():
		return false, nil
	case remembered && now.Before(known.until) && known.until.Sub(now) <= d.o.Every+d.o.Unknown:
		return known.exists, nil
	}
	for _, one := range list.readings(a) {
		exists, err := d.o.Source.Exists(ctx, one.String())
		if err != nil {
			return false, fmt.Errorf("recipients: %w", err)
		}
		if exists {
			d.remember(key, answer{true, d.o.Now().Add(d.o.Every)})
			return true, nil
		}
	}
	if blind {
		return false, errBlind
	}
	d.remember(key, answer{false, d.o.Now().Add(d.o.Unknown)})
	return false, nil
}

func (d *Directory) remember(key string, a answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.answers) >= maxAnswers {
		now := d.o.Now()
		maps.DeleteFunc(d.answers, func(_ string, a answer) bool { return !now.Before(a.until) })
	}
	if len(d.answers) >= maxAnswers {
		clear(d.answers)
	}
	d.answers[key] = a
}

// Check returns why somebody has to look, or nil.
func (d *Directory) Check() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	switch {
	case d.list == nil && d.trouble != nil:
		return fmt.Errorf("the addresses of the company were never read: %w", d.trouble)
	case d.trouble != nil && (now.Sub(d.since) > max(patience, d.o.Every*2) || !d.shrunk.IsZero()):
		return fmt.Errorf("the addresses of the company are those of %s: %w", d.since.UTC().Format(time.RFC3339), d.trouble)
	}
	return nil
}

// Len is how many addresses are in force.
func (d *Directory) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list == nil {
		return 0
	}
	return d.list.Len()
}

// Any are several that know addresses: one that any of them knows exists.
type Any []interface {
	Known(ctx context.Context, a mail.Address) (bool, error)
}

// Known asks each in turn. An error counts where no other knows the address.
func (a Any) Known(ctx context.Context, to mail.Address) (bool, error) {
	var errs []error
	for _, one := range a {
		known, err := one.Known(ctx, to)
		if known {
			return true, nil
		}
		errs = append(errs, err)
	}
	return false, errors.Join(errs...)
}
