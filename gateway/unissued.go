package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	unissuedPeriod = 24 * time.Hour // in which it is told once of an address
	maxUnissued    = 1000           // addresses that it is told of in a period
)

// unissued are the senders of whom it was told lately that they get no certificate. The zero value is ready to use, by many at once.
type unissued struct {
	mu   sync.Mutex
	told map[string]time.Time
	full time.Time // when it was told that there are more
}

// tell reports whether to tell of an address now, or, where it is one too many, that there are more.
func (u *unissued) tell(address string, now time.Time) (tell, more bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	lately := func(at time.Time) bool { return now.Sub(at).Abs() < unissuedPeriod }
	if lately(u.told[address]) {
		return false, false
	}
	if len(u.told) >= maxUnissued {
		for a, at := range u.told {
			if !lately(at) {
				delete(u.told, a)
			}
		}
	}
	if len(u.told) >= maxUnissued {
		more = !lately(u.full)
		if more {
			u.full = now
		}
		return false, more
	}
	if u.told == nil {
		u.told = map[string]time.Time{}
	}
	u.told[address] = now
	return true, false
}

// forget begins anew: what an administrator changed may not have helped.
func (u *unissued) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told, u.full = nil, time.Time{}
}

// staysWithout logs why a sender gets no certificate, once in a period: what becomes of the message does not show it.
func (g *Gateway) staysWithout(from mail.Address, why error) {
	if errors.Is(why, errNoIssue) { // nobody asked for any
		return
	}
	tell, more := g.unissued.tell(from.String(), g.o.Now())
	switch {
	case more:
		g.o.Log.Warnf("more than %d senders get no certificate; no more of them are named today. Where they are not of the company, let a list or a directory say who is: recipients, certificates.issue.directory", maxUnissued)
	case tell:
		g.o.Log.WithFields(logrus.Fields{"address": from.String(), "error": safetext.Line(why.Error(), 500)}).
			Warn("a sender gets no certificate, so nothing is signed for this address; it is told again in a day, or after a reload")
	}
}
