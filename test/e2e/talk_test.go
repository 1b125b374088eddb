package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// conversation is an SMTP connection that a script keeps open.
type conversation struct {
	net.Conn
	in *bufio.Reader
}

// talk ADDRESS opens a connection; talk FILE goes on with it: lines that begin with "C: " are sent, those with
// "N: " too, without a line end, with \n for a line feed; those with "S: " are what the server's reply must match.
func talkCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	if host, _, err := net.SplitHostPort(args[0]); err == nil && host != "" {
		if w.talk != nil {
			w.talk.Close()
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", args[0])
		if err != nil {
			return err
		}
		w.talk = &conversation{conn, bufio.NewReader(conn)}
		return nil
	}
	deadline, _ := ctx.Deadline()
	w.talk.SetDeadline(deadline.Add(-time.Second))
	for i, line := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n") {
		if err := w.talk.line(line); err != nil {
			return fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	return nil
}

func (c *conversation) line(line string) error {
	said, text, _ := strings.Cut(line, ": ")
	switch said {
	case "C":
		_, err := c.Write([]byte(text + "\r\n"))
		return err
	case "N":
		_, err := c.Write([]byte(strings.ReplaceAll(text, `\n`, "\n")))
		return err
	case "S":
		pattern, err := regexp.Compile("^" + text)
		if err != nil {
			return err
		}
		return c.hear(pattern)
	}
	return fmt.Errorf("a line begins with C:, N: or S:")
}

// hear reads a reply; its last line must match.
func (c *conversation) hear(pattern *regexp.Regexp) error {
	reader := textproto.Reader{R: c.in}
	for {
		got, err := reader.ReadLine()
		if err != nil {
			return err
		}
		if len(got) > 3 && got[3] == '-' {
			continue
		}
		if !pattern.MatchString(got) {
			return fmt.Errorf("the server said %q", got)
		}
		return nil
	}
}
