package smtpin_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/track"
)

// slow runs a dialogue with an external listener in a bubble where time passes only when all wait.
func slow(t *testing.T, limits smtpin.Limits, talk func(*peer, *sink)) {
	t.Helper()
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil)) // outside: the spool is of the file system
	o.Limits = limits
	synctest.Test(t, func(t *testing.T) {
		s, err := smtpin.New(o)
		if err != nil {
			t.Fatal(err)
		}
		far, near := net.Pipe()
		s.Admit(near, netip.MustParseAddr("192.0.2.1"), "external")
		p := newPeer(t, far)
		p.SetDeadline(time.Time{})
		talk(p, h)
		far.Close()
		s.Wait()
	})
}

// When a body stops half-way, go-smtp answers and reads the rest as commands.
func TestSlowDataIsNeverCommands(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.begin()
		p.say("DATA", "354 ")
		start := time.Now()
		p.send("Subject: slow\r\n\r\nfirst\r\n")
		p.say("", "421 4.4.2 ")
		if waited := time.Since(start); waited != 3*time.Minute {
			t.Errorf("waited %v", waited)
		}
		p.send("MAIL FROM:<ceo@firma.example>\r\nRCPT TO:<alice@firma.example>\r\nDATA\r\nsmuggled\r\n.\r\n")
		p.say("", "")
		if got := h.messages(); len(got) != 0 {
			t.Errorf("accepted: %+v", got)
		}
		if e := h.recorded(track.Refused); len(e) != 1 || !strings.HasPrefix(e[0].Reply, "421 4.4.2 ") {
			t.Errorf("recorded: %+v", e)
		}
	})
}

// The deadline is for each read: a message that takes longer than go-smtp's one deadline in all arrives.
func TestLongTransferArrives(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.begin()
		p.say("DATA", "354 ")
		for range 25 {
			time.Sleep(2 * time.Minute) // of the bubble
			p.send(strings.Repeat("and so on\r\n", 6000))
		}
		p.say(".", "250 2.0.0 queued as ")
	})
}

// The whole message has a deadline too, so that a trickle does not hold a connection for ever.
func TestTrickleEnds(t *testing.T) {
	for _, how := range []string{"DATA\r\n", "BDAT 1000\r\n"} {
		slow(t, smtpin.Limits{Message: 10 * time.Minute, Read: 11 * time.Minute}, func(p *peer, h *sink) {
			p.begin()
			start := time.Now()
			p.send(how)
			if how[0] == 'D' {
				p.say("", "354 ")
			}
			for range 4 {
				p.send("x\r\n")
				time.Sleep(2 * time.Minute)
			}
			p.send("x\r\n")
			p.say("", "421 4.4.2 ", "", "")
			if waited := time.Since(start); waited < 10*time.Minute || waited > 10*time.Minute+3*time.Second {
				t.Errorf("waited %v", waited)
			}
		})
	}
}

func TestIdleEnds(t *testing.T) {
	for _, before := range []string{"", "EHLO c.example\r\n", "AUTH\r\n", "MAIL FROM:<>\r\n"} {
		slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
			p.say("", "220 ")
			if before != "" {
				p.send(before)
				p.reply()
			}
			start := time.Now()
			p.say("", "421 4.4.2 ", "", "")
			if waited := time.Since(start); waited < 5*time.Minute || waited > 5*time.Minute+3*time.Second {
				t.Errorf("waited %v", waited)
			}
		})
	}
}

// A command that comes octet by octet has the time of one command, not of one octet.
func TestDrippingCommandEnds(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.say("", "220 ")
		start := time.Now()
		for range 5 {
			p.send("N")
			time.Sleep(59 * time.Second)
		}
		p.say("", "421 4.4.2 ", "", "")
		if waited := time.Since(start); waited < 5*time.Minute || waited > 5*time.Minute+3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// Commands alone do not keep a connection open for ever.
func TestQuietEnds(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.begin()
		start := time.Now()
		for time.Since(start) < 28*time.Minute {
			time.Sleep(4 * time.Minute)
			p.say("RCPT TO:<alice@firma.example>", "250 ")
		}
		p.say("", "421 4.4.2 ", "", "")
		if waited := time.Since(start); waited < 30*time.Minute || waited > 30*time.Minute+3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// A message that comes drop by drop holds no place for longer than a moment of silence would.
func TestDripEnds(t *testing.T) {
	for _, how := range []string{"DATA\r\n", "BDAT 1000000\r\n"} {
		slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
			p.begin()
			start := time.Now()
			p.send(how)
			if how[0] == 'D' {
				p.say("", "354 ")
			}
			for range 6 { // in all 6000 octets, for which 12 seconds are given beyond the three minutes
				p.send(strings.Repeat("0123456789abcdef0123456789abcdef01234567890123456\r\n", 20)[:1000])
				time.Sleep(30 * time.Second)
			}
			p.say("", "421 4.4.2 ", "", "")
			if waited := time.Since(start); waited < 3*time.Minute+12*time.Second || waited > 3*time.Minute+16*time.Second {
				t.Errorf("waited %v", waited)
			}
			if len(h.messages()) != 0 {
				t.Error("accepted")
			}
		})
	}
}

// What comes at the slowest pace that is enough arrives.
func TestSlowButSteadyArrives(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.begin()
		p.say("DATA", "354 ")
		for range 50 {
			time.Sleep(time.Minute)
			p.send(strings.Repeat("0123456789abcdef0123456789abc\r\n", 1000))
		}
		p.say(".", "250 2.0.0 queued as ")
	})
}

// Between two chunks a client is as idle as between two commands.
func TestIdleBetweenChunks(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.begin()
		p.say("BDAT 3\r\nx", "250 2.0.0 go on")
		start := time.Now()
		p.say("", "421 4.4.2 ", "", "")
		if waited := time.Since(start); waited < 5*time.Minute || waited > 5*time.Minute+3*time.Second {
			t.Errorf("waited %v", waited)
		}
		if len(h.messages())+len(h.recorded(track.Refused)) != 0 {
			t.Error("a message that was not sent is on record")
		}
	})
}

// A message that comes in chunks of nothing has the same deadline as any other.
func TestTrickleOfChunksEnds(t *testing.T) {
	slow(t, smtpin.Limits{Message: 10 * time.Minute}, func(p *peer, h *sink) {
		p.begin()
		start := time.Now()
		for range 3 {
			p.say("BDAT 3\r\nx", "250 2.0.0 go on")
			time.Sleep(3 * time.Minute)
		}
		p.say("", "421 4.4.2 ", "", "")
		if waited := time.Since(start); waited < 10*time.Minute || waited > 10*time.Minute+3*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// A client that does not read its replies is not waited for.
func TestReplyNotRead(t *testing.T) {
	slow(t, smtpin.Limits{}, func(p *peer, h *sink) {
		p.say("", "220 ")
		p.send("NOOP\r\n")
		time.Sleep(2 * time.Minute)
		if _, err := p.Write([]byte("NOOP\r\n")); err == nil {
			t.Error("the connection is still open")
		}
	})
}
