package inbox_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/inbox/anchors"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

const (
	host    = "gateway.firma.example"
	account = "telekom"
)

// alarm is one that was given.
type alarm struct{ subject, text string }

// stand is an inbox between a simulated provider and a queue.
type stand struct {
	testing.TB
	o         inbox.Options
	mu        sync.Mutex
	time      time.Time
	net       *dmda.Network
	a, b      *dmda.Simulated
	authority *dmda.Authority
	record    *proof.Store
	queue     *sqlqueue.Store
	alarms    []alarm
	events    []track.Event
	inside    mail.Patterns
	keys      int
	author    string // of what is sent; empty: erika@firma.example
	lost      string // to whom nothing leads
}

func (s *stand) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.time
}

func (s *stand) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.time = s.time.Add(d)
}

// Record implements track.Recorder.
func (s *stand) Record(e track.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// Inside implements inbox.Ways.
func (s *stand) Inside(a mail.Address) bool { return s.inside.Match(a) }

// Destination implements inbox.Ways.
func (s *stand) Destination(a mail.Address) (string, time.Duration, error) {
	if !s.Inside(a) || a.String() == s.lost {
		return "", 0, errors.New("no route")
	}
	return "exchange", 48 * time.Hour, nil
}

func deMail(t testing.TB, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	must(t, err)
	return a
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	must(t, err)
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newStand is a company at one provider and a town hall at another.
func newStand(t testing.TB) *stand {
	t.Helper()
	s := &stand{TB: t, time: time.Date(2026, 11, 26, 10, 0, 0, 0, time.FixedZone("CET", 3600))}
	s.net = dmda.NewNetwork(s.now)
	var err error
	s.authority, err = dmda.NewAuthority(s.now())
	must(t, err)
	s.a, s.b = s.provider("dmda-a.example", s.authority), s.provider("dmda-b.de-mail.de", s.authority)
	must(t, s.a.Open(dmda.Account{Holder: "Firma GmbH", Addresses: []demail.Address{deMail(t, "post@firma.de-mail.de")}, Domains: []string{"firma.de-mail.de"}, Highest: demail.LevelHigh}))
	must(t, s.b.Open(dmda.Account{Holder: "Stadt", Addresses: []demail.Address{deMail(t, "amt@stadt.de-mail.de")}, Highest: demail.LevelHigh, PublicBody: true}))
	must(t, s.b.Open(dmda.Account{Holder: "Zu", Addresses: []demail.Address{deMail(t, "zu@stadt.de-mail.de")}, Highest: demail.LevelHigh, Closed: true}))
	key := atrest.NewKey()
	s.record, err = proof.Open(t.Context(), proof.Options{Dir: t.TempDir(), Key: key, Now: s.now, Terms: proof.Terms{Overdue: proof.Overdue{Dispatch: time.Hour, Receipt: 24 * time.Hour}}})
	must(t, err)
	t.Cleanup(func() { s.record.Close() })
	s.queue, err = sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: t.TempDir(), Key: key, Now: s.now})
	must(t, err)
	t.Cleanup(func() { s.queue.Close() })
	spool, err := atrest.NewSpool(t.TempDir(), key, 0)
	must(t, err)
	s.inside, err = mail.ParsePatterns("@firma.example")
	must(t, err)
	s.o = inbox.Options{
		Account: account, Provider: dmda.Connector{Session: s.login(s.a, "post@firma.de-mail.de")}, Record: s.record, Queue: s.queue, Ways: s,
		Verifier:  demail.Verifier{Trust: anchors.New([]*x509.Certificate{s.authority.Certificate}, nil)},
		Mailboxes: map[demail.Address]mail.Address{deMail(t, "post@firma.de-mail.de"): address(t, "office@firma.example")},
		Fallback:  address(t, "fallback@firma.example"), Service: inbox.Service{Receipt: true}, Tell: []mail.Address{address(t, "legal@firma.example")},
		Clean:   func(h *entity.Header) { smtpin.Firewall(h, host, false) },
		Spool:   spool,
		Entered: func(queue.New) {},
		Alarm: func(_ context.Context, id texts.ID, v texts.Values) {
			subject, text := (*texts.Texts)(nil).Notice(id, v)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.alarms = append(s.alarms, alarm{subject, text})
		},
		Recorder: s, Hostname: host, Now: s.now,
	}
	return s
}

func (s *stand) provider(domain string, by *dmda.Authority) *dmda.Simulated {
	s.Helper()
	seal, err := by.Sealer(domain, s.now())
	must(s, err)
	p, err := s.net.Add(domain, seal)
	must(s, err)
	return p
}

func (s *stand) login(p *dmda.Simulated, a string) *dmda.Session {
	s.Helper()
	session, err := p.Login(deMail(s, a), demail.LevelHigh, "card")
	must(s, err)
	return session
}

func (s *stand) inbox() *inbox.Inbox {
	s.Helper()
	i, err := inbox.New(s.o)
	must(s, err)
	return i
}

// fetch fetches once, and fails where that does.
func (s *stand) fetch() {
	s.Helper()
	must(s, s.inbox().Fetch(s.Context()))
}

// content is one in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

// text is a message, From and To of which are as given.
func text(from, to, rest string) content {
	return content("From: " + from + "\r\nTo: " + to + "\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@" + from[strings.IndexByte(from, '@')+1:] + ">\r\n" + rest)
}

// arrive has the town hall send something to the company.
func (s *stand) arrive(to string, o demail.Options, rest string) {
	s.Helper()
	s.keys++
	_, err := s.login(s.b, "amt@stadt.de-mail.de").Submit(connectors.Message{
		Key: "town" + strings.Repeat("x", s.keys), Sender: deMail(s, "amt@stadt.de-mail.de"), Options: o,
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: deMail(s, to)}}}, Content: text("amt@stadt.de-mail.de", to, rest),
	})
	must(s, err)
}

// send has the company send something, which is in the record as the gateway has it. It returns its key.
func (s *stand) send(to string, o demail.Options) string {
	s.Helper()
	return s.sendText(to, o, "Bitte.")
}

func (s *stand) sendText(to string, o demail.Options, body string) string {
	s.Helper()
	s.keys++
	c := text("post@firma.de-mail.de", to, "Subject: =?utf-8?Q?Antrag_auf_Verl=C3=A4ngerung?=\r\n\r\n"+body+"\r\n")
	sub := proof.Submission{
		ID: mail.NewID(s.now()), Account: account, Sender: deMail(s, "post@firma.de-mail.de"), Author: address(s, cmp.Or(s.author, "erika@firma.example")),
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: deMail(s, to)}}}, Options: o, Subject: "Antrag auf Verlängerung",
		MessageID: "<1@firma.de-mail.de>", Accepted: s.now(), Content: c,
	}
	sub.Key, sub.Origin = string(sub.ID)+"@"+host, sub.ID
	_, err := s.record.Begin(s.Context(), sub)
	must(s, err)
	receipt, err := s.login(s.a, "post@firma.de-mail.de").Submit(connectors.Message{Key: sub.Key, Sender: sub.Sender, Recipients: sub.Recipients, Options: o, Content: c})
	must(s, err)
	must(s, s.record.Settle(s.Context(), sub.Key, proof.Result{State: proof.Taken, Receipt: receipt, Time: s.now()}))
	return sub.Key
}

// queued is what is in the queue for an address, each with its content.
type queued struct {
	queue.Message
	header entity.Header
	all    []byte
}

func (s *stand) queued(to string) (out []queued) {
	s.Helper()
	list, err := s.queue.List(s.Context(), queue.Filter{})
	must(s, err)
	for _, m := range list {
		if !slices.ContainsFunc(m.Recipients, func(r queue.Recipient) bool { return to == "" || r.Address == address(s, to) }) {
			continue
		}
		r, err := s.queue.Open(s.Context(), m.Envelope.ID)
		must(s, err)
		all, err := io.ReadAll(r)
		must(s, err)
		h, _, err := entity.Read(bytes.NewReader(all), 1<<20)
		must(s, err)
		out = append(out, queued{m, h, all})
	}
	return out
}

// one is the only message for an address.
func (s *stand) one(to string) queued {
	s.Helper()
	all := s.queued(to)
	if len(all) != 1 {
		s.Fatalf("%d messages for %s", len(all), to)
	}
	return all[0]
}

// lying is how many messages lie with the provider.
func (s *stand) lying() int { return len(s.login(s.a, "post@firma.de-mail.de").List()) }

func (q queued) field(name string) string {
	v, _ := q.header.Get(name)
	return v
}

// decoded is the text of a letter, without its breaks of lines.
func decoded(t testing.TB, q queued) string {
	t.Helper()
	return strings.Join(strings.Fields(written(t, q)), " ")
}

// written is the same line by line.
func written(t testing.TB, q queued) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(q.field("Content-Type"))
	must(t, err)
	_, body, _ := strings.Cut(string(q.all), "\r\n\r\n")
	part, err := multipart.NewReader(strings.NewReader(body), params["boundary"]).NextPart()
	must(t, err)
	text, err := io.ReadAll(part)
	must(t, err)
	return string(text)
}

// attached is what a letter holds beside its text, with the type of its part, byte for byte.
func attached(t testing.TB, q queued) (kind string, content []byte) {
	t.Helper()
	_, params, err := mime.ParseMediaType(q.field("Content-Type"))
	must(t, err)
	_, body, _ := strings.Cut(string(q.all), "\r\n\r\n")
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	_, err = r.NextPart()
	must(t, err)
	part, err := r.NextRawPart()
	must(t, err)
	content, err = io.ReadAll(part)
	must(t, err)
	if part.Header.Get("Content-Transfer-Encoding") == "base64" {
		content, err = io.ReadAll(entity.NewBase64Reader(bytes.NewReader(content)))
		must(t, err)
	}
	return part.Header.Get("Content-Type"), content
}

// arrivals are what the record says was fetched, the newest first.
func (s *stand) arrivals() []proof.Arrival {
	s.Helper()
	list, _, err := s.record.Arrivals(s.Context(), proof.Filter{})
	must(s, err)
	return list
}

func patterns(t testing.TB, texts ...string) mail.Patterns {
	t.Helper()
	p, err := mail.ParsePatterns(texts...)
	must(t, err)
	return p
}
