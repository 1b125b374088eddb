package find

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// answer is what the sources said of one address.
type answer struct {
	certs []*x509.Certificate // of the source that decided; the candidates with what came beside them
	away  error               // of the first source that could not be asked and matters; nil: all were asked
	at    time.Time
	until time.Time // when it is asked again
}

// flight is a look-up that is under way.
type flight struct {
	done   chan struct{}
	answer answer
}

// wait returns the answer when it is there. The error is that of ctx.
func (w *flight) wait(ctx context.Context) (answer, error) {
	select {
	case <-w.done:
		return w.answer, nil
	case <-ctx.Done():
		return answer{}, &certs.UnavailableError{Err: context.Cause(ctx)}
	}
}

// answer returns what is remembered, or what the sources say now. The error is that of ctx.
func (f *Finder) answer(ctx context.Context, key string, now time.Time) (answer, error) {
	f.mu.Lock()
	if a, ok := f.answers.get(key); ok && a.holds(now) {
		f.mu.Unlock()
		return a, nil
	}
	w := f.fly(key, now)
	f.mu.Unlock()
	if w == nil {
		return answer{away: &certs.UnavailableError{Err: errClosed}}, nil
	}
	return w.wait(ctx)
}

var errClosed = errors.New("certs/find: closed")

// holds reports whether an answer need not be asked for again. One from the future is of a clock that was set back.
func (a answer) holds(now time.Time) bool { return now.Before(a.until) && !now.Before(a.at) }

// refresh asks in the background what is new of an address that has a certificate.
func (f *Finder) refresh(key string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a, ok := f.answers.get(key); ok && (a.holds(now) || now.Sub(a.at).Abs() < f.o.Found) {
		return
	}
	if len(f.flights) < atOnce { // others are refreshed when they are asked for the next time
		f.fly(key, now)
	}
}

// fly begins a look-up, or returns the one that is under way; nil after Close. f.mu is held.
func (f *Finder) fly(key string, now time.Time) *flight {
	if w := f.flights[key]; w != nil || f.closed {
		return w
	}
	w := &flight{done: make(chan struct{})}
	f.flights[key] = w
	before, _ := f.answers.get(key)
	f.wg.Go(func() {
		var has keeping
		w.answer, has = f.ask(key, now)
		f.keep(has)
		f.mu.Lock()
		current := f.flights[key] == w // nobody has said Forget meanwhile
		if current {
			delete(f.flights, key)
		}
		switch {
		case w.answer.away == nil && current:
			f.answers.put(key, w.answer)
		case w.answer.away != nil && w.answer.certs == nil: // what was known is better than nothing, where it is still valid
			w.answer.certs = before.certs
		}
		f.mu.Unlock()
		close(w.done)
	})
	return w
}

// keeping is what is to be kept of an answer: what is valid of what a source had.
type keeping struct {
	source string
	valid  []certs.Result
}

// ask asks the sources in their order, until one has a valid certificate.
func (f *Finder) ask(key string, now time.Time) (answer, keeping) {
	a := answer{at: now, until: now.Add(f.o.Missing)}
	for _, p := range f.places {
		found, err := p.ask(f.ctx, key)
		if err != nil {
			switch {
			case !p.pass && a.away == nil:
				a.away = err
			case p.pass:
				a.until = earlier(a.until, now.Add(longRest))
			}
			continue
		}
		if len(found) == 0 {
			continue
		}
		valid, err := f.judge(f.ctx, found, key, now)
		if len(valid) == 0 {
			if errors.Is(err, certs.ErrUnavailable) {
				a.until = earlier(a.until, now.Add(longRest))
			}
			if a.certs == nil {
				a.certs = found // which say why none may be used
			}
			continue
		}
		return answer{certs: found, at: now, until: now.Add(f.o.Found)}, keeping{p.source.Name(), valid}
	}
	return a, keeping{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// judge returns the judgements of the certificates that may be encrypted to, the newest certificate first; where there
// is none the error says why, as that of a Finder.
func (f *Finder) judge(ctx context.Context, all []*x509.Certificate, key string, now time.Time) ([]certs.Result, error) {
	candidates := slices.DeleteFunc(slices.Clone(all), func(c *x509.Certificate) bool { return c == nil || !bears(c, key) })
	slices.SortStableFunc(candidates, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	var valid []certs.Result
	err := error(certs.ErrNotFound)
	for _, c := range candidates {
		r := f.o.Judge.Validate(ctx, c, all, certs.Encrypt, key, now)
		if r.Valid() && f.o.Fits != nil && !f.o.Fits(c) {
			r = certs.Result{Status: certs.StatusPurpose, Reasons: []string{"this program does not encrypt to keys of its kind"}}
		}
		if r.Valid() {
			if len(r.Chain) == 0 { // a certificate that is believed by itself
				r.Chain = []*x509.Certificate{c}
			}
			valid = append(valid, r)
		} else if errors.Is(err, certs.ErrNotFound) || r.Away != nil && !errors.Is(err, certs.ErrUnavailable) {
			err = r.Err(key)
		}
	}
	return valid, err
}

func bears(c *x509.Certificate, key string) bool {
	return slices.ContainsFunc(certs.Addresses(c), func(a string) bool { return certs.AddressKey(a) == key })
}

// keep has what is valid kept, with what leads from it to its anchor.
func (f *Finder) keep(has keeping) {
	if f.o.Keep == nil || len(has.valid) == 0 {
		return
	}
	var all []*x509.Certificate
	for _, r := range has.valid {
		above := r.Chain[1:]
		for _, c := range append([]*x509.Certificate{r.Chain[0]}, above[:max(len(above)-1, 0)]...) {
			if !slices.ContainsFunc(all, c.Equal) {
				all = append(all, c)
			}
		}
	}
	if err := f.o.Keep(f.ctx, has.source, all); err != nil {
		f.o.Log.WithField("source", has.source).WithError(err).Warn("What a source of certificates had cannot be kept; it is asked again.")
	}
}
