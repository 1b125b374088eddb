package webservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
)

func address(tb testing.TB, s string) demail.Address {
	tb.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// A message that the provider does not give, or does not let go, holds up no other. A provider that gives none is not asked for all of them.
func TestFetchGoesOn(t *testing.T) {
	for _, c := range []struct {
		of      Operation
		class   Class
		id      string // empty: of all
		waiting int    // of ten
		asked   int
	}{
		{OpFetch, Rejected, "m0", 1, 10}, {OpFetch, Unavailable, "m3", 1, 10}, {OpAcknowledge, Unavailable, "m0", 1, 10},
		{OpFetch, Unavailable, "", 10, 5}, {OpFetch, LoginFailed, "m2", 8, 3},
	} {
		t.Run(fmt.Sprint(c.of, c.class, c.id), func(t *testing.T) {
			s := newProvider(t, load(t, shippedText(t, "mentana")))
			for n := range 10 {
				s.waiting[fmt.Sprintf("m%d", n)] = "Subject: x\r\n\r\nx\r\n"
			}
			asked := 0
			s.before = func(w http.ResponseWriter, r *Request) bool {
				if r.Operation == OpFetch {
					asked++
				}
				if id, _ := r.Values["id"].(string); r.Operation != c.of || c.id != "" && id != c.id {
					return false
				}
				s.check(s.server.Refuse(w, c.class))
				return true
			}
			err := NewProvider(s.client()).Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
				_, err := io.Copy(io.Discard, in.Content)
				return err
			})
			if !errors.Is(err, c.class.contract()) {
				t.Error(err)
			}
			if len(s.waiting) != c.waiting || asked != c.asked {
				t.Errorf("%d wait, %d were asked for", len(s.waiting), asked)
			}
		})
	}
}

// back is a provider in the hands of connectortest.
type back struct {
	*provider
	fault atomic.Int32
	hours atomic.Int32
	hung  chan struct{}
	next  int
}

// newBack begins with nothing.
func newBack(t *testing.T, p *Profile) *back {
	s := newProvider(t, p)
	b := &back{provider: s, hung: make(chan struct{}, 64)}
	s.hungUp = true
	s.missing = "nobody@stadt.de-mail.de"
	s.domains = []string{"firma.de-mail.de", "firma2.de-mail.de"}
	s.raw, s.before, s.instead = b.early, b.refuse, b.late
	return b
}

func (b *back) now() connectortest.Fault { return connectortest.Fault(b.fault.Load()) }

// Fault begins one.
func (b *back) Fault(f connectortest.Fault) error {
	b.fault.Store(int32(f))
	b.hours.Add(2) // what was put off because of the one before is due
	return nil
}

// clock is the connector's.
func (b *back) clock() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(b.hours.Load()) * time.Hour)
}

// Hung tells of requests that hang.
func (b *back) Hung() <-chan struct{} { return b.hung }

// Put lays down a message.
func (b *back) Put(content []byte) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.next++
	b.waiting[fmt.Sprintf("in-%04d", b.next)] = string(content)
	return nil
}

// Waiting counts them.
func (b *back) Waiting() (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return len(b.waiting), nil
}

// Taken are those that were submitted.
func (b *back) Taken() ([]connectortest.Taken, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	var out []connectortest.Taken
	for _, k := range b.kept {
		is := func(name string) bool { v, _ := k.values[name].(bool); return v }
		t := connectortest.Taken{
			Key: k.values["key"].(string), Sender: address(b.tb, k.values["sender"].(string)), Content: k.content,
			Options: demail.Options{Dispatch: is("dispatch"), Receipt: is("receipt"), Retrieve: is("retrieve"), Authoritative: is("authoritative"), Private: is("private")},
		}
		for _, r := range recipients(k.values) {
			t.Recipients = append(t.Recipients, address(b.tb, r))
		}
		out = append(out, t)
	}
	return out, nil
}

// RoundTrip is the way to the provider: when it is down, nobody answers.
func (b *back) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.now() == connectortest.Down {
		return nil, errors.New("connect: connection refused")
	}
	return b.http.Transport.RoundTrip(r)
}

// early does what happens before a request is looked at.
func (b *back) early(w http.ResponseWriter, _ *http.Request) bool {
	if b.now() != connectortest.Dropped {
		return false
	}
	hijack(b.tb, w)
	return true
}

// refuse does what the provider says instead of acting.
func (b *back) refuse(w http.ResponseWriter, r *Request) bool {
	class, all := map[connectortest.Fault]Class{
		connectortest.Login: LoginFailed, connectortest.Unavailable: Unavailable,
	}[b.now()]
	one, submit := map[connectortest.Fault]Class{
		connectortest.Refused: Rejected, connectortest.Unentitled: NotEntitled, connectortest.Large: TooLarge,
	}[b.now()]
	switch {
	case all:
	case submit && r.Operation == OpSubmit:
		class = one
	case b.now() == connectortest.KeepsAll && r.Operation == OpAcknowledge:
		class = Unavailable
	case r.Operation == OpSubmit && slices.Contains(recipients(r.Values), b.missing):
		b.check(b.server.Refuse(w, NoSuchAddress, b.missing))
		return true
	default:
		return false
	}
	b.check(b.server.Refuse(w, class))
	return true
}

// late does what happens to an answer.
func (b *back) late(w http.ResponseWriter, in *http.Request, r *Request) bool {
	if r.Operation == OpLogin {
		return false
	}
	switch b.now() {
	case connectortest.Lost:
		hijack(b.tb, w)
	case connectortest.Garbled:
		w.Header().Set("Content-Type", b.contentType())
		_, _ = io.WriteString(w, "<garbled>Number 0")
	case connectortest.Hangs:
		b.hung <- struct{}{}
		b.lock.Unlock() // or nobody else could ask
		<-in.Context().Done()
		b.lock.Lock()
	case connectortest.Huge:
		w.Header().Set("Content-Type", b.contentType())
		_, _ = io.WriteString(w, `<s:Envelope xmlns:s="`+b.server.Profile.soap+`"><s:Body>`)
		for err := error(nil); err == nil; {
			_, err = io.WriteString(w, strings.Repeat("<a>1234567890</a>", 2000))
		}
	case connectortest.Cut:
		if r.Operation != OpFetch {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		w.Header().Set("Content-Type", multi12)
		if b.server.Profile.soap == soap11 {
			w.Header().Set("Content-Type", b.contentType())
			_, _ = io.WriteString(w, `<s:Envelope xmlns:s="`+soap11+`" xmlns:m="urn:siegel:example:mentana:demail"><s:Body><m:response><m:data>AAAA`)
			return true
		}
		_, _ = io.WriteString(w, "--BOUND\r\n"+rootHeader+including("cid:part")+"\r\n--BOUND\r\n"+partHeader+"From: half")
	default:
		return false
	}
	return true
}

// stand is what connectortest works with.
func stand(t *testing.T, p *Profile) connectortest.Stand {
	b := newBack(t, p)
	c := b.client(func(o *Options) { o.HTTP, o.Now = &http.Client{Transport: b}, b.clock })
	return connectortest.Stand{
		Provider: NewProvider(c), Back: b,
		Sender: address(t, "office@firma.de-mail.de"), Recipient: address(t, "amt@stadt.de-mail.de"), Missing: address(t, b.missing),
		Secrets: []string{password, b.token}, NoDirectory: !p.Has(OpLookup), Forgets: !p.Has(OpFind),
	}
}

// The contract holds with both profiles, and with one that has neither find nor look-up and names the key in the message.
func TestContract(t *testing.T) {
	for _, name := range shipped {
		t.Run(name, func(t *testing.T) {
			p := profileWith(t, name, "answer: 4MiB", "answer: 128KiB") // so that too large is not slow
			connectortest.Run(t, func(t *testing.T) connectortest.Stand { return stand(t, p) })
		})
	}
	t.Run("least", func(t *testing.T) {
		p := load(t, strings.Replace(without(shippedText(t, "t-systems"), "find", "lookup"), "answer: 4MiB", "answer: 128KiB", 1))
		connectortest.Run(t, func(t *testing.T) connectortest.Stand { return stand(t, p) })
	})
}

// without takes operations out of a profile.
func without(text string, operations ...string) string {
	for _, op := range operations {
		lines := strings.Split(text, "\n")
		from := slices.Index(lines, "  "+op+":")
		to := from + 1
		for to < len(lines) && (lines[to] == "" || strings.HasPrefix(lines[to], "   ")) {
			to++
		}
		text = strings.Join(slices.Delete(lines, from, to), "\n")
	}
	return text
}

// The key stands on top of the message where the profile says so, and the message behind it is as it was.
func TestKeyInHeader(t *testing.T) {
	p := profileWith(t, "t-systems", "content: mtom", "content: mtom\nprivate_id: header", "        <d:ClientReference>${key}</d:ClientReference>\n", "")
	s := newProvider(t, p)
	var got []byte
	s.before = func(w http.ResponseWriter, r *Request) bool {
		in, err := r.Message()
		if err != nil {
			t.Error(err)
			return false
		}
		defer in.Close()
		got, _ = io.ReadAll(in)
		s.check(s.server.Write(w, OpSubmit, Values{"id": "1"}, nil))
		return true
	}
	c := s.client()
	if _, err := c.Submit(t.Context(), small()); err != nil {
		t.Fatal(err)
	}
	if want := "X-de-mail-private-id: key\r\n" + string(small().Content.(textContent)); string(got) != want {
		t.Errorf("%q", got)
	}
	bad := small()
	bad.Key = "a\r\nBcc: b"
	if _, err := c.Submit(t.Context(), bad); ClassOf(err) != Rejected {
		t.Errorf("%v", err)
	}
}

// Every class has its place in the contract.
func TestTranslate(t *testing.T) {
	for _, class := range classes {
		err := translate(&Error{Class: class, Operation: OpSubmit, Reason: "why", cause: io.ErrUnexpectedEOF})
		if connectors.Class(err) == nil || connectors.Class(err) == connectors.ErrNotFound || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", class, err)
		}
	}
	if connectors.OutcomeOf(translate(&Error{Class: OverQuota, After: 1})) != connectors.Later {
		t.Error("over quota is not later")
	}
	if connectors.Class(translate(errors.New("x"))) != connectors.ErrUnavailable {
		t.Error("another error")
	}
}
