package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/gateway/quarantine"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Quarantine knows what becomes of copies in quarantine.
type Quarantine interface {
	// Release is what is to be done to recipient i of m, whose copy a person lets go, or why it cannot be.
	Release(m queue.Message, i int, by string) (queue.Order, error)
	// MayReturn returns nil where recipient i of m, whose copy is in quarantine, may be returned to the sender, else why not.
	MayReturn(m queue.Message, i int) error
	// Ends is when a copy that is there since a time is given up; zero: never.
	Ends(since time.Time) time.Time
}

// quarantinePrefix begins the names of acts on what is in quarantine, in the audit log.
const quarantinePrefix = "quarantine-"

// quarantineActs are what a person can decide.
func quarantineActs() map[string]act {
	held := []queue.State{queue.Held}
	return map[string]act{
		quarantinePrefix + "release": {from: held, to: queue.Queued, due: true, kind: track.Released, reply: "released from quarantine"},
		quarantinePrefix + "return":  {from: held, to: queue.Failed, reply: "returned from quarantine to the sender", kind: track.Returned},
		quarantinePrefix + "delete":  {from: held, to: queue.Dropped, reply: "deleted from quarantine", kind: track.Dropped},
	}
}

var (
	errInQuarantine  = errors.New("it is in quarantine; look at it with siegel quarantine show, and decide with siegel quarantine release, return or delete")
	errNotQuarantine = errors.New("it is not in quarantine; see siegel queue list")
	errNoQuarantine  = errors.New("this gateway has no quarantine")
)

// isQuarantine reports whether an act is one on what is in quarantine.
func (j *job) isQuarantine() bool { return quarantineActs()[j.name].from != nil }

// mayQuarantine returns why an act on the quarantine is not done for recipient i of m; nil where it is.
func (j *job) mayQuarantine(m queue.Message, i int) error {
	switch {
	case !m.Recipients[i].InQuarantine():
		return errNotQuarantine
	case j.c.o.Quarantine == nil:
		return errNoQuarantine
	case j.name == quarantinePrefix+"return":
		return j.c.o.Quarantine.MayReturn(m, i)
	case j.name == quarantinePrefix+"release":
		_, err := j.c.o.Quarantine.Release(m, i, j.by)
		return err
	}
	return nil
}

// release lets the copies of a plan go, each on its own way.
func (j *job) release(ctx context.Context, p *plan) error {
	var released []int
	var due []string
	var fault error
	for _, i := range p.rows {
		o, err := j.c.o.Quarantine.Release(p.m, i, j.by)
		if err == nil {
			o.Only, o.From = []int{i}, j.act.from
			_, err = j.c.o.Store.Change(ctx, p.ID, o)
		}
		switch {
		case errors.Is(err, queue.ErrLeased), errors.Is(err, queue.ErrNotFound): // meanwhile
		case err != nil:
			fault = err
		default:
			released, due = append(released, i), append(due, o.Destination)
		}
	}
	p.settle(released)
	if j.c.o.Wake != nil && len(due) > 0 {
		slices.Sort(due)
		j.c.o.Wake(slices.Compact(due)...)
	}
	if len(released) > 0 {
		j.event(p)
	}
	return fault
}

// quarantineOrder does an order on what is in quarantine.
func (c *Control) quarantineOrder(w http.ResponseWriter, r *http.Request) {
	c.carry(w, r, quarantinePrefix+r.PathValue("act"))
}

// message is m as operators see it.
func (c *Control) message(m queue.Message) Message {
	out := newMessage(m)
	for i := range out.Recipients {
		if q := out.Recipients[i].Quarantine; q != nil && out.Recipients[i].InQuarantine && c.o.Quarantine != nil && !q.Since.IsZero() {
			out.Recipients[i].Ends = c.o.Quarantine.Ends(q.Since)
		}
	}
	return out
}

// detailsOf is what is known of a copy that is in quarantine, or was; nil where it never was.
func detailsOf(r queue.Recipient) *quarantine.Details {
	if r.Quarantine == "" {
		return nil
	}
	d, err := quarantine.Decode(r.Quarantine)
	if err != nil {
		d.Why = err.Error()
	}
	return &d
}
