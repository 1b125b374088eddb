package smtpin_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// FuzzDialogue sends whole dialogues. Whatever a client says, the replies are replies, what is accepted keeps to
// the rules of an external listener, every 250 to a message is one message, and the connection ends.
func FuzzDialogue(f *testing.F) {
	begin := "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@firma.example>\r\n"
	for _, s := range []string{
		begin + "DATA\r\nA: b\r\n\r\nx\r\n..\r\n.\r\nQUIT\r\n",
		begin + "BDAT 5\r\nA: b\r\nBDAT 4 LAST\r\n\n\r\nxQUIT\r\n",
		begin + "BDAT 5\r\nA: b\rRSET\r\n" + begin + "DATA\r\n.\r\n",
		begin + "BDAT 4000000000\r\n", begin + "BDAT -1\r\n", begin + "BDAT 3\r\nx",
		begin + "DATA\r\nx\n.\n" + smuggled, begin + "DATA\r\nx\r\r\n.\r\n" + smuggled,
		"HELO c\r\nMAIL FROM:<\"a>b\\\"\"@c> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+2By\r\nRCPT TO:<Postmaster> NOTIFY=NEVER ORCPT=rfc822;a+20b\r\nDATA\r\n.\r\n",
		"EHLO c\r\nAUTH PLAIN AGEAYg==\r\nAUTH LOGIN\r\n*\r\nSTARTTLS\r\nVRFY x\r\nHELP\r\nNOOP\r\n",
		"MAIL FROM:<" + strings.Repeat("a", 3000) + "\r\n", strings.Repeat("x", 20000), "\r\n\r\n", "\x00\r\n", "STARTTLSX\r\n", "\u017fTARTTLS\r\n",
	} {
		f.Add([]byte(s), 4096)
		f.Add([]byte(s), 1)
	}
	h := &sink{}
	o := options(f, h, listener(smtpin.External, nil))
	o.Limits = smtpin.Limits{Errors: 50, Header: 2000, Fields: 20, Hops: 3}
	o.Listeners[0].MaxSize = 20000
	s, err := smtpin.New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, dialogue []byte, step int) {
		h.mu.Lock()
		h.got, h.events = nil, nil
		h.mu.Unlock()
		replies := converse(s, dialogue, step)
		checkReplies(t, replies)
		accepted := h.messages()
		if n := bytes.Count(replies, []byte("250 2.0.0 queued as ")); n != len(accepted) {
			t.Errorf("%d messages, %d times 250", len(accepted), n)
		}
		for _, m := range accepted {
			checkMessage(t, o.Local, m)
		}
	})
}

// script is a connection whose far end has said everything beforehand, and takes every reply.
type script struct {
	net.Conn // none: a method that is not here is not called
	said     *bytes.Reader
	step     int // octets that arrive at once
	replies  bytes.Buffer
}

func (c *script) Read(p []byte) (int, error)       { return c.said.Read(p[:min(len(p), max(1, c.step))]) }
func (c *script) Write(p []byte) (int, error)      { return c.replies.Write(p) }
func (c *script) Close() error                     { return nil }
func (c *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

// converse plays a dialogue that arrives step octets at a time, and returns the replies.
func converse(s *smtpin.Server, dialogue []byte, step int) []byte {
	c := &script{said: bytes.NewReader(dialogue), step: step}
	s.Admit(c, netip.MustParseAddr("192.0.2.1"), "external")
	s.Wait()
	return c.replies.Bytes()
}

func checkReplies(t *testing.T, replies []byte) {
	t.Helper()
	for line := range bytes.Lines(replies) {
		text, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok || len(text) < 4 || text[0] < '2' || text[0] > '5' || text[3] != ' ' && text[3] != '-' {
			t.Errorf("reply %q", text)
		}
		for _, c := range text {
			if c < ' ' || c > '~' {
				t.Errorf("reply %q", text)
			}
		}
	}
}

func checkMessage(t *testing.T, local mail.Patterns, m received) {
	t.Helper()
	for _, r := range m.env.Recipients {
		if !local.Match(r.Address) {
			t.Errorf("relayed to %s", r.Address)
		}
	}
	if len(m.env.Recipients) == 0 || m.env.Internal || m.env.MayUse != nil {
		t.Errorf("%+v", m.env)
	}
	rest := strings.ReplaceAll(m.content, "\r\n", "")
	if strings.ContainsAny(rest, "\r\n\x00") {
		t.Errorf("line ends in %q", m.content)
	}
	header, _, _ := strings.Cut(m.content, "\r\n\r\n")
	if strings.Contains(strings.ToLower("\n"+header), "\nx-siegel-") || !strings.HasPrefix(header, "Received: from ") {
		t.Errorf("header %q", header)
	}
}

// FuzzFrames sends one content by DATA, stuffed, and by BDAT in chunks: both arrive byte for byte, or both are
// refused for the same reason.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"A: b\r\n\r\nx\r\n", ".\r\n..\r\n.x\r\n", "x\n", "x\r", "\x00", "no line end", "\r\n.\r\n", strings.Repeat("long", 3000)} {
		f.Add([]byte(s), 3)
	}
	h := &sink{}
	s, err := smtpin.New(options(f, h, listener(smtpin.External, nil)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte, chunk int) {
		content = append([]byte("\r\n"), content...) // no header: what is in it is another test's business
		if chunk <= 0 || len(content)/chunk > 50 || len(content) > 100_000 {
			return
		}
		content = append(content, "\r\n"...)
		bad := strings.ContainsAny(strings.ReplaceAll(string(content), "\r\n", ""), "\r\n\x00")
		for _, wire := range []string{stuffed(content), chunked(content, chunk)} {
			h.mu.Lock()
			h.got = nil
			h.mu.Unlock()
			replies := converse(s, []byte("HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@firma.example>\r\n"+wire), chunk)
			got := h.messages()
			switch {
			case bad && (len(got) != 0 || !bytes.Contains(replies, []byte("554 5.5.2"))):
				t.Errorf("%q was not refused: %s", content, replies)
			case !bad && (len(got) != 1 || !strings.HasSuffix(got[0].content, "\r\n"+string(content))):
				t.Errorf("%q arrived as %+v: %s", content, got, replies)
			}
		}
	})
}

func stuffed(content []byte) string {
	s := strings.ReplaceAll("\r\n"+string(content), "\r\n.", "\r\n..")[2:]
	return "DATA\r\n" + s + ".\r\n"
}

func chunked(content []byte, size int) string {
	var b strings.Builder
	for len(content) > size {
		b.WriteString("BDAT " + itoa(size) + "\r\n")
		b.Write(content[:size])
		content = content[size:]
	}
	b.WriteString("BDAT " + itoa(len(content)) + " LAST\r\n")
	b.Write(content)
	return b.String()
}
