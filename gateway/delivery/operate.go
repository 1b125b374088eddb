package delivery

import (
	"context"
	"errors"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// Why a recipient cannot be returned to the sender.
var (
	ErrNobody = errors.New("its sender cannot be told (the null reverse-path) or does not want to be (NOTIFY); drop it instead")
	ErrAside  = errors.New("it came from outside and was in quarantine, which its sender must not learn; release or drop it")
	ErrHidden = errors.New("what became of it may depend on what an encrypted message holds, which a report would tell its sender; release or drop it")
)

// routeOf gives the way to a recipient of m: the one an operator chose, or the routing of this moment. De-Mail goes by
// its account and by nothing else.
func (s *Scheduler) routeOf(m *queue.Message, row int) (Route, error) {
	rcpt := &m.Recipients[row]
	route, err := Route{}, ErrNoRoute
	switch {
	case m.IsArchive():
		route, err = s.archiveRoute(rcpt)
	case m.Envelope.DeMail != nil:
		route, err = s.o.Router.DeMail(m.Envelope.DeMail.Account)
	case !rcpt.Rerouted:
		route, err = s.o.Router.Route(rcpt.Address)
	case s.o.Chosen != nil:
		route, err = s.o.Chosen(rcpt.Destination, m.Envelope, rcpt.Address)
	}
	if err == nil && route.Transport == nil {
		err = ErrNoRoute
	}
	return route, err
}

// MayReturn returns nil where recipient i of m may be returned to the sender: ErrArchive, ErrNobody, ErrHidden.
func (s *Scheduler) MayReturn(m queue.Message, i int) error {
	switch r := m.Recipients[i]; {
	case m.IsArchive():
		return ErrArchive
	case !report.Wanted(m.Envelope.From, r.Recipient, report.Failed):
		return ErrNobody
	case r.Hidden:
		return ErrHidden
	case wasAside(&m, i):
		return ErrAside
	}
	return nil
}

// Returned writes the report that returns recipients of m, for which MayReturn said yes, to the sender. What was
// tried and heard before is not in it: it may name hosts inside, or what only operators may read.
func (s *Scheduler) Returned(ctx context.Context, m queue.Message, rows []int) (queue.New, error) {
	return s.ReturnedFor(ctx, m, rows, texts.Said{ID: texts.WhyStopped})
}

// ReturnedFor is Returned with a reason for the sender.
func (s *Scheduler) ReturnedFor(_ context.Context, m queue.Message, rows []int, why texts.Said) (queue.New, error) {
	var told []report.Recipient
	for _, i := range rows {
		r := m.Recipients[i]
		if err := s.MayReturn(m, i); err != nil {
			return queue.New{}, err
		}
		told = append(told, report.Recipient{
			Recipient: mail.Recipient{Address: r.Address, Notify: r.Notify, ORcpt: r.ORcpt}, Action: report.Failed, Status: "5.7.0",
			Said: []texts.Said{why}, LastTried: r.LastTried,
		})
	}
	if len(told) == 0 {
		return queue.New{}, ErrNobody
	}
	return s.notify(m, s.headerOf, told)
}
