package tlsrpt

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// Resolver finds TXT records. *dns.Resolver is one. Its errors are those of package dns.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// Settings say in whose name is reported, and how. They may be changed while a Reporter works.
type Settings struct {
	From         mail.Address // of mails; zero: nobody is told anything
	Contact      mail.Address // who is asked about reports, of the domain of From; zero: From
	Organization string       // empty: the domain of From
	// Hour is when the reports of a day begin to be sent, in hours after its end. They are spread over the four that follow (RFC 8460, 4.1).
	Hour int
	// SendingIPs are our ends of connections as the internet sees them, one of each family, where ours are translated on the way. They are told
	// of sessions that begin at an address inside.
	SendingIPs []netip.Addr
	Resolver   Resolver
	Poster     *Poster // for those who want reports by HTTPS; nil: they get none
}

func (s Settings) on() bool { return !s.From.IsNull() && s.Resolver != nil }

// Options of a Reporter. Dir, Key and Mail are needed.
type Options struct {
	Dir string     // of what was counted; made, mode 0700, where it is missing
	Key atrest.Key // the at-rest key
	// Mail takes a mail with a report and returns nil once it will be delivered, or given up, without further ado. The same report has the
	// same id each time. It signs with the fields of [SignedFields] among others.
	Mail func(ctx context.Context, env mail.Envelope, content mail.Content) error
	Now  func() time.Time   // nil: time.Now
	Log  logrus.FieldLogger // nil: none
	// Delay is a random time below max; nil: any.
	Delay func(max time.Duration) time.Duration
}

const (
	flushPause  = 15 * time.Second
	sendPause   = time.Minute
	lastFlush   = 10 * time.Second
	spread      = 4 * time.Hour
	leastDelay  = 10 * time.Minute // after the end of a day: what was counted in its last minute is written by then
	firstRetry  = 10 * time.Minute
	longestWait = 4 * time.Hour
	keptDays    = 3
	lookUpTime  = 30 * time.Second
	atOnce      = 8   // reports that are sent at the same time
	batch       = 200 // that are sent in one go
)

// Reporter keeps what a Collector counts and sends the reports. Run does all its work; the other methods may be called at once.
type Reporter struct {
	o         Options
	collector *Collector
	settings  atomic.Pointer[Settings]
	sent      *prometheus.CounterVec

	key atrest.Key

	sending sync.Mutex // one Send at a time
	work    sync.Mutex // of store and what follows
	store   *store     // nil: to be opened
	tried   time.Time
	swept   time.Time
	fault   atomic.Pointer[error] // what keeps from writing
	waiting atomic.Int64          // reports that are not sent
}

// New makes a Reporter. It touches no file before it is told to report.
func New(o Options, s Settings) (*Reporter, error) {
	if o.Dir == "" || o.Key.IsZero() || o.Mail == nil {
		return nil, errors.New("tlsrpt: a folder, the at-rest key and a way to send mail are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		silent := logrus.New()
		silent.SetOutput(io.Discard)
		o.Log = silent
	}
	if o.Delay == nil {
		o.Delay = func(limit time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(limit))) }
	}
	r := &Reporter{o: o, key: o.Key.Derive(purpose), collector: NewCollector(o.Now), sent: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "siegel_tls_reports_total", Help: "Reports about TLS by how they went and what came of it.",
	}, []string{"by", "result"})}
	r.Set(s)
	return r, nil
}

// Collector is what outcomes are noted in.
func (r *Reporter) Collector() *Collector { return r.collector }

// Set puts other settings into force.
func (r *Reporter) Set(s Settings) {
	if s.Contact.IsNull() {
		s.Contact = s.From
	}
	s.Organization = cmp.Or(s.Organization, s.From.Domain)
	r.settings.Store(&s)
	r.collector.set(s.on(), s.SendingIPs)
}

// Run writes and reports until ctx ends, then returns nil. Close comes after it.
func (r *Reporter) Run(ctx context.Context) error {
	var sender sync.WaitGroup
	sender.Go(func() {
		for tick := time.NewTicker(sendPause); ; {
			select {
			case <-tick.C:
				r.Send(ctx)
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	for tick := time.NewTicker(flushPause); ; {
		select {
		case <-tick.C:
			r.Flush(ctx)
		case <-r.collector.full:
			r.Flush(ctx)
		case <-ctx.Done():
			tick.Stop()
			sender.Wait()
			return nil
		}
	}
}

// Close writes what was counted last and closes the store. Run has returned, or was never called; a second call does nothing.
func (r *Reporter) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastFlush)
	defer cancel()
	r.Flush(ctx)
	r.work.Lock()
	defer r.work.Unlock()
	if r.store == nil {
		return nil
	}
	err := r.store.db.Close()
	r.store = nil
	return err
}

// Check is why what is counted cannot be kept; nil where it can.
func (r *Reporter) Check() error {
	if err := r.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush writes what was counted. Where that fails it is kept in memory, as far as there is room, and tried again.
func (r *Reporter) Flush(ctx context.Context) {
	r.work.Lock()
	defer r.work.Unlock()
	counted := r.collector.take()
	if len(counted) == 0 && r.fault.Load() == nil || !r.settings.Load().on() {
		return
	}
	if !r.ready(ctx) {
		r.collector.putBack(counted)
		return
	}
	lost, err := r.store.add(ctx, counted, r.due)
	if err != nil {
		r.collector.putBack(counted)
		r.failed(err)
		return
	}
	r.collector.lost.Add(lost)
	if r.fault.Swap(nil) != nil {
		r.o.Log.Info("What is counted for reports about TLS is kept again.")
	}
}

// due is when the report of a day is sent.
func (r *Reporter) due(day Day) time.Time {
	after := time.Duration(r.settings.Load().Hour) * time.Hour
	return (day + 1).Start().Add(max(after, leastDelay) + r.o.Delay(spread))
}

// ready opens the store where it is not open. r.work is held.
func (r *Reporter) ready(ctx context.Context) bool {
	if r.store != nil {
		return true
	}
	now := r.o.Now()
	if r.fault.Load() != nil && now.Sub(r.tried) < sendPause && now.After(r.tried) {
		return false
	}
	r.tried = now
	s, err := openStore(ctx, r.o.Dir, r.o.Key)
	if err != nil && ctx.Err() == nil && (sqldb.FaultOf(err) == sqldb.Corruption || errors.Is(err, errKey)) {
		s, err = r.anew(ctx, err)
	}
	if err != nil {
		r.failed(err)
		return false
	}
	r.store = s
	return true
}

// anew begins with an empty store in place of one that cannot be used: what it counted is no evidence.
func (r *Reporter) anew(ctx context.Context, cause error) (*store, error) {
	aside, err := setAside(r.o.Dir, r.o.Now())
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	r.o.Log.WithError(cause).WithField("file", aside).Error("What was counted for reports about TLS cannot be used; it was set aside, and counting begins anew. The reports of these days are not complete.")
	return openStore(ctx, r.o.Dir, r.o.Key)
}

// failed notes what went wrong. A store that may not be sound is opened, and so checked, again. r.work is held.
func (r *Reporter) failed(err error) {
	before := r.Check()
	r.fault.Store(&err)
	if r.store != nil && sqldb.FaultOf(err) != sqldb.Full {
		r.store.db.Close()
		r.store = nil
	}
	if before == nil || before.Error() != err.Error() {
		r.o.Log.WithError(err).Warn("What is counted for reports about TLS cannot be kept; it is tried again. Mail goes on.")
	}
}

// Send sends the reports that are due, and returns when they are sent or put off.
func (r *Reporter) Send(ctx context.Context) {
	r.sending.Lock()
	defer r.sending.Unlock()
	s := r.settings.Load()
	if !s.on() {
		return
	}
	for r.withStore(ctx, r.sweep) {
		var rows []row
		if !r.withStore(ctx, func(ctx context.Context, st *store) (err error) {
			rows, err = st.due(ctx, r.o.Now(), batch)
			return err
		}) || len(rows) == 0 {
			return
		}
		done := r.sendAll(ctx, s, rows)
		// Who has a report must not be forgotten, where we end too.
		if !r.withStore(context.WithoutCancel(ctx), func(ctx context.Context, st *store) error { return st.settle(ctx, rows, done) }) || ctx.Err() != nil {
			return
		}
	}
}

// withStore does something with the store; false where that could not be done.
func (r *Reporter) withStore(ctx context.Context, do func(context.Context, *store) error) bool {
	r.work.Lock()
	defer r.work.Unlock()
	if !r.ready(ctx) {
		return false
	}
	err := do(ctx, r.store)
	if err != nil && ctx.Err() == nil {
		r.failed(err)
	}
	return err == nil
}

// sweep forgets what is too old to be told, and counts what waits.
func (r *Reporter) sweep(ctx context.Context, s *store) error {
	now := r.o.Now()
	if now.Sub(r.swept) > time.Hour || now.Before(r.swept) {
		old, err := s.prune(ctx, DayOf(now)-keptDays)
		r.sent.WithLabelValues("none", "expired").Add(float64(old))
		if err != nil {
			return err
		}
		r.swept = now
	}
	n, err := s.waiting(ctx, now)
	r.waiting.Store(n)
	return err
}

// Collectors are metrics:
//
//	siegel_tls_outcomes_total{policy,result}   outgoing sessions, reported or not
//	siegel_tls_reports_total{by,result}        reports: by mail or https, sent, failed at a try, dropped: too many; none: about a domain, expired or dropped
//	siegel_tls_reports_waiting                 reports of days that have ended and are not sent
//	siegel_tls_outcomes_dropped_total          sessions that reports do not count since there was no room
func (r *Reporter) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		r.collector.outcomes, r.sent,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "siegel_tls_reports_waiting", Help: "Reports about TLS that are to be sent."},
			func() float64 { return float64(r.waiting.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "siegel_tls_outcomes_dropped_total", Help: "Sessions that reports about TLS do not count for lack of room."},
			func() float64 { return float64(r.collector.lost.Load()) }),
	}
}
