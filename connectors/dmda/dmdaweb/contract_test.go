package dmdaweb

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// hands are a test's on the simulated provider behind its web service.
type hands struct {
	*desk
	http  http.RoundTripper
	down  atomic.Bool
	mu    chan struct{}
	taken []connectortest.Taken
}

// RoundTrip is the way to the provider: when it is down, nobody answers.
func (h *hands) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.down.Load() {
		return nil, errors.New("connect: connection refused")
	}
	return h.http.RoundTrip(r)
}

func (h *hands) Fault(f connectortest.Fault) error {
	h.pass(2 * time.Hour) // what was put off because of the one before is due
	h.down.Store(f == connectortest.Down)
	kind := map[connectortest.Fault]Kind{
		connectortest.Dropped: Drop, connectortest.Lost: Lost, connectortest.Garbled: Garbage, connectortest.Hangs: Hang, connectortest.Huge: Huge,
		connectortest.Refused: Rejected, connectortest.Unentitled: NotEntitled, connectortest.Large: TooLarge, connectortest.Login: Login,
		connectortest.Unavailable: Unavailable, connectortest.KeepsAll: Keep, connectortest.Cut: Cut,
	}[f]
	if kind == "" {
		h.handler.SetFaults()
	} else {
		h.handler.SetFaults(Fault{Kind: kind})
	}
	return nil
}

func (h *hands) login(a string) *dmda.Session {
	s, err := h.provider.Login(address(h.tb, a), demail.LevelHigh, "Test")
	h.check(err)
	return s
}

// Taken empties the mailboxes of those that are written to.
func (h *hands) Taken() ([]connectortest.Taken, error) {
	h.mu <- struct{}{}
	defer func() { <-h.mu }()
	for _, s := range []*dmda.Session{h.login("amt@stadt.de-mail.de"), h.login("post@firma.de-mail.de")} {
		for _, w := range s.List() {
			l, err := s.Get(w.ID)
			if err != nil {
				return nil, err
			}
			if err := h.note(l.Content); err != nil {
				return nil, err
			}
			s.Acknowledge(w.ID)
		}
	}
	return h.taken, nil
}

// note keeps what a message says of how it was submitted. Who is not seen by the others has a message of his own.
func (h *hands) note(content []byte) error {
	header, err := head(held(content))
	if err != nil {
		return err
	}
	m, err := demail.ParseMetadata(header)
	if err != nil || m.Type != demail.TypeNormal {
		return err
	}
	own := slices.DeleteFunc(slices.Clone(header.Fields()), func(f demail.Field) bool { return demail.IsMetadata(f.Name) || f.Is(demail.FieldEnvelopeTo) })
	t := connectortest.Taken{Key: m.PrivateID, Sender: m.Sender, Options: m.Options,
		Content: slices.Concat(demail.NewHeader(own...).Bytes(), content[len(header.Bytes()):])}
	i := slices.IndexFunc(h.taken, func(o connectortest.Taken) bool { return o.Key == t.Key })
	if i < 0 {
		i = len(h.taken)
		h.taken = append(h.taken, t)
	}
	for _, r := range m.Chosen.All() {
		if !slices.Contains(h.taken[i].Recipients, r.Address) {
			h.taken[i].Recipients = append(h.taken[i].Recipients, r.Address)
		}
	}
	return nil
}

func (h *hands) Put(content []byte) error {
	return h.provider.Lay(address(h.tb, "post@firma.de-mail.de"), content)
}

func (h *hands) Waiting() (int, error) { return len(h.login("post@firma.de-mail.de").List()), nil }

func (h *hands) Hung() <-chan struct{} { return h.hung }

func stand(t *testing.T, p *webservice.Profile) connectortest.Stand {
	d := newDesk(t, p)
	h := &hands{desk: d, http: d.http(d.firma).Transport, mu: make(chan struct{}, 1)}
	return connectortest.Stand{
		Provider: d.client(func(o *webservice.Options) { o.HTTP = &http.Client{Transport: h} }), Back: h,
		Sender: address(t, "post@firma.de-mail.de"), Recipient: address(t, "amt@stadt.de-mail.de"), Missing: address(t, "niemand@stadt.de-mail.example"),
		Secrets: []string{password, "SIMULATED-"}, NoDirectory: !p.Has(webservice.OpLookup), Forgets: !p.Has(webservice.OpFind),
	}
}

// The connector keeps the whole contract with the simulated provider behind mutual TLS, with both shipped profiles.
func TestContract(t *testing.T) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			p := profile(t, name, "answer: 4MiB", "answer: 128KiB") // so that too large is not slow
			connectortest.Run(t, func(t *testing.T) connectortest.Stand { return stand(t, p) })
		})
	}
}
