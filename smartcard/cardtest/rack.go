package cardtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Errors of cards in a rack; ErrPulled is one of them too.
var (
	ErrNoReader = errors.New("cardtest: there is no such reader")
	ErrNoCard   = errors.New("cardtest: no card is in the reader")
	ErrReset    = errors.New("cardtest: another program has reset the card")
	ErrStopped  = errors.New("cardtest: the service for smart cards is not running")
)

// Rack is readers in this process, without PC/SC: cards are put in and pulled, programs connect to them, wait for one another and reset
// them, and the service stops. All of its methods may be called at once.
type Rack struct {
	mu      sync.Mutex
	slots   []*slot
	stopped bool
	changed chan struct{} // closed at the next change
}

// slot is a reader.
type slot struct {
	name  string
	stay  *stay         // nil where no card is in
	turn  chan struct{} // holds one token: who has it speaks to the card
	mute  bool          // a card is in that does not answer
	known int           // how often something changed here
}

// stay is a card from when it is put in until it is pulled.
type stay struct {
	card   Card
	pulled chan struct{}
	resets int
}

// SlotState is what a rack says of a reader.
type SlotState struct {
	Reader  string
	ATR     []byte // nil where no card is in, or one that does not answer
	Mute    bool   // a card is in that does not answer
	Changes int    // how often a card was put in or pulled
}

// NewRack makes empty readers.
func NewRack(readers ...string) *Rack {
	r := &Rack{changed: make(chan struct{})}
	for _, name := range readers {
		r.slots = append(r.slots, newSlot(name))
	}
	return r
}

func newSlot(name string) *slot {
	s := &slot{name: name, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// change tells who waits; called with mu held.
func (r *Rack) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Changed is closed at the next change of any reader or of the service. Take it before State, and no change is missed.
func (r *Rack) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// State is what is in the readers now; ErrStopped where the service does not run.
func (r *Rack) State() ([]SlotState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	var all []SlotState
	for _, s := range r.slots {
		state := SlotState{Reader: s.name, Mute: s.mute, Changes: s.known}
		if s.stay != nil {
			state.ATR = s.stay.card.ATR()
		}
		all = append(all, state)
	}
	return all, nil
}

// Insert puts a card into a reader, in place of what is in it.
func (r *Rack) Insert(reader string, c Card) error {
	c.Reset()
	return r.put(reader, &stay{card: c, pulled: make(chan struct{})})
}

// Pull takes the card out of a reader; a command that is being carried out ends with ErrPulled. An empty reader is no error.
func (r *Rack) Pull(reader string) error { return r.put(reader, nil) }

func (r *Rack) put(reader string, in *stay) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(reader)
	if err != nil {
		return err
	}
	r.exchange(s, in)
	return nil
}

// Misplace puts a card into a reader the wrong way: it does not answer.
func (r *Rack) Misplace(reader string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(reader)
	if err == nil {
		r.exchange(s, nil)
		s.mute = true
	}
	return err
}

// Detach takes a reader away with what is in it, as when its cable is pulled or its USB server sleeps. One that is not there is no error.
func (r *Rack) Detach(reader string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, err := r.find(reader); err == nil {
		r.exchange(s, nil)
		r.slots = slices.DeleteFunc(r.slots, func(o *slot) bool { return o == s })
	}
}

// Attach puts an empty reader beside the others. One that is there already is left as it is.
func (r *Rack) Attach(reader string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.find(reader); err != nil {
		r.slots = append(r.slots, newSlot(reader))
		r.change()
	}
}

// exchange is called with mu held.
func (r *Rack) exchange(s *slot, in *stay) {
	if s.stay != nil {
		close(s.stay.pulled)
	}
	s.stay, s.mute = in, false
	s.known++
	r.change()
}

func (r *Rack) find(reader string) (*slot, error) {
	i := slices.IndexFunc(r.slots, func(s *slot) bool { return s.name == reader })
	if i < 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoReader, reader)
	}
	return r.slots[i], nil
}

// Reset is what another program does to the card: every line that is open to it says ErrReset from now on.
func (r *Rack) Reset(reader string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, err := r.find(reader)
	if err != nil {
		return err
	}
	if s.stay == nil {
		return ErrNoCard
	}
	s.stay.resets++
	s.stay.card.Reset()
	return nil
}

// Stop ends the service: lines and calls say ErrStopped until Start. Cards stay in and lose their power.
func (r *Rack) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	for _, s := range r.slots {
		if s.stay != nil {
			r.exchange(s, &stay{card: s.stay.card, pulled: make(chan struct{})}) // whoever was connected is no more
			s.stay.card.Reset()
		}
	}
	r.change()
}

// Start starts the service again.
func (r *Rack) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = false
	r.change()
}
