package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
)

// prompt is a server that says the next part of a script, whatever it is told; $ stands for the tag.
func prompt(c net.Conn, script string) {
	defer c.Close()
	r := bufio.NewReader(c)
	tag := ""
	parts := strings.Split(script, "\x00")
	for i, part := range parts {
		if _, err := io.WriteString(c, strings.ReplaceAll(part, "$", tag)); err != nil || i == len(parts)-1 {
			return
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, _, _ = strings.Cut(line, " ")
	}
}

// Whatever a server says, Fetch and Find end; what was given for whole is moved, and nothing else.
func FuzzServer(f *testing.F) {
	p := sound()
	order := []string{"greeting", "AUTHENTICATE", "STATUS", "SELECT", "UID SEARCH", "UID FETCH 42 (UID RFC8", "UID FETCH 42 (UID BODY", "UID MOVE", "LOGOUT"}
	script := func(p play) string {
		var parts []string
		for _, k := range order {
			parts = append(parts, p[k])
		}
		return strings.Join(parts, "\x00")
	}
	f.Add(script(p))
	f.Add(script(p.with("UID SEARCH", "* ESEARCH (TAG \"$\") UID ALL 41:42,7\r\n$ OK\r\n")))
	f.Add(script(p.with("UID FETCH 42 (UID BODY", "* 1 FETCH (BODY[]<0> \"a\" FLAGS (\\Seen) UID 42)\r\n$ OK\r\n")))
	f.Add(script(p.with("AUTHENTICATE", "+ \r\n")))
	f.Add(script(p.with("SELECT", "* OK [CLOSED] x\r\n* OK [PERMANENTFLAGS (\\*)] y\r\n$ OK [READ-WRITE] z\r\n")))
	f.Fuzz(func(t *testing.T, script string) {
		o := good()
		o.Retrieval.TLS = func(_ context.Context, raw net.Conn, _ string) (net.Conn, tls.ConnectionState, error) {
			return raw, tls.ConnectionState{}, nil
		}
		var done []chan struct{}
		o.Retrieval.Dial = func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			end := make(chan struct{})
			done = append(done, end)
			go func() { prompt(far, script); close(end) }()
			return near, nil
		}
		o.Done, o.Sent, o.SentAlways = "Done", "Sent", true
		o.Timeout = 100 * time.Millisecond // the script may say half a line and then wait, as the client does
		p := provider(t, o)
		if _, err := p.Find(t.Context(), "k-1"); err != nil && connectors.Class(err) == nil {
			t.Error(err)
		}
		p.imap.note(&p.options, nil)
		err := p.Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
			if err := connectors.CheckID(in.ID); err != nil {
				t.Error(err)
			}
			n, err := io.Copy(io.Discard, in.Content)
			if err == nil && in.Size > n {
				t.Errorf("%d bytes of %d", n, in.Size)
			}
			return err
		})
		if err != nil && connectors.Class(err) == nil {
			t.Error(err)
		}
		for _, end := range done {
			<-end
		}
	})
}

// What begins TLS reads no byte beyond the line that says so.
func FuzzStartTLS(f *testing.F) {
	f.Add("* OK hi\r\nS OK go\r\n\x16\x03\x01")
	f.Add("* OK hi\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\nS NO no\r\n")
	f.Add("* PREAUTH hi\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		in := strings.NewReader(said)
		err := startTLS(struct {
			io.Reader
			io.Writer
		}{in, io.Discard})
		read := said[:len(said)-in.Len()]
		if at := strings.Index(read, "\nS "); at >= 0 && strings.Contains(read[at+1:], "\n") && strings.Index(read[at+1:], "\n")+at+2 != len(read) {
			t.Errorf("read on: %q, %v", read, err)
		}
		if err == nil && (!strings.HasPrefix(said, "* ") || !strings.Contains(read, "\nS ")) {
			t.Errorf("began TLS after %q", read)
		}
	})
}

// A header bears a key only where its topmost field of the name has that value and no other.
func FuzzBears(f *testing.F) {
	f.Add([]byte("X-de-mail-private-id: k-1\r\n\r\n"), "k-1")
	f.Add([]byte("x-de-mail-private-id:\r\n k-1\r\n\r\n"), "k-1")
	f.Add([]byte("X-de-mail-private-id: k-11\r\n\r\n"), "k-1")
	f.Fuzz(func(t *testing.T, head []byte, key string) {
		if bears(head, key) && key != "" && !bytes.Contains(head, []byte(key)) {
			t.Errorf("%q in %q", key, head)
		}
	})
}
