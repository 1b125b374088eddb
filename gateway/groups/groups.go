// Package groups knows in which groups of the company's directory a sender is; it decides nothing by that.
package groups

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/singleflight"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Source is a directory of the company. It may be used at once, and its questions end in time.
type Source interface {
	// Name is its name in the configuration.
	Name() string
	// Group finds the one group of a name. id is what GroupsOf calls it; shown tells that the directory shows a member of it.
	Group(ctx context.Context, name string) (id string, shown bool, err error)
	// GroupsOf returns the groups that an address is in, also by way of others. An error says that this is not known.
	GroupsOf(ctx context.Context, address string) (ids []string, err error)
}

// Options are what a Directory needs. Source is required.
type Options struct {
	Source Source
	Names  []string           // of the groups that rules name
	Tag    string             // after which what stands before the @ is not part of an address; empty: none
	Keep   time.Duration      // how long an answer counts; 0: 5 minutes
	Log    logrus.FieldLogger // of groups that are not found; nil: none
	Now    func() time.Time   // nil: time.Now
}

// Directory tells who is in which of some groups. What it was told it remembers for a while; what it was not told it does not guess. It
// may be used at once.
type Directory struct {
	o       Options
	flights singleflight.Group

	mu      sync.Mutex
	members map[string]membership // by address
	marks   int                   // in all of them
	groups  map[string]group      // by name, in lower case
}

// membership is in which groups an address was.
type membership struct {
	in    []mark
	until time.Time
}

// mark stands for the id of a group, which may be long.
type mark [16]byte

func markOf(id string) mark {
	sum := sha256.Sum256([]byte(id))
	return mark(sum[:len(mark{})])
}

// group is what a name was found to stand for.
type group struct {
	mark  mark
	shown bool
	err   error // why it is not known
	until time.Time
}

const (
	maxMembers = 10_000           // addresses that are remembered
	maxMarks   = 500_000          // groups of all of them together
	failure    = 10 * time.Second // for which a group that was not found is not looked for again
)

// New makes a Directory; it asks nothing yet.
func New(o Options) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keep <= 0 {
		o.Keep = 5 * time.Minute
	}
	if o.Log == nil {
		log := logrus.New()
		log.SetLevel(logrus.PanicLevel)
		o.Log = log
	}
	o.Log = o.Log.WithField("directory", o.Source.Name())
	return &Directory{o: o, members: map[string]membership{}, groups: map[string]group{}}
}

// In returns those of the names whose groups an address is in. The error says that this is not known, also where the directory has none, or
// more than one, of these groups: who is in it cannot be told.
func (d *Directory) In(ctx context.Context, a mail.Address, names []string) ([]string, error) {
	if a.IsNull() || len(names) == 0 {
		return nil, nil
	}
	of, err := d.of(ctx, a)
	if err != nil {
		return nil, err
	}
	var in []string
	for _, name := range names {
		g, err := d.group(ctx, name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(of, g.mark) {
			in = append(in, name)
		}
	}
	return in, nil
}

// of are the groups that an address is in.
func (d *Directory) of(ctx context.Context, a mail.Address) ([]mark, error) {
	key := a.Key()
	if in, known := d.knownOf(key); known {
		return in, nil
	}
	answer := d.flights.DoChan("of "+key, func() (any, error) {
		if in, known := d.knownOf(key); known {
			return in, nil // since a flight that ended just before this one
		}
		return d.ask(context.WithoutCancel(ctx), key, a) // which others may wait for as well; the source bounds it
	})
	select {
	case r := <-answer:
		in, _ := r.Val.([]mark)
		return in, r.Err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// knownOf is what is remembered of an address.
func (d *Directory) knownOf(key string) (in []mark, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, known := d.members[key]
	return m.in, known && d.fresh(m.until)
}

// fresh reports whether something counts that does until then; a clock that went back makes nothing count longer.
func (d *Directory) fresh(until time.Time) bool {
	left := until.Sub(d.o.Now())
	return left > 0 && left <= d.o.Keep
}

// ask asks the directory about an address, as it is and without its tag: nobody leaves a group by writing as alice+x.
func (d *Directory) ask(ctx context.Context, key string, a mail.Address) ([]mark, error) {
	all, err := d.o.Source.GroupsOf(ctx, a.String())
	if local, _, tagged := strings.Cut(a.Local, d.o.Tag); err == nil && d.o.Tag != "" && tagged && local != "" {
		var more []string
		more, err = d.o.Source.GroupsOf(ctx, mail.Address{Local: local, Domain: a.Domain}.String())
		all = append(all, more...)
	}
	if err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	m := membership{until: d.o.Now().Add(d.o.Keep)}
	for _, id := range all {
		m.in = append(m.in, markOf(id))
	}
	d.remember(key, m)
	return m.in, nil
}

// remember keeps an answer within bounds.
func (d *Directory) remember(key string, m membership) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(key)
	if d.marks+len(m.in) > maxMarks || len(d.members) >= maxMembers {
		for other, old := range d.members {
			if !d.fresh(old.until) {
				d.forget(other)
			}
		}
	}
	if d.marks+len(m.in) > maxMarks || len(d.members) >= maxMembers {
		clear(d.members)
		d.marks = 0
	}
	d.members[key] = m
	d.marks += len(m.in)
}

// forget removes an answer. The caller holds the lock.
func (d *Directory) forget(key string) {
	d.marks -= len(d.members[key].in)
	delete(d.members, key)
}

// group is what a name stands for.
func (d *Directory) group(ctx context.Context, name string) (group, error) {
	key := strings.ToLower(name)
	if g, known := d.knownGroup(key); known {
		return g, g.err
	}
	answer := d.flights.DoChan("group "+key, func() (any, error) {
		if g, known := d.knownGroup(key); known {
			return g, nil
		}
		return d.find(context.WithoutCancel(ctx), key, name), nil
	})
	select {
	case r := <-answer:
		g := r.Val.(group)
		return g, g.err
	case <-ctx.Done():
		return group{}, context.Cause(ctx)
	}
}

// knownGroup is what is remembered of a name.
func (d *Directory) knownGroup(key string) (g group, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g, known = d.groups[key]
	return g, known && d.fresh(g.until)
}

// find asks the directory for a group, and remembers what came of it.
func (d *Directory) find(ctx context.Context, key, name string) group {
	id, shown, err := d.o.Source.Group(ctx, name)
	g := group{mark: markOf(id), shown: shown, until: d.o.Now().Add(d.o.Keep)}
	if err != nil {
		g = group{err: fmt.Errorf("groups: %w", err), until: d.o.Now().Add(min(d.o.Keep, failure))}
	}
	d.mu.Lock()
	before, known := d.groups[key]
	d.groups[key] = g
	d.mu.Unlock()
	switch {
	case err != nil && (!known || before.err == nil):
		d.o.Log.WithError(err).Warn("groups: a group that a rule names cannot be looked up; mail that hangs on it is held until it can")
	case err == nil && !shown && (!known || before.shown):
		d.o.Log.Warnf("groups: the directory shows no member of the group %q, which a rule names; fill it, or let the gateway's account read its members", name)
	}
	return g
}

// Check looks at each group that rules name, and returns why somebody has to look after one, or nil.
func (d *Directory) Check(ctx context.Context) error {
	var faults []error
	for _, name := range d.o.Names {
		g, err := d.group(ctx, name)
		switch {
		case err != nil:
			faults = append(faults, err)
		case !g.shown:
			faults = append(faults, fmt.Errorf("groups: the directory shows no member of the group %q", name))
		}
	}
	return errors.Join(faults...)
}
