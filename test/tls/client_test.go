package tls

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/test/stand"
)

// dialogue is a program under way that one speaks to over its standard input.
type dialogue struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   stand.Log
	seen  int // of out, in bytes
	ended chan struct{}
}

// begin starts a program; it ends with the test at the latest.
func begin(t testing.TB, name string, args ...string) *dialogue {
	t.Helper()
	d := &dialogue{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.cmd.Wait(); close(d.ended) }()
	t.Cleanup(d.end)
	return d
}

// expect waits for a line that matches, behind the one that was waited for before.
func (d *dialogue) expect(ctx context.Context, pattern string) error {
	re := regexp.MustCompile("(?m)" + pattern)
	if err := d.out.Wait(ctx, d.seen, re, d.ended); err != nil {
		return err
	}
	text := d.out.String()
	d.seen += re.FindStringIndex(text[d.seen:])[1]
	return nil
}

// say sends a line and waits for the answer.
func (d *dialogue) say(ctx context.Context, line, pattern string) error {
	if _, err := io.WriteString(d.in, line+"\r\n"); err != nil {
		return err
	}
	return d.expect(ctx, pattern)
}

func (d *dialogue) end() {
	d.in.Close()
	d.cmd.Process.Kill()
	<-d.ended
}

// deliver hands over one message with a client under TLS. Verbs are in lower case: s_client takes some capital letters for itself.
func (d *dialogue) deliver(ctx context.Context, to string) error {
	for _, step := range [][2]string{
		{"noop", "^250 2"}, {"ehlo client.example", "^250 "}, {"mail from:<" + sender + ">", "^250 2"}, {"rcpt to:<" + to + ">", "^250 2"}, {"data", "^354 "},
		{"From: " + sender + "\r\nSubject: cell\r\n\r\nx\r\n.", "^250 2"}, {"quit", "^221 "},
	} {
		if err := d.say(ctx, step[0], step[1]); err != nil {
			return fmt.Errorf("%s: %w", step[0], err)
		}
	}
	return nil
}

// client is a program that shakes hands by STARTTLS and then lets one speak.
type client func(t testing.TB, addr string, o offer) *dialogue

// sClient is openssl s_client.
func sClient(t testing.TB, addr string, o offer) *dialogue {
	return begin(t, "openssl", append([]string{"s_client", "-connect", addr, "-starttls", "smtp", "-name", "client.example", "-ign_eof"}, o.openssl()...)...)
}

// gnutlsCLI is gnutls-cli.
func gnutlsCLI(t testing.TB, addr string, o offer) *dialogue {
	_, port, _ := strings.Cut(addr, ":")
	return begin(t, "gnutls-cli", "--starttls-proto=smtp", "--insecure", "--port", port, "--priority", o.gnutls(), "127.0.0.1")
}
