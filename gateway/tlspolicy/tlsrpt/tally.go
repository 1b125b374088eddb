package tlsrpt

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Day is a day in UTC, counted from 1 January 1970.
type Day int

const dayLength = 24 * time.Hour

// DayOf is the day of a moment.
func DayOf(t time.Time) Day { return Day(t.Unix() / int64(dayLength/time.Second)) }

// Start is the first moment of the day. That of the next day is its end.
func (d Day) Start() time.Time { return time.Unix(int64(d)*int64(dayLength/time.Second), 0).UTC() }

// String is the date.
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// The bounds of what is counted of one domain on one day.
const (
	maxPolicies = 32
	maxFailures = 100 // kinds of failures under one policy that are told apart
)

// Tally is what was counted for one domain on one day. The zero value has counted nothing.
type Tally struct {
	Policies []Count
}

// Count is what was counted under one policy.
type Count struct {
	Policy    Policy
	Successes uint64
	Failures  []Failure
}

// Failure is how often a session failed in one way.
type Failure struct {
	Result      Result
	SendingIP   netip.Addr
	ReceivingIP netip.Addr
	MX          string
	HELO        string
	Reason      string
	Sessions    uint64
}

// sameKind compares all but the number.
func (f Failure) sameKind(g Failure) bool {
	f.Sessions, g.Sessions = 0, 0
	return f == g
}

// add counts an outcome; false where there is no room.
func (t *Tally) add(o Outcome) bool {
	one := Tally{Policies: []Count{{Policy: o.Policy}}}
	if o.Result == Success {
		one.Policies[0].Successes = 1
	} else {
		one.Policies[0].Failures = []Failure{{o.Result, o.SendingIP, o.ReceivingIP, o.MX, o.HELO, o.Reason, 1}}
	}
	return t.merge(&one) == 0
}

// merge adds what another has counted, and returns how many sessions found no room.
func (t *Tally) merge(other *Tally) (lost uint64) {
	for _, c := range other.Policies {
		i := slices.IndexFunc(t.Policies, func(have Count) bool { return have.Policy.equal(c.Policy) })
		if i < 0 {
			if len(t.Policies) >= maxPolicies {
				lost += c.sessions()
				continue
			}
			i = len(t.Policies)
			t.Policies = append(t.Policies, Count{Policy: c.Policy.clone()})
		}
		t.Policies[i].Successes += c.Successes
		for _, f := range c.Failures {
			t.Policies[i].fail(f)
		}
	}
	return lost
}

// fail counts failures of one kind. Where too many kinds are told apart already, only their result is.
func (c *Count) fail(f Failure) {
	same := func(have Failure) bool { return have.sameKind(f) }
	i := slices.IndexFunc(c.Failures, same)
	if i < 0 && len(c.Failures) >= maxFailures {
		f = Failure{Result: f.Result, Sessions: f.Sessions}
		i = slices.IndexFunc(c.Failures, same)
	}
	if i < 0 {
		c.Failures = append(c.Failures, f)
		return
	}
	c.Failures[i].Sessions += f.Sessions
}

// weight is about how many bytes the tally takes in memory, and as JSON.
func (t *Tally) weight() (n int) {
	for _, c := range t.Policies {
		n += 200 + len(c.Policy.Domain)
		for _, list := range [][]string{c.Policy.Strings, c.Policy.MX} {
			for _, s := range list {
				n += 20 + len(s)
			}
		}
		for _, f := range c.Failures {
			n += 300 + len(f.MX) + len(f.HELO) + len(f.Reason)
		}
	}
	return n
}

func (c Count) failed() (n uint64) {
	for _, f := range c.Failures {
		n += f.Sessions
	}
	return n
}

func (c Count) sessions() uint64 { return c.Successes + c.failed() }

func (t *Tally) sessions() (n uint64) {
	for _, c := range t.Policies {
		n += c.sessions()
	}
	return n
}

// sort puts what was counted in an order that does not depend on when.
func (t *Tally) sort() {
	slices.SortStableFunc(t.Policies, func(a, b Count) int {
		return cmp.Or(strings.Compare(string(a.Policy.Type), string(b.Policy.Type)), strings.Compare(a.Policy.Domain, b.Policy.Domain),
			slices.Compare(a.Policy.Strings, b.Policy.Strings))
	})
	for _, c := range t.Policies {
		slices.SortStableFunc(c.Failures, func(a, b Failure) int {
			return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), strings.Compare(string(a.Result), string(b.Result)), strings.Compare(a.MX, b.MX),
				a.ReceivingIP.Compare(b.ReceivingIP))
		})
	}
}

func (p Policy) equal(q Policy) bool {
	return p.Type == q.Type && p.Domain == q.Domain && slices.Equal(p.Strings, q.Strings) && slices.Equal(p.MX, q.MX)
}

func (p Policy) clone() Policy {
	p.Strings, p.MX = slices.Clone(p.Strings), slices.Clone(p.MX)
	return p
}
