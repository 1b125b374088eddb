package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// What goes wrong while a sender waits is told by whose fault it is: our own 451, a full disk 452, what the
// sender can mend 5xx. Nothing is queued, and the next message is taken.
func TestAcceptErrors(t *testing.T) {
	s, r := newReaderSetting(t)
	g, stop := s.start(t)
	deep := "Content-Type: multipart/mixed; boundary=b0\r\n\r\n--b0\r\n" + strings.Repeat("X: y\r\n", 60_000)
	for name, c := range map[string]struct {
		fault   error
		panics  bool
		message string
		want    string
	}{
		"our own trouble":    {fault: errors.New("planted trouble at /var/lib"), want: "451 4.3.0"},
		"a damaged store":    {fault: &fs.PathError{Op: "read", Path: "/planted", Err: syscall.EIO}, want: "451 4.3.0"},
		"a full disk":        {fault: fmt.Errorf("spool: %w", &fs.PathError{Op: "write", Path: "/planted", Err: syscall.ENOSPC}), want: "452 4.3.1"},
		"a full quota":       {fault: syscall.EDQUOT, want: "452 4.3.1"},
		"a panic":            {panics: true, want: "451 4.3.0"},
		"a refusal":          {message: letter("mallory@firma.example", "bob@partner.example"), want: "550 5.7.1"},
		"too complex":        {message: "From: alice@firma.example\r\nTo: bob@partner.example\r\n" + deep, want: "554 5.6.0"},
		"nothing is amiss":   {want: "250"},
		"nothing, once more": {want: "250"},
	} {
		t.Run(name, func(t *testing.T) {
			r.panics.Store(c.panics)
			r.fault.Store(faultBox{c.fault})
			defer r.panics.Store(false)
			defer r.fault.Store(faultBox{})
			m := c.message
			if m == "" {
				m = letter("alice@firma.example", "bob@partner.example")
			}
			got := send(t, g, "in", "alice@firma.example", "bob@partner.example", m)
			if !strings.HasPrefix(got.String(), c.want) || strings.Contains(got.String(), "planted") {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.want == "250" {
				s.hop.wait(t)
			}
		})
	}
	stop()
	if text := s.log.String(); strings.Contains(text, "planted panic") || !strings.Contains(text, "A fault in the gateway") {
		t.Errorf("the log is\n%s", text)
	}
}

// A stop while a slow key is waited for lets the sender have its answer: the message is held, and rests encrypted.
func TestStopWhileProtecting(t *testing.T) {
	s, r := newReaderSetting(t)
	r.slow.Store(true)
	s.options.Settings.Patience = onlyKeys
	g, stop := s.start(t)
	reply := make(chan string, 1)
	go func() {
		defer close(reply)
		reply <- send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")).String()
	}()
	select {
	case <-r.used:
	case <-time.After(patience):
		t.Fatal("the key is not used")
	}
	stop()
	if got := <-reply; !strings.HasPrefix(got, "250") {
		t.Errorf("the reply is %s", got)
	}
	noPlaintext(t, s.options.State, s.options.Key)
	if len(s.hop.got) != 0 {
		t.Error("something left")
	}
}

// encryptedToAlice is a message from outside.
func (s *setting) encryptedToAlice(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	if err := smime.Protect(&out, text(letter("bob@partner.example", "alice@firma.example")), smime.ProtectOptions{
		EncryptTo: []cms.Recipient{{Certificate: s.identity["alice@firma.example"].Certificate}},
	}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Mail from outside waits for the key that opens it, unseen from outside, and is delivered as it came where the
// key does not come back in time.
func TestIncomingKeyIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		away  func(*reader, bool)
		hours int64 // that pass meanwhile
	}{
		"the source is away": {func(r *reader, away bool) { r.away.Store(away) }, 0},
		"the card is away":   {func(r *reader, away bool) { r.keyAway.Store(away) }, 0},
		"for too long":       {func(r *reader, away bool) { r.keyAway.Store(away) }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newReaderSetting(t)
			c.away(r, true)
			s.options.Settings.ProtectWithin = time.Hour
			var ahead atomic.Int64
			s.options.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Hour) }
			s.options.Settings.Retry.Steps = []time.Duration{20 * time.Millisecond}
			g, stop := s.start(t)
			if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", s.encryptedToAlice(t)); r.Code != 250 {
				t.Fatal(r)
			}
			if e := s.deferred(t, 1); !strings.Contains(e.Reply, "not available") {
				t.Errorf("the operator sees %+v", e)
			}
			want, not := "planted body", "application/pkcs7-mime"
			if c.hours > 0 {
				want, not = "not decrypted", "planted body"
				ahead.Store(c.hours)
			} else {
				if len(s.hop.got) != 0 {
					t.Error("it was delivered undecrypted")
				}
				c.away(r, false)
			}
			if got := s.hop.wait(t); !strings.Contains(got, want) || strings.Contains(got, not) {
				t.Errorf("%q is not in, or %q is in\n%s", want, not, got)
			}
			stop()
			for _, e := range s.events.Events() {
				if e.Kind == track.Reported {
					t.Errorf("the outside was told: %+v", e)
				}
			}
		})
	}
}
