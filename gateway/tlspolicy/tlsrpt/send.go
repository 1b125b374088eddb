package tlsrpt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// sendAll sends several reports, some at once, and tells which need not be tried again.
func (r *Reporter) sendAll(ctx context.Context, s *Settings, rows []row) []bool {
	done := make([]bool, len(rows))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range rows {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			done[i] = r.send(ctx, s, &rows[i])
		})
	}
	all.Wait()
	return done
}

// send tells those who want to know of one domain and day. False where some have to be tried again.
func (r *Reporter) send(ctx context.Context, s *Settings, one *row) (done bool) {
	failures, err := r.tell(ctx, s, one)
	log := r.o.Log.WithField("domain", one.body.Domain).WithField("day", one.day.String())
	if errors.Is(err, ErrNoRecord) {
		return true
	}
	if errors.Is(err, ErrRecord) {
		log.WithError(err).Debug("no report about TLS is sent")
		return true
	}
	if err == nil && failures == 0 {
		return true
	}
	if ctx.Err() != nil { // we end; that is no failure of theirs
		return false
	}
	wait := min(firstRetry<<min(one.tries, 10), longestWait)
	one.tries++
	one.due = r.o.Now().Add(wait)
	if one.due.After(one.until) { // RFC 8460, 5.5: 24 hours
		r.sent.WithLabelValues("none", "expired").Inc()
		log.WithError(err).Warn("a report about TLS could not be handed over within a day and is given up")
		return true
	}
	log.WithError(err).WithField("again", one.due.UTC().Format(time.RFC3339)).Info("a report about TLS could not be handed over; it is tried again")
	return false
}

// How reports are handed over, in metrics and log.
const (
	byMail  = "mail"
	byHTTPS = "https"
)

// tell hands a report to each of those who want it and do not have it yet; failures is how many could not be reached.
func (r *Reporter) tell(ctx context.Context, s *Settings, one *row) (failures int, err error) {
	look, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	record, err := r.record(look, s, one.body.Domain)
	if err != nil {
		return 1, err
	}
	if ok, err := r.within(ctx, one, quotaAbout(one.body.Domain), "*"); err != nil || !ok {
		if err != nil {
			return 1, err
		}
		r.sent.WithLabelValues("none", "dropped").Inc()
		return 0, nil
	}
	id := r.reportID(one)
	sender := Sender{Organization: s.Organization, Contact: s.Contact.String(), Submitter: s.Contact.Domain}
	packed, err := newReport(sender, one.day, id+"@"+sender.Submitter, &one.body.Tally).pack()
	if err != nil {
		return 1, err
	}
	var errs []error
	for _, to := range record.Mail {
		errs = append(errs, r.hand(ctx, one, byMail, to.String(), func() error { return r.mail(ctx, s, one, to, id+"@"+sender.Submitter, packed) }))
	}
	for _, to := range record.Posts {
		if s.Poster != nil {
			errs = append(errs, r.hand(ctx, one, byHTTPS, to, func() error { return s.Poster.post(ctx, to, packed) }))
		}
	}
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	return len(errs), errors.Join(errs...)
}

// hand hands a report to one who wants it, unless they have it, or too many went there.
func (r *Reporter) hand(ctx context.Context, one *row, by, to string, do func() error) error {
	if slices.Contains(one.body.Done, to) {
		return nil
	}
	ok, err := r.within(ctx, one, quotaTo(by, to), to)
	if err == nil && ok {
		err = do()
	}
	if err != nil {
		r.sent.WithLabelValues(by, "failed").Inc()
		return err
	}
	one.body.Done = append(one.body.Done, to)
	if !ok {
		r.sent.WithLabelValues(by, "dropped").Inc()
		return nil
	}
	r.sent.WithLabelValues(by, "sent").Inc()
	r.o.Log.WithField("domain", one.body.Domain).WithField("day", one.day.String()).WithField("by", by).Info("a report about TLS was sent")
	return nil
}

func (r *Reporter) record(ctx context.Context, s *Settings, domain string) (Record, error) {
	texts, err := s.Resolver.LookupTXT(ctx, RecordName(domain))
	if err != nil {
		var temporary interface{ Temporary() bool }
		if errors.As(err, &temporary) && !temporary.Temporary() {
			return Record{}, ErrNoRecord
		}
		return Record{}, err
	}
	return FindRecord(texts)
}

// mail hands a report over by mail.
func (r *Reporter) mail(ctx context.Context, s *Settings, one *row, to mail.Address, reportID string, packed []byte) error {
	l := letter{from: s.From, to: to, domain: one.body.Domain, submitter: s.Contact.Domain, day: one.day, id: reportID, packed: packed}
	var distinct [7]byte
	copy(distinct[:], r.key.MAC([]byte("mail "+reportID+" "+to.Key())))
	env, content := l.message(r.o.Now(), mail.IDOf((one.day+1).Start(), distinct))
	if err := r.o.Mail(ctx, env, content); err != nil {
		return fmt.Errorf("tlsrpt: by mail: %w", err)
	}
	return nil
}

// reportID is the left part of what a report is called: the same each time.
func (r *Reporter) reportID(one *row) string {
	return one.day.String() + "." + hex.EncodeToString(r.key.MAC([]byte("report " + one.day.String() + " " + one.body.Domain))[:10])
}
