package smartcard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// backoff is how long is waited before something is tried again: twice as long each time, up to a bound, and by chance up to half less, so
// that many who wait for one thing do not come at once.
type backoff struct {
	first, most time.Duration
	n           int
}

func (b *backoff) next() time.Duration {
	d := b.most
	if b.n < 32 && b.first<<b.n < b.most {
		d = b.first << b.n
		b.n++
	}
	return d - rand.N(d/2+1)
}

func (b *backoff) reset() { b.n = 0 }

// run keeps the status true.
func (b *bound) run(ctx context.Context) {
	for fresh := true; ; {
		wait := b.assess(ctx, fresh)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-b.change:
			b.again.reset()
			fresh = true
		case <-b.poke:
			fresh = true
		case <-timer.C:
			fresh = false
		}
		timer.Stop()
	}
}

// assess finds out how the card is, and returns when it is to be done again if nothing happens. Where nothing has happened, a card that works
// is not looked at.
func (b *bound) assess(ctx context.Context, fresh bool) time.Duration {
	if !fresh && b.usable.Load() {
		b.mu.Lock()
		key := b.status.Key
		b.mu.Unlock()
		return b.dated(key, nil)
	}
	b.m.mu.Lock()
	seen, readers, err := b.m.seen, b.m.readers, b.m.err
	b.m.mu.Unlock()
	if !seen {
		return dateMost
	}
	if c, text, decided := b.survey(readers, err); decided {
		b.set(c, text, err, nil)
		return dateMost // what changes this is told by the readers
	}
	return b.look(ctx)
}

// survey is what the readers tell without asking a card; decided is false where a card must be asked.
func (b *bound) survey(readers []ReaderState, err error) (c Condition, text string, decided bool) {
	if err != nil {
		if Temporary(err) {
			return NoService, sentence(err), true
		}
		return NoSupport, sentence(err), true
	}
	var fits []string
	mute := ""
	for _, r := range readers {
		if !matches(b.Selection.Reader, r.Name) {
			continue
		}
		if r.ATR != nil {
			return "", "", false
		}
		fits = append(fits, r.Name)
		if r.Mute {
			mute = r.Name
		}
	}
	switch {
	case mute != "":
		return Mute, fmt.Sprintf("the card in reader %q does not answer", safetext.Line(mute, 128)), true
	case len(fits) > 0:
		return NoCard, "no card is in reader " + names(fits), true
	case len(readers) == 0:
		return NoReader, "no reader is there", true
	}
	var others []string
	for _, r := range readers {
		others = append(others, r.Name)
	}
	return NoReader, fmt.Sprintf("no reader is named %q; there is %s", safetext.Line(b.Selection.Reader, 128), names(others)), true
}

// names lists names of readers, as many as fit into a line.
func names(all []string) string {
	const most = 4
	var quoted []string
	for _, n := range all[:min(len(all), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", safetext.Line(n, 128)))
	}
	if len(all) > most {
		quoted = append(quoted, fmt.Sprintf("%d others", len(all)-most))
	}
	return strings.Join(quoted, ", ")
}

// sentence is an error without the name of its package.
func sentence(err error) string {
	return safetext.Line(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", "; "), "smartcard: "), 512)
}

// look asks the card.
func (b *bound) look(ctx context.Context) time.Duration {
	short, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := b.card.look(short, b.Want)
	switch {
	case ctx.Err() != nil || errors.Is(err, errClosed):
		return dateMost
	case unheard(err): // others use it, and tell how that ends
		return b.again.next()
	case err != nil:
		b.set(ConditionOf(err), sentence(err), err, &s)
		return b.again.next()
	}
	b.again.reset()
	return b.dated(s.key, &s)
}

// dated is a card that works, on this day.
func (b *bound) dated(key KeyInfo, s *sight) time.Duration {
	now := b.m.o.Now()
	c, text, until := Judge(key, now, b.m.soon)
	b.set(c, text, nil, s)
	if until.IsZero() {
		return dateMost
	}
	return max(time.Second, min(dateMost, until.Sub(now)))
}

// set notes how the card is, and tells a condition that is another one.
func (b *bound) set(c Condition, text string, err error, s *sight) {
	b.usable.Store(c.Usable())
	b.mu.Lock()
	before := b.status
	now := &b.status
	now.Text, now.Err = text, err
	if c != now.Condition {
		now.Condition, now.Since = c, b.m.o.Now()
	}
	if s != nil && s.reader != "" {
		now.Identity, now.Reader, now.PIN = s.identity, s.reader, s.pin
		if s.key.Certificate != nil {
			now.Key = s.key
		}
	}
	if c.Usable() {
		now.Text = fmt.Sprintf("%s is in reader %q", now.Identity, safetext.Line(now.Reader, 128))
		if text != "" {
			now.Text += "; " + text
		}
	}
	b.mu.Unlock()
	if c == before.Condition || b.m.told == nil {
		return
	}
	b.m.telling.Lock()
	defer b.m.telling.Unlock()
	b.m.told(before, b.current())
}
