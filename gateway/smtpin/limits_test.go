package smtpin_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
)

// limited is a server with an external listener under limits of its own, and an internal one under none, at a
// time that the test gives.
func limited(t *testing.T, h *sink, l smtpin.Limits, now *time.Time) *smtpin.Server {
	t.Helper()
	external := listener(smtpin.External, nil)
	external.Limits = &l
	o := options(t, h, external, listener(smtpin.Internal, nil))
	o.Now = func() time.Time { return *now }
	return serve(t, o)
}

func noon() *time.Time {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &now
}

func (p *peer) message(content string) {
	p.t.Helper()
	p.envelope()
	p.say("DATA", "354 ", content+"\r\n.", "250 ")
}

func TestConnectionsPerMinute(t *testing.T) {
	h, now := &sink{}, noon()
	s := limited(t, h, smtpin.Limits{ConnectionsPerMinute: 3}, now)
	for range 3 {
		dial(t, s, "external").say("", "220 ", "QUIT", "221 ")
	}
	for range 20 {
		dial(t, s, "external").say("", "421 4.7.0 Too many connections from your network in one minute", "", "")
	}
	if n := len(h.recorded(track.Refused)); n != 10 {
		t.Errorf("a flood of 20 connections gave %d events, want 10", n)
	}
	dial(t, s, "internal").say("", "220 ")
	*now = now.Add(2 * time.Minute)
	dial(t, s, "external").say("", "220 ")
}

func TestErrorsPerHour(t *testing.T) {
	h, now := &sink{}, noon()
	s := limited(t, h, smtpin.Limits{ErrorsPerHour: 4, Errors: 2}, now)
	for range 2 { // one that looks for addresses comes again and again
		p := dial(t, s, "external")
		p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<>", "250 ")
		p.say("RCPT TO:<a@elsewhere.example>", "550 ", "RCPT TO:<b@elsewhere.example>", "550 ", "QUIT", "221 ")
	}
	dial(t, s, "external").say("", "421 4.7.0 Too many errors from your network", "", "")
	*now = now.Add(2 * time.Hour)
	dial(t, s, "external").say("", "220 ")
}

func TestMessagesAndBytesPerHour(t *testing.T) {
	for _, l := range []smtpin.Limits{{MessagesPerHour: 2}, {BytesPerHour: 1000}} {
		h, now := &sink{}, noon()
		s := limited(t, h, l, now)
		p := dial(t, s, "external")
		p.say("", "220 ", "EHLO c", "250 ")
		for range 2 {
			p.message(strings.Repeat("x", 600))
		}
		p.say("MAIL FROM:<>", "452 4.7.0 Too much mail from your network", "NOOP", "250 ")
		other := dial(t, s, "external") // another connection of the same client has no more
		other.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<>", "452 4.7.0 ")
		*now = now.Add(2 * time.Hour)
		p.message("again")
		if len(h.messages()) != 3 {
			t.Errorf("%+v: %d messages", l, len(h.messages()))
		}
	}
}

// Messages that are refused count as well: they cost the same.
func TestRefusedMessagesCount(t *testing.T) {
	h := &sink{fail: func(mail.Envelope) error { return status.Refuse(450, "4.2.0", "later") }}
	s := limited(t, h, smtpin.Limits{MessagesPerHour: 2}, noon())
	p := dial(t, s, "external")
	p.say("", "220 ", "EHLO c", "250 ")
	for range 2 {
		p.envelope()
		p.say("DATA", "354 ", "x\r\n.", "450 ")
	}
	p.say("MAIL FROM:<>", "452 4.7.0 ")
}

func TestRecipientsPerHour(t *testing.T) {
	h, now := &sink{}, noon()
	s := limited(t, h, smtpin.Limits{RecipientsPerHour: 2}, now)
	p := dial(t, s, "external")
	p.say("", "220 ", "EHLO c", "250 ", "MAIL FROM:<>", "250 ", "RCPT TO:<a@firma.example>", "250 ", "RCPT TO:<b@firma.example>", "250 ",
		"RCPT TO:<c@firma.example>", "452 4.7.0 Too many recipients", "DATA", "354 ", "x\r\n.", "250 ")
	if got := h.messages()[0].env.Recipients; len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestBytesPerConnection(t *testing.T) {
	h := &sink{}
	s := limited(t, h, smtpin.Limits{Bytes: 1000}, noon())
	p := dial(t, s, "external")
	p.say("", "220 ", "EHLO c", "250 ")
	p.message(strings.Repeat("x", 2000))
	p.say("MAIL FROM:<>", "421 4.7.0 enough ", "", "")
	p = dial(t, s, "external")
	p.say("", "220 ", "EHLO c", "250 ")
	p.message("x")
}

// What binds strangers does not bind the company's own servers, and what one listener's clients use up is not
// missed at another.
func TestExempt(t *testing.T) {
	h := &sink{}
	s := limited(t, h, smtpin.Limits{
		Connections: 1, PerClient: 1, ConnectionsPerMinute: 1, MessagesPerHour: 1, BytesPerHour: 1, RecipientsPerHour: 1, ErrorsPerHour: 1,
		Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("127.0.0.1/32")},
	}, noon())
	for range 3 {
		p := dial(t, s, "external")
		p.say("", "220 ", "EHLO c", "250 ", "RCPT TO:<a@b.example>", "50")
		p.message("x")
		p.message("x")
	}
}

// A reload does not give back what was used up.
func TestReloadKeepsCounts(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Limits = smtpin.Limits{PerClient: 1, ConnectionsPerMinute: 2}
	s := serve(t, o)
	p := dial(t, s, "external")
	p.say("", "220 ")
	if err := s.Reload(o); err != nil {
		t.Fatal(err)
	}
	dial(t, s, "external").say("", "421 4.7.0 Too many connections from your network. ")
	p.say("QUIT", "221 ", "", "")
	dial(t, s, "external").say("", "421 4.7.0 Too many connections from your network in one minute")
}

// crowdOf runs a test with many connections, from addresses of its choice, in a bubble of time.
func crowdOf(t *testing.T, l smtpin.Limits, test func(join func(address string) *peer)) {
	t.Helper()
	crowdAt(t, listener(smtpin.External, nil), l, test)
}

func crowdAt(t *testing.T, at smtpin.Listener, l smtpin.Limits, test func(join func(address string) *peer)) {
	t.Helper()
	o := options(t, &sink{}, at)
	o.Limits = l
	synctest.Test(t, func(t *testing.T) {
		s, err := smtpin.New(o)
		if err != nil {
			t.Fatal(err)
		}
		var far []net.Conn
		test(func(address string) *peer {
			a, b := net.Pipe()
			far = append(far, a)
			go s.Admit(b, netip.MustParseAddr(address), "external")
			p := newPeer(t, a)
			p.SetDeadline(time.Time{})
			return p
		})
		for _, c := range far {
			c.Close()
		}
		s.Wait()
	})
}

// A /64 is one client, and a /48 not more than sixteen of them.
func TestClientsOfIPv6(t *testing.T) {
	crowdOf(t, smtpin.Limits{PerClient: 2}, func(join func(string) *peer) {
		join("2001:db8:1:1::1").say("", "220 ")
		join("2001:db8:1:1::2").say("", "220 ")
		join("2001:db8:1:1:3::").say("", "421 4.7.0 Too many connections from your network")
		for i := range 15 {
			for range 2 {
				join(fmt.Sprintf("2001:db8:1:2%02d::1", i)).say("", "220 ")
			}
		}
		join("2001:db8:1:ffff::1").say("", "421 4.7.0 Too many connections from your network")
		join("2001:db8:2:ffff::1").say("", "220 ")
		join("192.0.2.1").say("", "220 ")
	})
	crowdOf(t, smtpin.Limits{ConnectionsPerMinute: 1}, func(join func(string) *peer) {
		for i := range 16 {
			join(fmt.Sprintf("2001:db8:1:%d::1", i)).say("", "220 ")
		}
		join("2001:db8:1:99::1").say("", "421 4.7.0 Too many connections from your network in one minute")
		join("2001:db8:2:99::1").say("", "220 ")
	})
}

// Where a listener is full, who has been silent for longest makes room; who has a reason to be there stays.
func TestFullListenerMakesRoom(t *testing.T) {
	exempt := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	crowdOf(t, smtpin.Limits{Connections: 3, Exempt: exempt}, func(join func(string) *peer) {
		own := join("10.0.0.1")
		own.say("", "220 ")
		first, second := join("192.0.2.1"), join("192.0.2.2")
		first.say("", "220 ")
		time.Sleep(time.Second)
		second.say("", "220 ", "EHLO c", "250 ")
		join("192.0.2.3").say("", "421 4.7.0 Too many connections. ") // nobody has been silent for long
		time.Sleep(9 * time.Second)
		third := join("192.0.2.3")
		first.say("", "421 4.7.0 The server is busy", "", "")
		third.say("", "220 ", "EHLO c", "250 ")
		time.Sleep(9 * time.Second)
		fourth := join("192.0.2.4")
		second.say("", "421 4.7.0 The server is busy", "", "")
		fourth.say("", "220 ")
		join("10.0.0.2").say("", "220 ") // ours find a place always
		own.say("NOOP", "250 ")
		third.say("NOOP", "250 ")
	})
}

// Somebody who sends a command octet by octet has been silent for as long as the command is not whole.
func TestFullListenerDropsDrips(t *testing.T) {
	crowdOf(t, smtpin.Limits{Connections: 1}, func(join func(string) *peer) {
		p := join("192.0.2.1")
		p.say("", "220 ")
		for range 11 {
			time.Sleep(time.Second)
			p.send("N")
		}
		q := join("192.0.2.2")
		p.say("", "421 4.7.0 The server is busy", "", "")
		q.say("", "220 ")
	})
}

// Of messages that come in, the one that comes too slowly makes room; a fast one never does.
func TestFullListenerDropsSlowSenders(t *testing.T) {
	crowdOf(t, smtpin.Limits{Connections: 2}, func(join func(string) *peer) {
		slow, fast := join("192.0.2.1"), join("192.0.2.2")
		for _, p := range []*peer{slow, fast} {
			p.begin()
			p.say("DATA", "354 ")
		}
		for range 31 {
			time.Sleep(time.Second)
			slow.send("x\r\n")
			fast.send(strings.Repeat("0123456789abcde\r\n", 1000))
		}
		next := join("192.0.2.3")
		slow.say("", "421 4.7.0 The server is busy", "", "")
		next.say("", "220 ")
		join("192.0.2.4").say("", "421 4.7.0 Too many connections. ")
		fast.say(".", "250 ")
	})
}

// Who asks for TLS and then does not shake hands is as silent as others.
func TestFullListenerDropsHandshakes(t *testing.T) {
	now, config := time.Now(), clientTLS().Clone()
	config.Time = func() time.Time { return now } // that of the certificate, not of the bubble
	for _, implicit := range []bool{true, false} {
		at := listener(smtpin.External, serverTLS())
		at.Implicit = implicit
		crowdAt(t, at, smtpin.Limits{Connections: 1}, func(join func(string) *peer) {
			p := join("192.0.2.1")
			if !implicit {
				p.say("", "220 ", "STARTTLS", "220 ")
			}
			time.Sleep(11 * time.Second)
			q := join("192.0.2.2")
			if implicit {
				q.startTLS(config)
			}
			p.say("", "")
			q.say("", "220 ", "EHLO c", "250 ")
		})
	}
}
