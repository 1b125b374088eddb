// Package throttle notices a sender inside who suddenly mails like an infected machine. It holds nothing back
// itself, and has no clock.
package throttle

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/meter"
)

// Limits are how much one sender may send to the internet before the rest is held. Zero or less is no limit.
type Limits struct {
	MessagesPerHour, MessagesPerDay     int
	RecipientsPerHour, RecipientsPerDay int
	DistinctPerDay                      int // different recipients
}

// Options are what a reload may change.
type Options struct {
	Limits
	Except mail.Patterns // MAIL FROM addresses that are not limited: newsletters, invoices
}

// Message is what is looked at of a message: who sends it, and to whom outside.
type Message struct {
	From   mail.Address
	Client mail.Client
	To     []mail.Address
}

// Sender is whose account a message is on: the user who logged in, else MAIL FROM, else, where that is null, the
// server that handed it over; of what came over no network, the listener.
func (m Message) Sender() string {
	switch {
	case m.Client.User != "":
		return "user " + m.Client.User
	case m.From.IsNull() && m.Client.Addr.IsValid():
		return "<> of " + m.Client.Addr.String()
	case m.From.IsNull():
		return "<> of " + m.Client.Listener
	}
	return "<" + strings.ToLower(m.From.String()) + ">"
}

// maxRemembered is how many figures are kept; of more, those of senders not seen for longest are forgotten.
const maxRemembered = 100_000

type figure uint8

const (
	messagesHour figure = iota
	messagesDay
	recipientsHour
	recipientsDay
	tellings
)

const day = 24 * time.Hour

type key struct {
	sender string
	of     figure
}

// Throttle keeps the figures of all senders. Its methods may be called at once.
type Throttle struct {
	mu    sync.Mutex
	o     Options
	used  *meter.Meter[key]
	known *acquaintances
}

// New makes a throttle that has seen nobody yet.
func New(o Options) *Throttle {
	return &Throttle{o: o, used: meter.New[key](maxRemembered), known: newAcquaintances()}
}

// Set puts other options into force. What was counted stays.
func (t *Throttle) Set(o Options) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.o = o
}

// rule is one limit, with what a message adds to it.
type rule struct {
	of    figure
	limit meter.Limit
	adds  int64
	noun  string // with %d for the limit
}

func (l Limits) rules(recipients int) []rule {
	n := int64(recipients)
	return []rule{
		{messagesHour, meter.Limit{Most: int64(l.MessagesPerHour), Per: time.Hour}, 1, "%d messages in an hour"},
		{messagesDay, meter.Limit{Most: int64(l.MessagesPerDay), Per: day}, 1, "%d messages in a day"},
		{recipientsHour, meter.Limit{Most: int64(l.RecipientsPerHour), Per: time.Hour}, n, "%d recipients in an hour"},
		{recipientsDay, meter.Limit{Most: int64(l.RecipientsPerDay), Per: day}, n, "%d recipients in a day"},
	}
}

// Admit counts a message, and says why it is to be held, or nothing where it may go. Where it is held it reports
// whether the administrator is to be told of its sender, which is once a day. Of messages that come at the same
// moment each sees the others.
func (t *Throttle) Admit(m Message, now time.Time) (reason string, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exempts(m) {
		return "", false
	}
	sender := m.Sender()
	reason = t.judge(sender, m, now)
	for _, r := range t.o.rules(len(m.To)) {
		if r.limit.Most > 0 {
			t.used.Note(key{sender, r.of}, r.adds, r.limit.Per, now)
		}
	}
	if most := t.o.DistinctPerDay; most > 0 {
		t.known.add(sender, m.To, most, now)
	}
	return reason, reason != "" && t.used.Add(key{sender, tellings}, 1, meter.Limit{Most: 1, Per: day}, now)
}

// Withdraw takes back what Admit counted of a message that could not be taken after all, and comes again: with the
// same recipients, so these stay known.
func (t *Throttle) Withdraw(m Message, tell bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exempts(m) {
		return
	}
	sender := m.Sender()
	for _, r := range t.o.rules(len(m.To)) {
		if r.limit.Most > 0 {
			t.used.Note(key{sender, r.of}, -r.adds, r.limit.Per, now)
		}
	}
	if tell {
		t.used.Note(key{sender, tellings}, -1, day, now)
	}
}

// exempts reports whether a message is no concern of the throttle.
func (t *Throttle) exempts(m Message) bool { return len(m.To) == 0 || t.o.Except.Match(m.From) }

// judge says which limit a message goes beyond; empty: none.
func (t *Throttle) judge(sender string, m Message, now time.Time) string {
	for _, r := range t.o.rules(len(m.To)) {
		if r.limit.Most > 0 && t.used.Used(key{sender, r.of}, r.limit.Per, now)+r.adds > r.limit.Most {
			return reason(sender, fmt.Sprintf(r.noun, r.limit.Most))
		}
	}
	if most := t.o.DistinctPerDay; most > 0 && t.known.with(sender, m.To, now) > most {
		return reason(sender, fmt.Sprintf("%d different recipients in a day", most))
	}
	return ""
}

func reason(sender, limit string) string {
	return "throttled: " + sender + " has sent more than " + limit
}
