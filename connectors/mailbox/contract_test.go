package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/secret"
)

func address(tb testing.TB, s string) demail.Address {
	tb.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// back is an account of a house, in the hands of connectortest.
type back struct {
	*house
	user    string
	visitor *visitor
	fault   atomic.Int32
	hours   atomic.Int32
	hung    chan struct{}
}

func (h *house) account(user string) *back {
	b := &back{house: h, user: user, visitor: h.visit(user), hung: make(chan struct{}, 64)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keep[b.sender()] = func(content []byte) error { return b.visitor.put("Sent", content) }
	return b
}

func (b *back) sender() string { return b.user + "@firma.de-mail.de" }

func (b *back) now() connectortest.Fault { return connectortest.Fault(b.fault.Load()) }

// Fault begins one.
func (b *back) Fault(f connectortest.Fault) error {
	b.fault.Store(int32(f))
	b.hours.Add(2) // a login that was refused may be tried again
	return nil
}

// Hung tells of requests that hang.
func (b *back) Hung() <-chan struct{} { return b.hung }

// Put lays down a message.
func (b *back) Put(content []byte) error { return b.visitor.put("INBOX", content) }

// Waiting counts them.
func (b *back) Waiting() (int, error) { return b.visitor.count("INBOX") }

// Taken are those that were submitted.
func (b *back) Taken() ([]connectortest.Taken, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []connectortest.Taken
	for _, d := range b.taken[b.sender()] {
		h, err := demail.ReadHeader(bufio.NewReader(bytes.NewReader(d.content)))
		if err != nil {
			return nil, err
		}
		is := func(name string) bool { f, _ := h.First(name); return f.Value() == "yes" }
		key, _ := h.First(demail.FieldPrivateID)
		t := connectortest.Taken{
			Key: key.Value(), Sender: address(b.tb, b.sender()), Content: d.content,
			Options: demail.Options{Dispatch: is(demail.FieldDispatch), Receipt: is(demail.FieldReceipt), Retrieve: is(demail.FieldRetrieve),
				Authoritative: is(demail.FieldAuthoritative), Private: is(demail.FieldPrivate)},
		}
		for _, r := range d.recipients {
			t.Recipients = append(t.Recipients, address(b.tb, r))
		}
		out = append(out, t)
	}
	return out, nil
}

// options are those of the connector to it, through proxies.
func (b *back) options() Options {
	server := func(target string, imap bool) Server {
		p := &proxy{tb: b.tb, target: target, imap: imap, fault: b.now, hung: b.hung}
		return Server{Address: p.start(b.tls()), User: b.user, Password: secret.New(password), TLS: b.client(nil), Dial: b.dial}
	}
	return Options{
		Submission: server(b.smtp, false), Retrieval: server(b.imap, true), Hello: "gw.firma.example", Domains: []string{"Firma.de-mail.de"},
		Done: "Done", Sent: "Sent", SentAlways: true, Mailbox: address(b.tb, b.sender()),
		Now: func() time.Time {
			return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(b.hours.Load()) * time.Hour)
		},
	}
}

func (b *back) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if b.now() == connectortest.Down {
		return nil, errors.New("connection refused")
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// client is TLS as the gateway brings it up.
func (h *house) client(certificate *tls.Certificate) func(context.Context, net.Conn, string) (net.Conn, tls.ConnectionState, error) {
	return func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
		config := &tls.Config{RootCAs: h.ca.Pool(), ServerName: host}
		if certificate != nil {
			config.Certificates = []tls.Certificate{*certificate}
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, tls.ConnectionState{}, err
		}
		return conn, conn.ConnectionState(), nil
	}
}

func provider(tb testing.TB, o Options) *Provider {
	tb.Helper()
	p, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func (b *back) stand(change func(*Options)) connectortest.Stand {
	o := b.options()
	if change != nil {
		change(&o)
	}
	return connectortest.Stand{
		Provider: provider(b.tb, o), Back: b, Sender: address(b.tb, b.sender()), Recipient: address(b.tb, "amt@stadt.de-mail.de"),
		Missing: address(b.tb, missing), Secrets: []string{password}, NoDirectory: true, Forgets: o.Sent == "",
	}
}

// The contract holds with servers in Go, whether what was stored is moved or deleted, and whether the provider keeps what was sent.
func TestContract(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"moved":   nil,
		"deleted": func(o *Options) { o.Done = "" },
		"forgets": func(o *Options) { o.Sent, o.SentAlways = "", false },
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, func(t *testing.T) connectortest.Stand { return goHouse(t, "office").account("office").stand(change) })
		})
	}
}

// The contract holds with Dovecot and Postfix.
func TestContractPeers(t *testing.T) {
	h := realHouse(t)
	n := 0
	connectortest.Run(t, func(t *testing.T) connectortest.Stand {
		n++
		b := h.account(fmt.Sprintf("office%d", n))
		b.house = &house{tb: t, smtp: h.smtp, imap: h.imap, pair: h.pair, ca: h.ca}
		return (&shared{b, h}).stand()
	})
}

// shared is an account whose messages the house of all the tests has.
type shared struct {
	*back
	of *house
}

// Taken are those of the account.
func (s *shared) Taken() ([]connectortest.Taken, error) {
	s.of.mu.Lock()
	taken := slices.Clone(s.of.taken[s.sender()])
	s.of.mu.Unlock()
	s.back.taken = map[string][]delivery{s.sender(): taken}
	return s.back.Taken()
}

func (s *shared) stand() connectortest.Stand {
	stand := s.back.stand(nil)
	stand.Back = s
	return stand
}
