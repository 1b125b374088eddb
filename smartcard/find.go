package smartcard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	// askWait is how long a card may take to say what it is.
	askWait = 10 * time.Second
	// patience is how long others are waited for when the wanted card has answered: two that fit are an error.
	patience = time.Second
)

// acquaintances remembers which card is in which reader, so that those of others are left alone.
type acquaintances struct {
	mu  sync.Mutex
	all map[string]acquaintance // by reader
}

type acquaintance struct {
	state ReaderState
	id    Identity
}

// other tells whether the card in a reader is known to be another than the wanted one.
func (a *acquaintances) other(r ReaderState, want Selection) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.all[r.Name]
	return ok && want.Serial != "" && known.state.Equal(r) && !strings.EqualFold(want.Serial, known.id.Serial)
}

func (a *acquaintances) meet(r ReaderState, id Identity) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[r.Name] = acquaintance{r, id}
}

// forget forgets what was in readers that are gone.
func (a *acquaintances) forget(now []ReaderState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := map[string]acquaintance{}
	for _, r := range now {
		if known, ok := a.all[r.Name]; ok {
			kept[r.Name] = known
		}
	}
	a.all = kept
}

// find looks for a card in all readers that it may be in. One that hangs or cannot be asked keeps nobody from another. Cards that are known
// to be others are left alone; where the wanted one is not found elsewhere they are asked too, since a service that was started anew may
// count from the beginning.
func find(ctx context.Context, o Options, met *acquaintances, want Selection) (*connection, error) {
	readers, err := o.Transport.Readers(ctx)
	if err != nil {
		return nil, err
	}
	met.forget(readers)
	s := search{o: o, met: met, want: want}
	var first, last []ReaderState
	for _, r := range readers {
		switch {
		case !matches(want.Reader, r.Name):
			s.elsewhere = append(s.elsewhere, r.Name)
			continue
		case r.ATR == nil:
			s.empty = append(s.empty, r.Name)
		case met.other(r, want):
			last = append(last, r)
		default:
			first = append(first, r)
		}
	}
	s.cards = len(first) + len(last)
	s.ask(ctx, first)
	if len(s.fits) == 0 {
		s.ask(ctx, last)
	}
	if len(s.fits) == 1 {
		return s.fits[0], nil
	}
	for _, c := range s.fits {
		c.link.Close()
	}
	return nil, s.absent()
}

// search is what was met on the way.
type search struct {
	o    Options
	met  *acquaintances
	want Selection

	elsewhere []string // readers that are not meant
	empty     []string // readers without a card that answers
	cards     int
	fits      []*connection
	others    []string
	errs      []error
}

// answer is what became of asking one card.
type answer struct {
	reader ReaderState
	conn   *connection
	err    error
}

// ask asks all of these cards at once.
func (s *search) ask(ctx context.Context, readers []ReaderState) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	if len(readers) == 1 { // nobody else waits
		c, err := connect(ctx, s.o, readers[0].Name)
		s.meet(answer{readers[0], c, err})
		return
	}
	answers := make(chan answer, len(readers))
	for _, r := range readers {
		go func() {
			c, err := connect(ctx, s.o, r.Name)
			answers <- answer{r, c, err}
		}()
	}
	left := map[string]bool{}
	for _, r := range readers {
		left[r.Name] = true
	}
	var enough <-chan time.Time
	for len(left) > 0 {
		select {
		case a := <-answers:
			delete(left, a.reader.Name)
			s.meet(a)
			if len(s.fits) == 1 && enough == nil {
				t := time.NewTimer(patience)
				defer t.Stop()
				enough = t.C
			}
			continue
		case <-enough:
		case <-ctx.Done():
		}
		break
	}
	why := caller.Err()
	if why == nil {
		why = context.DeadlineExceeded
	}
	for r := range left {
		s.errs = append(s.errs, fmt.Errorf("reader %q: its card has not answered: %w", safetext.Line(r, 128), why))
	}
	// Whoever answers now comes too late.
	go func() {
		for range left {
			if a := <-answers; a.conn != nil {
				a.conn.link.Close()
			}
		}
	}()
}

func (s *search) meet(a answer) {
	name := safetext.Line(a.reader.Name, 128)
	if a.err != nil {
		s.errs = append(s.errs, fmt.Errorf("reader %q: %w", name, a.err))
		return
	}
	id := a.conn.applet.Identity()
	s.met.meet(a.reader, id)
	s.others = append(s.others, fmt.Sprintf("%s in reader %q", id, name))
	if s.want.Serial != "" && !strings.EqualFold(s.want.Serial, id.Serial) {
		a.conn.link.Close()
		return
	}
	s.fits = append(s.fits, a.conn)
}

// absent is why the card was not found, with all that was.
func (s *search) absent() error {
	e := &absentError{want: s.want, errs: s.errs, found: slices.Clone(s.others)}
	for _, err := range s.errs {
		e.found = append(e.found, err.Error())
	}
	switch {
	case len(s.fits) > 1:
		e.says = ErrAmbiguous
		return e
	case len(s.others) == 0 && len(s.errs) > 0:
		// What was not asked may be the wanted one.
	case s.cards > 0 && onlyUnknown(s.errs):
		e.says = ErrNotHere
	case s.cards > 0:
	case len(s.empty) > 0:
		e.says = ErrNoCard
		for _, r := range s.empty {
			e.found = append(e.found, fmt.Sprintf("reader %q without a card", safetext.Line(r, 128)))
		}
	default:
		e.says = ErrNoReader
		for _, r := range s.elsewhere {
			e.found = append(e.found, fmt.Sprintf("reader %q", safetext.Line(r, 128)))
		}
	}
	return e
}

func onlyUnknown(errs []error) bool {
	for _, err := range errs {
		if !errors.Is(err, ErrUnknownCard) {
			return false
		}
	}
	return true
}

// absentError says which card was wanted, and what is there in its place.
type absentError struct {
	want  Selection
	says  error // nil where only errs do
	found []string
	errs  []error
}

// maxFound bounds how much of what was found is said.
const maxFound = 8

// Error says what was wanted and what was found.
func (e *absentError) Error() string {
	text := "smartcard: a card could not be asked"
	if e.says == nil && e.want.Serial == "" && len(e.found) == 1 { // it is the one that is meant
		return e.found[0]
	}
	if e.says != nil {
		text = e.says.Error()
	}
	wanted := "any card"
	if e.want.Serial != "" {
		wanted = "card " + safetext.Line(e.want.Serial, 64)
	}
	if e.want.Reader != "" {
		wanted += fmt.Sprintf(" in reader %q", safetext.Line(e.want.Reader, 128))
	}
	found := "nothing"
	if n := len(e.found); n > maxFound {
		found = strings.Join(e.found[:maxFound], ", ") + fmt.Sprintf(" and %d more", n-maxFound)
	} else if n > 0 {
		found = strings.Join(e.found, ", ")
	}
	return fmt.Sprintf("%s; wanted: %s; found: %s", text, wanted, found)
}

// Unwrap is what is so, and what happened to cards that could not be asked.
func (e *absentError) Unwrap() []error {
	if e.says == nil {
		return e.errs
	}
	return append([]error{e.says}, e.errs...)
}

// Temporary tells whether the card may come back by itself: one that is named by its serial number may always, whatever is in its reader.
func (e *absentError) Temporary() bool {
	if e.says != nil {
		return Temporary(e.says)
	}
	if e.want.Serial != "" {
		return true
	}
	for _, err := range e.errs {
		if Temporary(err) {
			return true
		}
	}
	return false
}
