package smtpin_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
)

// Each test here is about a fault that go-smtp v0.25.1 has on the wire, and fails without its guard.

// go-smtp takes quotes away and passes the rest on as if it were a mailbox.
func TestQuotedLocalPartsStayQuoted(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
	p.say("", "220 ", "EHLO c.example", "250 ",
		`MAIL FROM:<"eve> AUTH=<"@partner.example>`, "501 5.1.7 ",
		`MAIL FROM:<"eve \"quoted\" x"@partner.example>`, "250 ",
		`RCPT TO:<"evil@target.example> NOTIFY=NEVER ORCPT=rfc822;x"@firma.example>`, "501 5.1.3 ",
		`RCPT TO:<"evil@target.example"@firma.example>`, "550 5.7.1 ", // a route, to some
		`RCPT TO:<"al ice"@firma.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;al+20ice@firma.example`, "250 ",
		"DATA", "354 ", "\r\nx\r\n.", "250 ")
	env := h.messages()[0].env
	if env.From.String() != `"eve \"quoted\" x"@partner.example` || env.Recipients[0].Address.String() != `"al ice"@firma.example` {
		t.Errorf("from %s to %s", env.From, env.Recipients[0].Address)
	}
	if r := env.Recipients[0]; strings.Join(r.Notify, ",") != "SUCCESS,DELAY" || r.ORcpt != "rfc822;al ice@firma.example" {
		t.Errorf("%+v", r)
	}
}

// go-smtp loses the end of a message after CR CR LF, and drops the CR of "\r\n.\rX".
func TestStrayCarriageReturns(t *testing.T) {
	for _, content := range []string{"a\r\r\n.\r\n", "a\r\n.\rX\r\n.\r\n", "a\r\n.\r\r\n.\r\n", "\r\r\n.\r\n"} {
		h := &sink{}
		p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
		p.begin()
		p.say("DATA", "354 ")
		p.send(content)
		p.say("", "554 5.5.2 ", "", "")
		if len(h.messages()) != 0 {
			t.Errorf("%q was accepted", content)
		}
	}
}

// A plain or wrapped error becomes a permanent failure in go-smtp, and tells its text.
func TestOwnTroubleIsTemporaryAndSilent(t *testing.T) {
	secret := errors.New("open /var/lib/siegel/queue.db: input/output error")
	refusal := status.Refuse(550, "5.7.1", "mail to this partner must be encrypted")
	for err, want := range map[error]string{
		secret: "451 4.3.0 The gateway has a local problem. Try again later; mail servers do so by themselves.",
		fmt.Errorf("queue: %w", fmt.Errorf("put: %w", secret)):        "451 4.3.0 The gateway has a local problem. Try again later; mail servers do so by themselves.",
		fmt.Errorf("protect: %w", fmt.Errorf("encrypt: %w", refusal)): "550 5.7.1 mail to this partner must be encrypted",
	} {
		for _, how := range []string{"DATA", "BDAT"} {
			h := &sink{fail: func(mail.Envelope) error { return err }}
			p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
			p.begin()
			if how == "DATA" {
				p.say("DATA", "354 ", "x\r\n.", want)
			} else {
				p.say("BDAT 3 LAST\r\nx", want)
			}
			p.say("QUIT", "221 ")
			if e := h.recorded(track.Refused); len(e) != 1 || e[0].Reply != want || e[0].ID == "" {
				t.Errorf("%s: recorded %+v", how, e)
			}
		}
	}
}

// go-smtp reads ahead beyond BDAT and takes binary data for an overlong command.
func TestChunkWithoutLineEndsPipelined(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
	p.begin()
	long := "X: y\r\n\r\n" + strings.Repeat("z", 300_000)
	p.send(fmt.Sprintf("BDAT %d\r\n%sBDAT 0 LAST\r\nNOOP\r\n", len(long), long))
	p.say("", "250 2.0.0 go on", "", "250 2.0.0 queued as ", "", "250 2.0.0 ")
	if got := h.messages(); len(got) != 1 || !strings.HasSuffix(got[0].content, long[len(long)-300_000:]) {
		t.Error("the content is not what was sent")
	}
}

// go-smtp takes a last chunk that the connection broke off for whole.
func TestChunkCutShortIsNoMessage(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, listener(smtpin.External, nil)))
	p := dial(t, s, "external")
	p.begin()
	p.send("BDAT 1000 LAST\r\nX: y\r\n\r\nonly the beginning\r\n")
	p.Conn.(interface{ CloseWrite() error }).CloseWrite()
	for p.line() != "" {
	}
	if got := h.messages(); len(got) != 0 {
		t.Errorf("accepted: %+v", got)
	}
}

// After a BDAT whose argument go-smtp cannot read, it takes the chunk for commands.
func TestMalformedChunkEndsTheConnection(t *testing.T) {
	for _, arg := range []string{"", "x", "-1", "10 LAST more", "10 FIRST", "99999999999999999999", "0x10", "1 LAST "} {
		h := &sink{}
		p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
		p.begin()
		p.send("BDAT " + arg + "\r\nQUIT\r\n")
		if arg == "1 LAST " { // blanks at the end are nothing
			p.say("", "250 2.0.0 queued")
			continue
		}
		p.say("", "501 5.5.4 ", "", "")
	}
}

// A chunk is framed by its count whether or not it is wanted.
func TestUnwantedChunkIsNotCommands(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
	smuggled := "MAIL FROM:<a@b.example>\r\n"
	p.send(fmt.Sprintf("EHLO c.example\r\nBDAT %d LAST\r\n%sNOOP\r\n", len(smuggled), smuggled))
	p.say("", "220 ", "", "250 ", "", "50", "", "250 2.0.0 ")
}

func TestLongLines(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil))
	s := serve(t, o)
	p := dial(t, s, "external")
	p.begin()
	long := strings.Repeat("x", 100_000) // go-smtp closes the connection at its limit for commands
	p.say("DATA", "354 ", "\r\n"+long+"\r\n.", "250 2.0.0 queued as ")
	if got := body(t, h.messages()[0].content); got != long+"\r\n" {
		t.Errorf("%d octets", len(got))
	}
	p.say("NOOP "+strings.Repeat("x", 20_000), "500 5.5.2 ", "", "")
	p = dial(t, s, "external")
	p.send(strings.Repeat("x", 1<<20)) // without an end: not kept, answered early
	p.say("", "220 ", "", "500 5.5.2 ", "", "")
}

func TestSecondMail(t *testing.T) {
	h := &sink{}
	p := dial(t, serve(t, options(t, h, listener(smtpin.External, nil))), "external")
	p.begin()
	p.say("MAIL FROM:<mallory@partner.example>", "503 5.5.1 ", "DATA", "354 ", "x\r\n.", "250 ")
	if from := h.messages()[0].env.From.String(); from != "eve@partner.example" {
		t.Error(from)
	}
	p.envelope()
	p.say("RSET", "250 ", "MAIL FROM:<mallory@partner.example>", "250 ", "QUIT", "221 ", "", "")
}

func TestBarePostmaster(t *testing.T) {
	h := &sink{}
	s := serve(t, options(t, h, listener(smtpin.External, nil), listener(smtpin.Internal, nil)))
	for _, name := range []string{"external", "internal"} {
		p := dial(t, s, name)
		p.say("", "220 ", "EHLO c.example", "250 ", "MAIL FROM:<>", "250 ", "RCPT TO:<PostMaster> NOTIFY=NEVER", "250 ",
			"RCPT TO:<postmaster@mx.firma.example>", "250 ", "DATA", "354 ", "x\r\n.", "250 ")
	}
	for _, m := range h.messages() {
		if got := m.env.Recipients[0].Address.String(); got != "postmaster@firma.example" || m.env.Recipients[0].Notify[0] != "NEVER" {
			t.Errorf("%+v", m.env.Recipients)
		}
	}
}

func TestConnectionLimits(t *testing.T) {
	for _, limits := range []smtpin.Limits{{Connections: 3}, {PerClient: 3}} {
		h := &sink{}
		o := options(t, h, listener(smtpin.External, nil))
		o.Limits = limits
		s := serve(t, o)
		var open []*peer
		for range 3 {
			p := dial(t, s, "external")
			p.say("", "220 ")
			open = append(open, p)
		}
		dial(t, s, "external").say("", "421 4.7.0 Too many connections", "", "")
		if e := h.recorded(track.Refused); len(e) != 1 || !e[0].Client.Addr.IsLoopback() || e[0].Client.Listener != "external" {
			t.Errorf("recorded %+v", e)
		}
		open[0].say("QUIT", "221 ", "", "")
		for { // the place is free once the server has noticed
			p := dial(t, s, "external")
			if strings.HasPrefix(p.reply(), "220 ") {
				break
			}
		}
	}
}

func TestErrorLimit(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Limits.Errors = 5
	p := dial(t, serve(t, o), "external")
	p.begin()
	for range 6 {
		p.say("RCPT TO:<x@elsewhere.example>", "550 5.7.1 ")
	}
	p.say("NOOP", "421 4.7.0 too many errors", "", "")
}

func TestCommandLimit(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Limits.Commands = 10
	p := dial(t, serve(t, o), "external")
	p.begin()
	p.say("DATA", "354 ", "x\r\n.", "250 ")
	for range 11 { // counted from the last message
		p.say("NOOP", "250 ")
	}
	p.say("NOOP", "421 4.7.0 too many commands", "", "")
}

func TestMessageLimit(t *testing.T) {
	o := options(t, &sink{}, listener(smtpin.External, nil))
	o.Limits.Messages = 2
	p := dial(t, serve(t, o), "external")
	p.say("", "220 ", "EHLO c", "250 ")
	for range 2 {
		p.envelope()
		p.say("DATA", "354 ", "x\r\n.", "250 ")
	}
	p.say("MAIL FROM:<>", "421 4.7.0 ", "", "")
}

// Letters beyond ASCII that become ASCII in upper case are no commands, and STARTTLS is a whole word.
func TestVerbsAreASCII(t *testing.T) {
	p := dial(t, serve(t, options(t, &sink{}, listener(smtpin.External, serverTLS()))), "external")
	p.say("", "220 ", "\u017fTARTTLS", "500 ", "STARTTLSX", "500 ", "NOOP \x01", "500 ", "NOOP \xff", "500 ", "x", "500 ")
}
