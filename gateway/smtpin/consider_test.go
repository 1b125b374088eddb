package smtpin_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/smime/entity"
)

func offer(t *testing.T, listener, from, to, header string) smtpin.Offer {
	t.Helper()
	h, body, err := entity.Read(strings.NewReader(header+"\r\nbody\r\n"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	o := smtpin.Offer{Listener: listener, Header: h, Size: int64(len(h.Bytes()) + 2 + len(text))}
	if from != "" {
		o.From = address(t, from)
	}
	for one := range strings.FieldsSeq(to) {
		o.To = append(o.To, address(t, one))
	}
	return o
}

func address(t *testing.T, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What is said of a message nobody sends is what becomes of one that is sent: the reply, the envelope, the header.
func TestConsiderAgrees(t *testing.T) {
	h := &sink{}
	small := listener(smtpin.External, nil)
	small.Name, small.MaxSize = "small", 600
	o := options(t, h, listener(smtpin.Internal, nil), listener(smtpin.External, nil), small, tenantOf(t))
	o.Asks, o.Limits = []string{"X-Please"}, smtpin.Limits{Fields: 60, Hops: 3}
	s := serve(t, o)
	const fields = "From: alice@firma.example\r\nX-Siegel-Sign: yes\r\nX-Please: yes\r\nX-Siegel-Verdict: valid\r\nX-de-mail-private: yes\r\nAuthentication-Results: mx.firma.example; dkim=pass\r\nSubject: x\r\n"
	for _, c := range []struct{ listener, from, to, header string }{
		{"internal", "alice@firma.example", "bob@partner.example carol@partner.example", fields},
		{"internal", "", "bob@partner.example", fields},
		{"internal", "eve@partner.example", "bob@partner.example", fields},
		{"external", "eve@partner.example", "alice@firma.example", fields},
		{"external", "eve@partner.example", "dora@other.example", fields},
		{"external", "eve@partner.example", "alice@firma.example", fields + strings.Repeat("X-One: more\r\n", 60)},
		{"external", "eve@partner.example", "alice@firma.example", fields + strings.Repeat("Received: from a by b; Thu, 26 Nov 2026 12:00:00 +0000\r\n", 4)},
		{"external", "", "alice%other.example@firma.example", fields},
		{"small", "eve@partner.example", "alice@firma.example", fields + strings.Repeat("X-Long: 0123456789\r\n", 40)},
		{"tenant", "alice@firma.example", "bob@partner.example", ourTenant + loggedIn + fields},
		{"tenant", "alice@firma.example", "bob@partner.example", otherTenant + loggedIn + fields},
	} {
		what := fmt.Sprintf("%s to %s by %s", c.from, c.to, c.listener)
		got, err := s.Consider(t.Context(), offer(t, c.listener, c.from, c.to, c.header))
		reply, message := sent(t, s, h, c.listener, c.from, c.to, c.header)
		if want := status.For(err); reply != want.Code {
			t.Errorf("%s: it is said that %+v, and the answer is %d", what, want, reply)
			continue
		}
		if err != nil {
			continue
		}
		if e, w := got.Envelope, message.env; e.Internal != w.Internal || e.From != w.From || fmt.Sprint(e.MayUse, e.Recipients, e.Client.Listener) != fmt.Sprint(w.MayUse, w.Recipients, w.Client.Listener) {
			t.Errorf("%s: it is said that\n%+v, and it is\n%+v", what, e, w)
		}
		if e, w := rest(string(got.Header.Bytes())), rest(message.content); e != strings.TrimSuffix(w, "\r\nbody\r\n") {
			t.Errorf("%s: it is said that\n%s\nand it is\n%s", what, e, w)
		}
	}
}

// rest is a message without its first field, which has an id.
func rest(text string) string {
	if i := strings.Index(text, "\r\nFrom:"); i >= 0 {
		return text[i:]
	}
	return text
}

func tenantOf(t *testing.T) smtpin.Listener {
	l := tenantListener(t, smtpin.Internal)
	l.Name = "tenant"
	return l
}

// sent sends a message and returns the first refusal, or 250 and the message.
func sent(t *testing.T, s *smtpin.Server, h *sink, listener, from, to, header string) (int, received) {
	t.Helper()
	p := dial(t, s, listener)
	p.say("", "220 ", "EHLO client.example", "250 ")
	code := 0
	step := func(line string) bool {
		p.send(line + "\r\n")
		_, err := fmt.Sscanf(p.reply(), "%d", &code)
		return err == nil && code < 400
	}
	if !step("MAIL FROM:<" + from + ">") {
		return code, received{}
	}
	for one := range strings.FieldsSeq(to) {
		if !step("RCPT TO:<" + one + ">") {
			return code, received{}
		}
	}
	if step("DATA"); !step(header + "\r\nbody\r\n.") {
		return code, received{}
	}
	all := h.messages()
	return code, all[len(all)-1]
}

// Where no listener is named it is the one through which such mail comes.
func TestConsiderChooses(t *testing.T) {
	s, err := smtpin.New(options(t, &sink{}, listener(smtpin.External, nil), listener(smtpin.Internal, nil), listener(smtpin.Submission, serverTLS())))
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"alice@firma.example": "internal", "bob@a.firma.example": "submission", "eve@partner.example": "external", "": "external"} {
		c, err := s.Consider(t.Context(), offer(t, "", from, "alice@firma.example", ""))
		if err != nil || c.Envelope.Client.Listener != want {
			t.Errorf("%s: %s, %v", from, c.Envelope.Client.Listener, err)
		}
		if want == "submission" && (len(c.Assumed) != 1 || !c.Envelope.MayUse.Match(address(t, from)) || c.Envelope.MayUse.Match(address(t, "alice@firma.example"))) {
			t.Errorf("%s: %+v", from, c)
		}
	}
	if _, err := s.Consider(t.Context(), offer(t, "none", "", "alice@firma.example", "")); !errors.Is(err, smtpin.ErrNoListener) {
		t.Errorf("an unknown name: %v", err)
	}
	if s, err = smtpin.New(options(t, &sink{}, listener(smtpin.Internal, nil))); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"bob@a.firma.example", "eve@partner.example", ""} {
		if _, err := s.Consider(t.Context(), offer(t, "", from, "alice@firma.example", "")); !errors.Is(err, smtpin.ErrNoListener) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// A tenant is taken for ours where the header does not say any.
func TestConsiderTenant(t *testing.T) {
	l := tenantListener(t, smtpin.RoundTrip)
	o := options(t, &sink{}, l)
	o.Marks = nothingHandled{}
	s, err := smtpin.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for from, inside := range map[string]bool{"alice@firma.example": true, "eve@partner.example": false} {
		c, err := s.Consider(t.Context(), offer(t, "roundtrip", from, "bob@firma.example", ""))
		if err != nil || c.Envelope.Internal != inside || (c.Envelope.MayUse != nil) != inside || len(c.Assumed) != 1 {
			t.Errorf("%s: %+v, %v", from, c, err)
		}
	}
}

// nothingHandled has marked nothing.
type nothingHandled struct{ smtpin.Marks }

// Who hands a message over, where that is said, is held against the networks of the listener.
func TestConsiderClient(t *testing.T) {
	s := serve(t, options(t, &sink{}, listener(smtpin.Internal, nil), listener(smtpin.External, nil)))
	for _, c := range []struct {
		listener, from, to, client string
		want                       int
	}{
		{"internal", "alice@firma.example", "bob@partner.example", "127.0.0.1", 250}, {"internal", "alice@firma.example", "bob@partner.example", "192.0.2.1", 554},
		{"external", "bob@partner.example", "alice@firma.example", "192.0.2.1", 250}, {"internal", "alice@firma.example", "bob@partner.example", "", 250},
	} {
		o := offer(t, c.listener, c.from, c.to, "From: "+c.from+"\r\n")
		if c.client != "" {
			o.Client, o.Helo = netip.MustParseAddr(c.client), "mx.example"
		}
		got, err := s.Consider(t.Context(), o)
		if reply := status.For(err); reply.Code != c.want || got.Envelope.Client.Addr != o.Client || got.Envelope.Client.Helo != o.Helo {
			t.Errorf("%s from %q: %s, %+v", c.listener, c.client, reply, got.Envelope.Client)
		}
	}
}
