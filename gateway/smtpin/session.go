package smtpin

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode"

	smtp "github.com/emersion/go-smtp"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

// session is what go-smtp calls: one per conversation, on the door's goroutine.
type session struct {
	door   *door
	talk   *smtp.Conn
	user   string        // who is logged in
	mayUse mail.Patterns // what the user may send as
	named  string        // Message-ID of the message that was read last
	tx     *transaction  // nil before MAIL
}

// transaction is what MAIL and RCPT said.
type transaction struct {
	from       mail.Address
	recipients []mail.Recipient
	opts       smtp.MailOptions
}

// Reset forgets the transaction.
func (s *session) Reset() { s.tx = nil }

// Logout ends the session.
func (s *session) Logout() error {
	s.tx = nil
	return nil
}

// Mail begins a transaction (RFC 5321, 4.1.1.2).
func (s *session) Mail(_ string, opts *smtp.MailOptions) error {
	from, err := s.mail(opts)
	if err != nil {
		return s.refused(err, s.door.site.Role != External, track.Event{From: from.String()})
	}
	s.tx = &transaction{from: from, opts: *opts}
	return nil
}

func (s *session) mail(opts *smtp.MailOptions) (mail.Address, error) {
	site := s.door.site
	switch {
	case s.tx != nil:
		return mail.Address{}, status.Refuse(503, "5.5.1", "a message was begun already")
	case site.RequireTLS && !s.door.secured():
		return mail.Address{}, status.Say(nil, 530, "5.7.0", texts.DoorTLS, texts.Values{})
	case site.Clients != nil && s.door.proof.name == "":
		return mail.Address{}, s.door.proof.refusal(s.door.secured())
	case site.Role == Submission && s.user == "":
		return mail.Address{}, status.Say(nil, 530, "5.7.0", texts.DoorLogin, texts.Values{})
	}
	from, err := parsePath(s.door.line, "FROM")
	if err != nil {
		return mail.Address{}, err
	}
	if from.utf8 && !opts.UTF8 {
		return from.Address, status.Refuse(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8")
	}
	if server, c := s.door.server, s.door.client; server.spent(site, c, sending) || server.spent(site, c, octets) {
		return from.Address, errTooMuch
	}
	if !s.maySend(from.Address) {
		return from.Address, errNotFrom(from.Address)
	}
	return from.Address, nil
}

// permitted is what the submitter may use as From.
func (s *session) permitted() mail.Patterns {
	if s.user != "" {
		return s.mayUse
	}
	return s.door.site.permitted()
}

func (s *session) maySend(from mail.Address) bool { return s.door.site.maySend(s.permitted(), from) }

// Rcpt adds a recipient (RFC 5321, 4.1.1.3).
func (s *session) Rcpt(_ string, opts *smtp.RcptOptions) error {
	r, err := s.rcpt(opts)
	if err != nil {
		var from string
		if s.tx != nil {
			from = s.tx.from.String()
		}
		e := track.Event{From: from}
		if !r.Address.IsNull() {
			e.To = []string{r.Address.String()}
		}
		return s.refused(err, s.door.site.Role != External, e)
	}
	for _, known := range s.tx.recipients {
		if known.Address == r.Address {
			return nil
		}
	}
	s.tx.recipients = append(s.tx.recipients, r)
	return nil
}

func (s *session) rcpt(opts *smtp.RcptOptions) (mail.Recipient, error) {
	if s.tx == nil {
		return mail.Recipient{}, status.Refuse(503, "5.5.1", "MAIL comes before RCPT")
	}
	to, err := parsePath(s.door.line, "TO")
	if err != nil {
		return mail.Recipient{}, err
	}
	r := mail.Recipient{Address: to.Address}
	if to.utf8 && !s.tx.opts.UTF8 {
		return r, status.Refuse(553, "5.6.7", "an address beyond ASCII needs SMTPUTF8")
	}
	if err := s.door.site.mayReach(s.door.server.handling, to.Address); err != nil {
		return r, err
	}
	if err := s.room(to.Address); err != nil {
		return r, err
	}
	for _, n := range opts.Notify {
		r.Notify = append(r.Notify, string(n))
	}
	if opts.OriginalRecipient != "" {
		r.ORcpt = strings.ToLower(string(opts.OriginalRecipientType)) + ";" + opts.OriginalRecipient
	}
	if strings.ContainsFunc(r.ORcpt, unicode.IsControl) {
		return r, status.Refuse(501, "5.5.4", "the ORCPT parameter holds a control character")
	}
	if !s.door.server.spend(s.door.site, s.door.client, addressing, 1) {
		return r, errTooManyOver
	}
	return r, nil
}

// Data takes the message (RFC 5321, 4.1.1.4). What go-smtp offers to read is the end of it only: the door has
// the octets.
func (s *session) Data(io.Reader) error {
	start := time.Now()
	f := s.door.newFrame()
	env := s.envelope()
	s.named = ""
	size, err := s.receive(f, &env)
	s.door.server.note(s.door.site, s.door.client, sending, 1)
	s.door.server.note(s.door.site, s.door.client, octets, size)
	e := track.Event{
		Time: s.door.site.Now(), ID: env.ID, Origin: env.ID, From: env.From.String(), Size: size, MessageID: s.named, Elapsed: time.Since(start),
	}
	for _, r := range env.Recipients {
		e.To = append(e.To, r.Address.String())
	}
	if err != nil {
		return s.refused(err, env.Internal, e)
	}
	s.door.messages++
	s.door.bytes += size
	s.door.idle, s.door.fresh = 0, time.Now()
	reply := status.Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "queued as " + string(env.ID)}
	e.Kind, e.Direction, e.Client, e.Reply = track.Accepted, s.door.direction(), env.Client, reply.String()
	s.door.site.Recorder.Record(e)
	return smtpError(reply)
}

// envelope is the transaction as the rest of the gateway sees it.
func (s *session) envelope() mail.Envelope {
	site, now := s.door.site, s.door.site.Now()
	env := mail.Envelope{
		ID: mail.NewID(now), Internal: site.Role != External, MayUse: s.permitted(),
		Client: s.client(), Received: now,
	}
	if tx := s.tx; tx != nil {
		env.From, env.Recipients = tx.from, tx.recipients
		env.Body8Bit = tx.opts.Body == smtp.Body8BitMIME
		env.SMTPUTF8 = tx.opts.UTF8
		env.Ret, env.EnvID = string(tx.opts.Return), tx.opts.EnvelopeID
	}
	return env
}

func (s *session) client() mail.Client {
	c := s.door.describe(s.talk.Hostname())
	c.User = s.user
	return c
}

// room asks whether there is room for a recipient of an external listener.
func (s *session) room(to mail.Address) error {
	return s.door.site.room(s.door.server.handling, to, s.tx.opts.Size)
}

// refused records a refusal, in the words for people inside or for others, and turns it into what go-smtp recognises: a bare *smtp.SMTPError, since from any
// other error it would make a permanent failure that tells the text of the error.
func (s *session) refused(err error, inside bool, e track.Event) error {
	reply := status.In(s.door.site.words(inside), err)
	if errors.Is(err, errAborted) || errors.Is(err, errBroken) {
		return smtpError(reply)
	}
	site := s.door.site
	e.Kind, e.Time, e.Direction, e.Client, e.Reply = track.Refused, site.Now(), s.door.direction(), s.client(), reply.String()
	site.Recorder.Record(e)
	if !status.Known(err) {
		site.Log.WithError(err).WithFields(logrus.Fields{"id": e.ID, "listener": site.Name}).Error("smtpin: a message was put off")
	}
	return smtpError(reply)
}

func smtpError(r status.Reply) error {
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: r.Enhanced, Message: r.Text}
}

func refusal(code int, enhanced, text string) error {
	return smtpError(status.For(status.Refuse(code, enhanced, text)))
}
