package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Quarantine is what becomes of mail that waits until a person has decided.
type Quarantine struct {
	Keep   time.Duration // how long it waits; 0: 14 days
	Notify []string      // who is told where the policy names nobody, as quarantine.Details.Notify has it
	Every  time.Duration // how often one address is told at most; 0: 24 hours
	// MaxMessages and MaxBytes bound it; 0: 10,000 and 2 GB.
	MaxMessages, MaxBytes int64
}

func (q Quarantine) withDefaults() Quarantine {
	if q.Keep <= 0 {
		q.Keep = 14 * 24 * time.Hour
	}
	if q.Every <= 0 {
		q.Every = 24 * time.Hour
	}
	if q.MaxMessages <= 0 {
		q.MaxMessages = 10_000
	}
	if q.MaxBytes <= 0 {
		q.MaxBytes = 2_000_000_000
	}
	return q
}

// quarantineTerms are the settings of the quarantine in force.
type quarantineTerms struct {
	Quarantine
	texts  *texts.Texts
	local  mail.Patterns
	mailTo []mail.Address
	within time.Duration // how long what is released waits for its protection
	expire time.Duration // how long its delivery is tried
}

// told are the addresses of those who are told of a copy, with the words of the settings where the policy names nobody.
func (q *quarantineTerms) told(m queue.Message, i int, d quarantine.Details) []mail.Address {
	if len(d.Notify) == 0 {
		d.Notify = q.Notify
	}
	return d.Told(m, i, q.local.Match)
}

// reserve is which part of the quarantine mail from outside leaves free, so that no stranger who fills it keeps mail from inside from being taken.
const reserve = 10

// full is why there is no room for more; empty: there is.
func (q *quarantineTerms) full(used queue.Usage, messages, bytes int64, internal bool) string {
	most, bytesMost, whose := q.MaxMessages, q.MaxBytes, ""
	if !internal {
		most, bytesMost, whose = most-most/reserve, bytesMost-bytesMost/reserve, " for mail from outside"
	}
	switch {
	case used.Messages+messages > most:
		return fmt.Sprintf("the quarantine is full%s: %d messages (quarantine.max_messages); release or delete some: siegel quarantine list", whose, used.Messages)
	case used.Bytes+bytes > bytesMost:
		return fmt.Sprintf("the quarantine is full%s: %d bytes (quarantine.max_size); release or delete some: siegel quarantine list", whose, used.Bytes)
	}
	return ""
}

// quarantineWork is what belongs to the process.
type quarantineWork struct {
	look    sync.Mutex // one look at a time
	told    *quarantine.Told
	swept   time.Time // when it was last looked for what nobody decided on
	filling time.Time // when the administrators were last told that it fills
	aside   *prometheus.CounterVec
	ended   *prometheus.CounterVec
}

func newQuarantineWork(o Options) *quarantineWork {
	w := &quarantineWork{
		told: quarantine.OpenTold(filepath.Join(o.State, "quarantine", "told"), o.Key),
		aside: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_quarantine_entered_total", Help: "Copies that were set aside until a person decides, by cause."}, []string{"cause"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "siegel_quarantine_expired_total", Help: "Copies on which nobody decided in time, by what became of them: returned, removed."}, []string{"outcome"}),
	}
	for _, c := range quarantine.Causes() {
		w.aside.WithLabelValues(string(c))
	}
	for _, outcome := range []string{"returned", "removed"} {
		w.ended.WithLabelValues(outcome)
	}
	return w
}

// setQuarantine puts the settings of the quarantine into force.
func (g *Gateway) setQuarantine(s Settings) {
	q := &quarantineTerms{Quarantine: s.Quarantine.withDefaults(), texts: s.Texts, local: s.Local, mailTo: s.MailTo, within: s.ProtectWithin, expire: s.Expire}
	if q.within <= 0 {
		q.within = 4 * time.Hour
	}
	g.quarantine.Store(q)
}

// quarantined sets all of an admission aside whose origin is in doubt.
func (g *Gateway) quarantined(entries []queue.New, why string) error {
	details, err := quarantine.Details{Cause: quarantine.Origin, Why: why, Since: g.o.Now().UTC()}.Encode()
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if isCopy(*e) { // for an archive, whatever becomes of the message
			continue
		}
		e.Hold, e.Quarantine = quarantine.Details{Why: why}.Reply(), nil
		for at := range e.Destinations {
			e.Destinations[at] = queue.Quarantine
			e.Quarantine = append(e.Quarantine, details)
		}
	}
	return nil
}

// errQuarantineFull is the error of what is to be set aside where there is no room.
var errQuarantineFull = errors.New("gateway: the quarantine is full")

// roomInQuarantine returns an error where entries are to be set aside and there is no room for them. Whoever hands the message over keeps it.
func (g *Gateway) roomInQuarantine(ctx context.Context, entries []queue.New) error {
	var messages, bytes int64
	internal := false
	for _, e := range entries {
		if len(e.Quarantine) > 0 {
			messages, bytes, internal = messages+1, bytes+e.Content.Size(), e.Envelope.Internal
		}
	}
	if messages == 0 {
		return nil
	}
	why, err := g.noRoom(ctx, messages, bytes, internal)
	switch {
	case err != nil:
		return err
	case why == "":
		for _, e := range entries {
			g.countAside(e.Quarantine)
		}
		return nil
	case internal:
		return status.Say(fmt.Errorf("%w: %s", errQuarantineFull, why), 451, "4.3.1", texts.QuarantineNoRoom, texts.Values{})
	}
	return fmt.Errorf("%w: %s", errQuarantineFull, why)
}

// noRoom is why so much more cannot be set aside; empty: it can.
func (g *Gateway) noRoom(ctx context.Context, messages, bytes int64, internal bool) (string, error) {
	used, err := g.store.Usage(ctx, queue.Quarantine)
	if err != nil {
		return "", err
	}
	return g.quarantine.Load().full(used, messages, bytes, internal), nil
}

func (g *Gateway) countAside(details []string) {
	for _, text := range details {
		if d, err := quarantine.Decode(text); err == nil && text != "" {
			g.keeper.aside.WithLabelValues(string(d.Cause)).Inc()
		}
	}
}

// setAside is a part of a claim that goes into quarantine, or waits for room there.
func (g *Gateway) setAsidePart(ctx context.Context, c queue.Claim, part protect.Part) (delivery.Prepared, error) {
	p := delivery.Prepared{Rows: part.Rows, Silent: part.Silent}
	why, err := g.noRoom(ctx, 1, c.Message.Size, c.Message.Envelope.Internal)
	if err != nil || why != "" {
		p.Wait = why
		return p, err
	}
	g.countAside([]string{part.Aside.Details})
	p.Aside = &delivery.Aside{Why: part.Aside.Why, Details: part.Aside.Details}
	return p, nil
}

// decisions is what operators may decide on what is in quarantine; it implements admin.Quarantine.
type decisions struct{ *Gateway }

var errOutside = errors.New("it came from outside, where nobody may learn that it was in quarantine; release or delete it")

// Release implements admin.Quarantine. What was accepted to be protected goes to its protection, by the policy that holds then, and never with less than
// when it was accepted; everything else to where the routing leads.
func (g decisions) Release(m queue.Message, i int, by string) (queue.Order, error) {
	r, now, q := m.Recipients[i], g.o.Now(), g.quarantine.Load()
	d, err := quarantine.Decode(r.Quarantine)
	if err != nil || r.Quarantine == "" { // why it is there is lost, and the decision counts for whatever it was
		d = quarantine.Details{Cause: quarantine.Rule, Why: quarantine.ErrDetails.Error(), Since: now.UTC()}
		for _, cause := range quarantine.Causes() {
			d.Released = append(d.Released, quarantine.Release{Cause: cause, By: by, At: now.UTC()})
		}
	}
	o := queue.Order{State: queue.Queued, Due: now, Routed: true, Reply: safetext.Line("released from quarantine by "+by, 300)}
	if o.Quarantine, err = d.Release(by, now).Encode(); err != nil {
		return queue.Order{}, err
	}
	if m.IsPending() {
		o.Destination, o.Expires = protect.ReleasedAt, now.Add(q.within)
		return o, nil
	}
	if o.Destination, err = g.routes.Destination(r.Address); err != nil {
		return queue.Order{}, err
	}
	lifetime := g.routes.Lifetime(r.Address)
	if lifetime <= 0 {
		lifetime = q.expire
	}
	o.Expires = now.Add(lifetime)
	return o, nil
}

// MayReturn implements admin.Quarantine.
func (g decisions) MayReturn(m queue.Message, i int) error {
	if !m.Envelope.Internal {
		return errOutside
	}
	return g.Gateway.MayReturn(m, i)
}

// Ends implements admin.Quarantine.
func (g decisions) Ends(since time.Time) time.Time { return since.Add(g.quarantine.Load().Keep) }

var _ admin.Quarantine = decisions{}
