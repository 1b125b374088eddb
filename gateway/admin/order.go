package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Ways knows where messages may go, whatever an operator wants.
type Ways interface {
	// MayReroute returns nil where recipient i of m may be delivered to destination by order, else why not.
	MayReroute(m queue.Message, i int, destination string) error
	// MayReturn returns nil where recipient i of m may be returned to the sender, else why not.
	MayReturn(m queue.Message, i int) error
	// Returned writes the report that returns recipients of m to its sender.
	Returned(ctx context.Context, m queue.Message, recipients []int) (queue.New, error)
}

// workers is how many messages an order changes at once; the store gathers them into few commits.
const workers = 32

// maxReason bounds the reason of a hold.
const maxReason = 300

// act is one thing an operator can do.
type act struct {
	from  []queue.State // what it is done to
	to    queue.State   // what becomes of it; empty: as it was
	due   bool          // now
	reply string
	kind  track.Kind // of the event; empty: none
}

// acts are all of them by name.
func acts() map[string]act {
	queued, held := queue.Queued, queue.Held
	return map[string]act{
		"retry":   {from: []queue.State{queued}, to: queued, due: true},
		"hold":    {from: []queue.State{queued}, to: held, kind: track.Held},
		"release": {from: []queue.State{held}, to: queued, due: true, kind: track.Released},
		"drop":    {from: []queue.State{queued, held}, to: queue.Dropped, reply: "dropped by an operator", kind: track.Dropped},
		"return":  {from: []queue.State{queued, held}, to: queue.Failed, reply: "returned to the sender by an operator", kind: track.Returned},
		"reroute": {from: []queue.State{queued, held}, due: true, kind: track.Rerouted},
	}
}

// Acts are the names of what an operator can do to messages, and what each is done to.
func Acts() map[string][]queue.State {
	all := map[string][]queue.State{}
	for name, a := range acts() {
		all[name] = a.from
	}
	return all
}

// plan is an order for one message.
type plan struct {
	m    queue.Message
	rows []int // to be changed
	Change
	err error
}

// job is an order under way.
type job struct {
	c *Control
	Order
	name string
	act  act
	by   string // who gave it
}

func (c *Control) order(w http.ResponseWriter, r *http.Request) { c.carry(w, r, r.PathValue("act")) }

// carry does the order that a request makes under the name of an act.
func (c *Control) carry(w http.ResponseWriter, r *http.Request, name string) {
	j, err := c.readOrder(r, name)
	if err != nil {
		c.fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTime)
	defer cancel()
	plans, missing, err := j.plan(ctx)
	if err == nil && !j.DryRun {
		err = j.carryOut(ctx, r, plans)
	}
	if err != nil {
		c.fail(w, err)
		return
	}
	out := Changes{Act: j.name, DryRun: j.DryRun, Changed: []Change{}, Missing: missing}
	for _, p := range plans {
		out.Changed = append(out.Changed, p.Change)
	}
	writeJSON(w, http.StatusOK, out)
}

func (c *Control) readOrder(r *http.Request, name string) (job, error) {
	j := job{c: c, name: name, by: caller(r)}
	var known bool
	if j.act, known = acts()[j.name]; !known {
		j.act, known = quarantineActs()[j.name]
	}
	if !known {
		return j, fmt.Errorf("%w: no act is called %.40q", errQuestion, j.name)
	}
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if err := body.Decode(&j.Order); err != nil {
		return j, fmt.Errorf("%w: %w", errQuestion, err)
	}
	strange := func(id mail.ID) bool { return !plausibleID(string(id)) }
	switch {
	case len(j.IDs) == 0 || len(j.IDs) > MaxOrder:
		return j, fmt.Errorf("%w: an order is for 1 to %d ids", errQuestion, MaxOrder)
	case slices.ContainsFunc(j.IDs, strange):
		return j, fmt.Errorf("%w: an id of no message", errQuestion)
	case len(j.Only) > MaxOrder || len(j.Only) > 0 && !j.isQuarantine():
		return j, fmt.Errorf("%w: only decisions on the quarantine name recipients, up to %d", errQuestion, MaxOrder)
	case (j.name == "reroute") != (j.To != ""):
		return j, fmt.Errorf("%w: a reroute names its destination, and nothing else does", errQuestion)
	case (j.name == "hold") != (j.Reason != ""), len(j.Reason) > maxReason, !utf8.ValidString(j.Reason):
		return j, fmt.Errorf("%w: a hold has a reason of up to %d bytes, and nothing else has", errQuestion, maxReason)
	}
	return j, nil
}

// plan finds the messages of an order and says what is to be done to each. Nothing is changed.
func (j *job) plan(ctx context.Context) (plans []*plan, missing []mail.ID, err error) {
	filter := queue.Filter{Recipient: j.Recipient, Destination: j.Destination, State: j.State}
	seen := map[mail.ID]bool{}
	for _, id := range j.IDs {
		list, err := j.c.o.Store.List(ctx, queue.Filter{ID: id, Limit: MaxList})
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 0 {
			missing = append(missing, id)
		}
		for _, m := range list {
			if !seen[m.Envelope.ID] {
				seen[m.Envelope.ID] = true
				plans = append(plans, j.planOne(m, filter))
			}
		}
	}
	return plans, missing, nil
}

func (j *job) planOne(m queue.Message, filter queue.Filter) *plan {
	p := &plan{m: m, Change: Change{ID: m.Envelope.ID}}
	// Of a message that has copies in quarantine the others are not meant.
	beside := j.isQuarantine() && len(j.Only) == 0 && slices.ContainsFunc(m.Recipients, queue.Recipient.InQuarantine)
	for i, r := range m.Recipients {
		if r.State.Final() || !filter.Selects(r) || !j.names(r) || beside && !r.InQuarantine() {
			continue
		}
		address := r.Address.String()
		switch err := j.may(m, i); {
		case r.Busy:
			p.Busy = append(p.Busy, address)
		case err != nil:
			p.Refused = append(p.Refused, Refusal{Recipient: address, Reason: err.Error()})
		default:
			p.rows = append(p.rows, i)
			p.Done = append(p.Done, address)
		}
	}
	return p
}

// names reports whether an order that names recipients names this one.
func (j *job) names(r queue.Recipient) bool {
	return len(j.Only) == 0 || slices.ContainsFunc(j.Only, func(address string) bool { return strings.EqualFold(address, r.Address.String()) })
}

// may returns why an order is not done for recipient i of m; nil where it is.
func (j *job) may(m queue.Message, i int) error {
	switch state := m.Recipients[i].State; {
	case j.isQuarantine():
		return j.mayQuarantine(m, i)
	case m.Recipients[i].InQuarantine():
		return errInQuarantine
	case !slices.Contains(j.act.from, state):
		return map[string]error{
			"retry": errors.New("it is held; release it"), "hold": errors.New("it is held already"),
			"release": errors.New("it is not held; retry it"),
		}[j.name]
	case j.name != "return" && j.name != "reroute":
		return nil
	case j.c.o.Ways == nil:
		return errors.New("this gateway knows no ways")
	case j.name == "return":
		return j.c.o.Ways.MayReturn(m, i)
	}
	return j.c.o.Ways.MayReroute(m, i, j.To)
}

// carryOut does what was planned, after it stands in the audit log.
func (j *job) carryOut(ctx context.Context, r *http.Request, plans []*plan) error {
	record := Act{What: j.name, Detail: j.detail()}
	for _, p := range plans {
		if len(p.rows) > 0 {
			record.Subject = append(record.Subject, string(p.ID))
		}
	}
	if len(record.Subject) == 0 {
		return nil
	}
	if err := j.c.audit(r, record); err != nil {
		return err
	}
	work := make(chan *plan)
	var all sync.WaitGroup
	for range min(workers, len(plans)) {
		all.Go(func() {
			for p := range work {
				p.err = j.carryOutOne(ctx, p)
			}
		})
	}
	for _, p := range plans {
		work <- p
	}
	close(work)
	all.Wait()
	return j.tell(r, plans)
}

// detail is the order in words, for the audit log.
func (j *job) detail() string {
	var words []string
	for _, w := range [][2]string{{"only", strings.Join(j.Only, ", ")}, {"recipient", j.Recipient}, {"destination", j.Destination}, {"state", string(j.State)}, {"reason", j.Reason}, {"to", j.To}} {
		if w[1] != "" {
			words = append(words, fmt.Sprintf("%s %q", w[0], w[1]))
		}
	}
	return strings.Join(words, ", ")
}

// carryOutOne does an order for one message, and corrects the plan to what was done.
func (j *job) carryOutOne(ctx context.Context, p *plan) error {
	if len(p.rows) == 0 {
		return nil
	}
	if j.name == quarantinePrefix+"release" {
		return j.release(ctx, p)
	}
	o := queue.Order{Only: p.rows, From: j.act.from, State: j.act.to, Reply: j.act.reply, Destination: j.To}
	if j.act.due {
		o.Due = j.c.o.Now()
	}
	if j.name == "hold" {
		o.Reply = "held by an operator: " + j.Reason
	}
	if j.name == "return" || j.name == quarantinePrefix+"return" {
		report, err := j.c.o.Ways.Returned(ctx, p.m, p.rows)
		if err != nil {
			p.refuse(err)
			return nil
		}
		o.Reports = []queue.New{report}
	}
	done, err := j.c.o.Store.Change(ctx, p.ID, o)
	switch {
	case errors.Is(err, queue.ErrLeased), errors.Is(err, queue.ErrNotFound): // meanwhile
		p.settle(nil)
		return nil
	case err != nil:
		p.settle(nil)
		return err
	}
	p.settle(done)
	j.record(p, done, o.Reports)
	return nil
}

// refuse turns what was planned into refusals.
func (p *plan) refuse(err error) {
	for _, address := range p.Done {
		p.Refused = append(p.Refused, Refusal{Recipient: address, Reason: err.Error()})
	}
	p.rows, p.Done = nil, nil
}

// settle keeps the rows that were changed; the rest is busy: an attempt took it, or settled it, meanwhile.
func (p *plan) settle(done []int) {
	p.Done = nil
	for _, i := range p.rows {
		if address := p.m.Recipients[i].Address.String(); slices.Contains(done, i) {
			p.Done = append(p.Done, address)
		} else {
			p.Busy = append(p.Busy, address)
		}
	}
	p.rows = done
}

// record tells the recorder what was done to a message, and wakes delivery where there is work.
func (j *job) record(p *plan, done []int, reports []queue.New) {
	var due []string
	for _, r := range reports {
		due = append(due, r.Destinations...)
	}
	for _, i := range done {
		destination := p.m.Recipients[i].Destination
		if j.To != "" {
			destination = j.To
		}
		if j.act.due && !slices.Contains(due, destination) {
			due = append(due, destination)
		}
	}
	if j.c.o.Wake != nil && len(due) > 0 {
		j.c.o.Wake(due...)
	}
	if j.act.kind == "" {
		return
	}
	j.event(p)
	for _, r := range reports {
		j.c.o.Recorder.Record(track.Event{
			Time: j.c.o.Now(), Kind: track.Reported, ID: r.Envelope.ID, Origin: p.m.Origin, To: []string{p.m.Envelope.From.String()},
			Direction: r.Envelope.Direction(), Size: r.Content.Size(), Destination: r.Destinations[0], By: j.by,
		})
	}
}

// event records what was done to a message.
func (j *job) event(p *plan) {
	e := track.Event{
		Time: j.c.o.Now(), Kind: j.act.kind, ID: p.ID, Origin: p.m.Origin, Direction: p.m.Envelope.Direction(),
		From: p.m.Envelope.From.String(), To: p.Done, Size: p.m.Size, Destination: j.To, Reply: j.act.reply, By: j.by,
	}
	if j.name == "hold" {
		e.Reply = j.Reason
	}
	j.c.o.Recorder.Record(e)
}

// tell writes a log line for each message that was changed, with who did it, and returns the first fault of
// the store.
func (j *job) tell(r *http.Request, plans []*plan) (err error) {
	for _, p := range plans {
		if len(p.Done) > 0 {
			j.c.act(r, j.name).WithField("id", string(p.ID)).Info("queue changed by an operator")
		}
		if err == nil {
			err = p.err
		}
	}
	return err
}
