package revocation

import (
	"crypto/x509"
	"time"
)

// ReadAnswer is what an answer says of a certificate.
func ReadAnswer(der []byte, c, issuer *x509.Certificate, now time.Time) (status int, err error) {
	q, err := newQuestion(c, issuer)
	if err != nil {
		return 0, err
	}
	a, err := q.read(der, now)
	return a.status, err
}

// Covers is how many of the points a scope covers for a certificate.
func Covers(scopeDER, pointsDER []byte, c *x509.Certificate) (n int) {
	s, err := parseScope(scopeDER, c.RawIssuer)
	for _, p := range parsePoints(pointsDER, c.RawIssuer) {
		if err == nil && s.covers(c, p) {
			n++
		}
	}
	return n
}

// Refresh does once what Run does every so often, and returns when all fetches have ended. Those of before have ended, too:
// who asked has the answer a little earlier.
func (c *Checker) Refresh() {
	c.Idle()
	c.refresh()
	c.Idle()
}

// Idle returns when no fetch is under way.
func (c *Checker) Idle() {
	for {
		c.mu.Lock()
		var f *flight
		for _, one := range c.flights {
			f = one
		}
		c.mu.Unlock()
		if f == nil {
			return
		}
		<-f.done
	}
}

// SetAfter has somebody else say when a fetch takes long; before the first fetch.
func (c *Checker) SetAfter(after func(time.Duration) <-chan time.Time) { c.after = after }

// Room is how many fetches there are at one time, and how many that take long beside them.
func Room() (atOnce, slow, perSource int) { return maxFetches, maxSlow, maxPerSource }

// ListKey is under what a list is kept.
func ListKey(address string, signer *x509.Certificate, other bool) string {
	return listKey("list", address, signer, other)
}

// FetchList begins what somebody begins who did not find a list in memory, and waits for it.
func (c *Checker) FetchList(address string, signer *x509.Certificate) error {
	s := c.settings.Load()
	f, err := c.start(s, listJob(s, "list", address, signer, false), c.o.Now())
	if err != nil {
		return err
	}
	<-f.done
	return f.err
}
