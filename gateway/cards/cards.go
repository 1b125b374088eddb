// Package cards holds the keys on smart cards that a configuration names, for as long as the process runs: a reload that changes nothing
// of a card leaves its queue and its link alone. It hands the keys out as S/MIME and TLS take them, and tells how each card is. When a PIN
// may be presented is not decided here but in package smartcard.
package cards

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/pkcs11"
)

// Entry is a key of the configuration.
type Entry struct {
	Name      string
	Selection smartcard.Selection
	Want      smartcard.Want
	Family    string // "tcos" or "piv"; empty: either
	PIN       secret.String
	PINRef    *byte               // the number of the PIN; nil: the card names it
	Chain     []*x509.Certificate // above that of the key, for TLS
	Token     Token               // in place of a card in a reader
}

// Token is a token of a PKCS #11 module.
type Token struct{ Module, Label, Serial string }

// Options is what a Holder is made of.
type Options struct {
	Transport smartcard.Transport
	// Memory and FingerprintKey are as those of smartcard.Options. Without entries neither is needed.
	Memory         smartcard.Memory
	FingerprintKey []byte
	// Returned is told the names of keys that can be used again, or perhaps can: what waits for them is worth another try. It must not wait.
	Returned func(names ...string)
	Log      logrus.FieldLogger
	Timeout  time.Duration // of one operation with its wait at most; 0: that of smartcard
	Now      func() time.Time
}

// Holder holds the cards of a process. Its methods may be called at once.
type Holder struct {
	o       Options
	figures *figures

	mu      sync.Mutex
	running []*Set         // in the order in which they came into force; two of them during a reload
	next    *Set           // the last one that was made
	tokens  *pkcs11.Wallet // of all modules, since a process can initialise each once; nil until one is needed
	closed  bool
}

// New makes a holder without cards.
func New(o Options) *Holder {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Returned == nil {
		o.Returned = func(...string) {}
	}
	h := &Holder{o: o}
	h.figures = newFigures(h)
	return h
}

// Set is the keys of one configuration. A nil *Set has none. Its methods may be called at once.
type Set struct {
	h       *Holder
	entries []*entry
	groups  []*group
}

// entry is a key of a set.
type entry struct {
	Entry
	group  *group
	opened atomic.Pointer[opened]
}

// Set makes the set of a configuration. It asks no card. Where a card is named as in the set that is in force, both use it together. Run
// brings a set into force; one that was never brought into force needs no end.
func (h *Holder) Set(entries []Entry) (*Set, error) {
	s := &Set{h: h}
	if len(entries) > 0 && (h.o.Memory == nil || h.o.Transport == nil) {
		return nil, errors.New("cards: smart cards need a transport and a memory")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	for _, one := range byCard(entries) {
		g, err := h.groupOf(one)
		if err != nil {
			return nil, err
		}
		s.groups = append(s.groups, g)
		for _, e := range one {
			s.entries = append(s.entries, &entry{Entry: e, group: g})
		}
	}
	h.next = s
	return s, nil
}

// byCard parts entries by the cards that they name, in their order.
func byCard(entries []Entry) (all [][]Entry) {
	place := map[string]int{}
	for _, e := range entries {
		name := e.card()
		i, ok := place[name]
		if !ok {
			i = len(all)
			place[name] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], e)
	}
	return all
}

// card names the card of an entry, the same for the same one.
func (e Entry) card() string {
	return fmt.Sprintf("%q %q %q %q", strings.ToLower(e.Selection.Serial), e.Selection.Reader, e.Family, e.Token)
}

// group is a card or token with the keys of it that are named.
type group struct {
	name    string // what makes it another one
	members []Entry
	device  device
	pins    atomic.Pointer[[]Entry]
	stop    func() // ends the watch; nil where it does not run
}

// device is a card or token.
type device interface {
	// key finds a key, and asks for no PIN.
	key(ctx context.Context, e Entry) (*opened, error)
	// run watches it until ctx ends.
	run(ctx context.Context)
	// look looks at it now.
	look()
	// status is how a key is. It asks nothing.
	status(name string) smartcard.Status
	close()
}

// groupOf finds the group of entries among those in force, or makes it. h.mu is held.
func (h *Holder) groupOf(members []Entry) (*group, error) {
	name := members[0].card()
	for _, e := range members {
		name += fmt.Sprintf("; %s %s %v %s", e.Name, e.Want.Fingerprint, e.Want.Binding, refText(e.PINRef))
	}
	for _, s := range h.running {
		if i := slices.IndexFunc(s.groups, func(g *group) bool { return g.name == name }); i >= 0 {
			return s.groups[i], nil
		}
	}
	g := &group{name: name, members: members}
	g.pins.Store(&members)
	var err error
	if members[0].Token != (Token{}) {
		g.device, err = newToken(h, g)
	} else {
		g.device, err = newCard(h, g)
	}
	return g, err
}

func refText(ref *byte) string {
	if ref == nil {
		return "-"
	}
	return fmt.Sprintf("%02X", *ref)
}

// pin is the PIN of a number: that of the entry which names the number, or of the only one which names none.
func (g *group) pin(_ context.Context, _ smartcard.Identity, p smartcard.PIN) (secret.String, error) {
	var found secret.String
	for _, e := range *g.pins.Load() {
		switch {
		case e.PIN.IsZero():
		case e.PINRef == nil:
			if found.IsZero() {
				found = e.PIN
			}
		case *e.PINRef == p.Ref:
			return e.PIN, nil
		}
	}
	return found, nil
}

// Run brings the set into force, and watches its cards until ctx ends; then it lets go of those that no later set has.
func (s *Set) Run(ctx context.Context) {
	if s == nil {
		return
	}
	h := s.h
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.running = append(h.running, s)
	var anew []string
	for _, g := range s.groups {
		anew = append(anew, g.take(s)...)
		g.watch(ctx)
	}
	h.mu.Unlock()
	if len(anew) > 0 {
		h.o.Returned(anew...)
	}
	<-ctx.Done()
	h.mu.Lock()
	h.running = slices.DeleteFunc(h.running, func(o *Set) bool { return o == s })
	over := h.unused(s.groups, s)
	h.mu.Unlock()
	end(over)
}

// take gives a card the PINs of a set, and has it looked at: somebody may have put it right. It returns the names of the keys that could not be
// used so far.
func (g *group) take(s *Set) (anew []string) {
	var members []Entry
	for _, e := range s.entries {
		if e.group == g {
			members = append(members, e.Entry)
		}
	}
	g.pins.Store(&members)
	if g.stop == nil { // it is not watched yet
		return nil
	}
	g.device.look()
	for _, e := range members {
		if !g.device.status(e.Name).Condition.Usable() {
			anew = append(anew, e.Name)
		}
	}
	return anew
}

// watch starts the watch of a card, unless it runs. It outlives the set that it was started for.
func (g *group) watch(ctx context.Context) {
	if g.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.device.run(ctx)
	}()
	g.stop = func() {
		cancel()
		<-done
	}
}

// unused are those of some groups that no set has which is in force or will be. h.mu is held.
func (h *Holder) unused(groups []*group, but *Set) (over []*group) {
	sets := slices.Clone(h.running)
	if h.next != nil && h.next != but {
		sets = append(sets, h.next)
	}
	for _, g := range groups {
		if !slices.ContainsFunc(sets, func(s *Set) bool { return slices.Contains(s.groups, g) }) {
			over = append(over, g)
		}
	}
	return over
}

// end lets go of cards. No set is in force that has them.
func end(all []*group) {
	for _, g := range all {
		if g.stop != nil {
			g.stop()
			g.stop = nil
		}
		g.device.close()
	}
}

// Close lets go of all cards, when no set runs any more. A second call does nothing.
func (h *Holder) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	if h.next != nil {
		end(h.next.groups)
	}
	if h.tokens != nil {
		return h.tokens.Close()
	}
	return nil
}

var errClosed = errors.New("cards: closed")

// current is the set in force that came last; nil: none is.
func (h *Holder) current() *Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.running) == 0 {
		return nil
	}
	return h.running[len(h.running)-1]
}
