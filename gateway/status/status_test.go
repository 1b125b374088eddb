package status_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

const later = "451 4.4.3 It cannot be decided at present whether this may be sent as De-Mail. Try again later; mail servers do so by themselves. Help: your administrator."

const unknown = "451 4.3.0 The gateway has a local problem. Try again later; mail servers do so by themselves."

// Whatever is wrapped around an error, and however often, the reply stays the one of its core.
func TestFor(t *testing.T) {
	secretPath := &fs.PathError{Op: "open", Path: "/var/lib/siegel/queue.db", Err: syscall.EIO}
	refusal := status.Refuse(550, "5.7.1", "no key may sign for this address")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "250 2.0.0 ok"},
		{errors.New("disk on fire at /var/lib"), unknown},
		{secretPath, unknown},
		{queue.ErrDamaged, unknown},
		{queue.ErrNotFound, unknown},
		{atrest.ErrAltered, unknown},
		{fs.ErrClosed, unknown},
		{&fs.PathError{Op: "write", Path: "/var/lib/siegel/spool", Err: syscall.ENOSPC}, "452 4.3.1 The gateway is short of storage. Try again later; mail servers do so by themselves."},
		{syscall.EDQUOT, "452 4.3.1 The gateway is short of storage. Try again later; mail servers do so by themselves."},
		{context.Canceled, "451 4.3.2 The gateway is stopping or overloaded. Try again later; mail servers do so by themselves."},
		{context.DeadlineExceeded, "451 4.3.2 The gateway is stopping or overloaded. Try again later; mail servers do so by themselves."},
		{mail.ErrAddress, "501 5.1.3 An address of the message is not a mailbox this gateway can relay to. Check how the addresses are spelt."},
		{entity.ErrLimit, "554 5.6.0 The message is too complex: its header or its parts exceed a limit. Send less at a time, or attach what it holds as one file."},
		{queue.ErrFull, "452 4.3.1 The gateway is short of storage. Try again later; mail servers do so by themselves."},
		{dispatch.ErrUnavailable, later},
		{fmt.Errorf("%w: %w", dispatch.ErrUnavailable, context.DeadlineExceeded), later},
		{&protect.Refused{Reasons: []string{"No De-Mail."}, Err: protect.ErrDeMail}, "550 5.7.1 No De-Mail."},
		{queue.ErrUnavailable, unknown},
		{queue.ErrClosed, "451 4.3.2 The gateway is stopping or overloaded. Try again later; mail servers do so by themselves."},
		{protect.ErrMessage, "554 5.6.0 The message cannot be taken apart to be signed or encrypted: its header is too long, or it has too many parts. Send less at a time, or attach what it holds as one file."},
		{&protect.Refused{Reasons: []string{"No route."}, Err: protect.ErrNoRoute}, "550 5.4.4 No route."},
		{&protect.Refused{Reasons: []string{"Too often."}, Err: protect.ErrVariants}, "550 5.5.3 Too often."},
		{&protect.Refused{Reasons: []string{"The message to b@c.example was not sent.", "No key."}}, "550 5.7.1 The message to b@c.example was not sent. No key."},
		{refusal, "550 5.7.1 no key may sign for this address"},
		{status.Wrap(secretPath, 451, "4.7.5", "the card is not plugged in"), "451 4.7.5 the card is not plugged in"},
		{errors.Join(secretPath, refusal), "550 5.7.1 no key may sign for this address"},
	} {
		wrapped := fmt.Errorf("handle: %w", fmt.Errorf("protect /secret/path: %w", c.err))
		for _, err := range []error{c.err, wrapped, errors.Join(wrapped)} {
			if c.err == nil {
				err = nil
			}
			r := status.For(err)
			if r.String() != c.want {
				t.Errorf("%v: %s, want %s", err, r, c.want)
			}
			if r.Temporary() != (c.want[0] == '4') || r.Permanent() != (c.want[0] == '5') {
				t.Errorf("%s: temporary %v, permanent %v", r, r.Temporary(), r.Permanent())
			}
		}
	}
}

func TestRefuseMakesTextSafe(t *testing.T) {
	for _, c := range []struct {
		code           int
		enhanced, text string
		want           string
	}{
		{550, "5.7.1", "Für „Jürgen“ größer", `550 5.7.1 Fuer "Juergen" groesser`},
		{550, "5.7.1", "a\r\n250 2.0.0 ok", "550 5.7.1 a 250 2.0.0 ok"},
		{550, "5.7.1", "tab\tnul\x00del\x7fesc\x1b[2J", "550 5.7.1 tab nul del esc [2J"},
		{550, "5.7.1", "漢字\xff", "550 5.7.1 ???"},
		{550, "4.7.1", "class", "550 5.0.0 class"},
		{450, "4.7", "short", "450 4.0.0 short"},
		{450, "4.7.1000", "long", "450 4.0.0 long"},
		{450, "4.-7.1", "negative", "450 4.0.0 negative"},
		{552, "", "none", "552 5.0.0 none"},
		{250, "2.0.0", "a refusal is never a success", unknown},
		{0, "", "", unknown},
		{600, "6.0.0", "", unknown},
	} {
		if got := status.For(status.Refuse(c.code, c.enhanced, c.text)).String(); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
	for _, text := range []string{strings.Repeat("word ", 500), strings.Repeat("x", 5000), strings.Repeat("ä", 5000)} {
		r := status.For(status.Refuse(550, "5.7.1", text))
		if len(r.Text) > status.MaxText || len(r.Text) < status.MaxText/2 || !strings.HasSuffix(r.Text, "...") {
			t.Errorf("%d octets: %s", len(r.Text), r.Text)
		}
	}
}

// A Reply composed by hand cannot say 250 for an error nor break the line.
func TestForChecksForeignReplies(t *testing.T) {
	for _, c := range []struct {
		r    status.Reply
		want string
	}{
		{status.Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "fine"}, unknown},
		{status.Reply{Code: 550, Enhanced: [3]int{2, 0, 0}, Text: "a\nb"}, "550 5.0.0 a b"},
	} {
		if got := status.For(&status.Error{Reply: c.r}).String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
	}
	var none *status.Error
	if got := status.For(none).String(); got != unknown {
		t.Errorf("nil *Error: %s", got)
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := status.Wrap(queue.ErrDamaged, 451, "4.3.0", "later")
	if !errors.Is(err, queue.ErrDamaged) || err.Error() != "451 4.3.0 later: "+queue.ErrDamaged.Error() {
		t.Errorf("%v", err)
	}
	if err := status.Refuse(550, "5.1.1", "no such user"); err.Error() != "550 5.1.1 no such user" || errors.Unwrap(err) != nil {
		t.Errorf("%v", err)
	}
}

// The same error is told in the words of whoever hears it; codes and the log stay.
func TestIn(t *testing.T) {
	german, err := texts.New(texts.Options{Language: texts.German, Contact: texts.Pair{EN: "Hotline 4711"}})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no such user in /etc/siegel/users")
	wrong := fmt.Errorf("auth: %w", status.Say(cause, 535, "5.7.8", texts.DoorPassword, texts.Values{}))
	for _, c := range []struct {
		err       error
		want      string
		said      texts.ID
		ourselves bool
	}{
		{wrong, "535 5.7.8 Benutzername oder Passwort sind falsch. Pruefen Sie beides in Ihrem Mailprogramm.", texts.DoorPassword, false},
		{fmt.Errorf("put: %w", queue.ErrFull), "452 4.3.1 Dem Gateway fehlt Speicherplatz. Versuchen Sie es spaeter noch einmal; Mailserver tun das von selbst.", texts.DoorStorage, false},
		{cause, "451 4.3.0 Das Gateway hat zurzeit eine Stoerung. Versuchen Sie es spaeter noch einmal; Mailserver tun das von selbst.", texts.DoorTrouble, true},
		{status.Say(nil, 250, "2.0.0", texts.DoorPassword, texts.Values{}), "451 4.3.0 Das Gateway hat zurzeit eine Stoerung. Versuchen Sie es spaeter noch einmal; Mailserver tun das von selbst.", texts.DoorTrouble, true},
		{status.Say(nil, 550, "5.7.1", texts.DoorNotYours, texts.Values{Sender: "a@b.example"}), "550 5.7.1 Sie duerfen nicht als a@b.example senden. Senden Sie es von einer Ihrer eigenen Adressen. Hilfe: Hotline 4711.", texts.DoorNotYours, false},
		{status.Refuse(503, "5.5.1", "MAIL comes before RCPT"), "503 5.5.1 MAIL comes before RCPT", "", false},
		{&protect.Refused{Reasons: []string{"Nein."}}, "550 5.7.1 Nein.", "", false},
		{nil, "250 2.0.0 ok", "", false},
	} {
		if got := status.In(german, c.err).String(); got != c.want {
			t.Errorf("%v: %s", c.err, got)
		}
		if got := status.Said(c.err); got.ID != c.said {
			t.Errorf("%v: text %s", c.err, got.ID)
		}
		if status.Known(c.err) == c.ourselves {
			t.Errorf("%v: known %v", c.err, status.Known(c.err))
		}
		if en := status.For(c.err); en.Status() != status.In(german, c.err).Status() {
			t.Errorf("%v: %s", c.err, en)
		}
	}
	if !errors.Is(wrong, cause) || !strings.HasPrefix(wrong.Error(), "auth: 535 5.7.8 Wrong user name or password. ") {
		t.Error(wrong)
	}
}

// No text, however made, breaks the reply line or turns it into a success.
func FuzzRefuse(f *testing.F) {
	f.Add(550, "5.7.1", "Für „Jürgen“\r\n250 ok")
	f.Add(250, "2.0.0", "ok")
	f.Fuzz(func(t *testing.T, code int, enhanced, text string) {
		r := status.For(status.Refuse(code, enhanced, text))
		if r.Code < 400 || r.Code > 599 || r.Enhanced[0] != r.Code/100 || len(r.Text) > status.MaxText {
			t.Errorf("%v", r)
		}
		for _, c := range []byte(r.String()) {
			if c < ' ' || c > '~' {
				t.Errorf("%q", r)
			}
		}
	})
}

func ExampleFor() {
	refusal := status.Refuse(550, "5.7.1", "relaying denied")
	fmt.Println(status.For(fmt.Errorf("rcpt: %w", refusal)))
	fmt.Println(status.For(errors.New("open /var/lib/siegel: permission denied")))
	// Output:
	// 550 5.7.1 relaying denied
	// 451 4.3.0 The gateway has a local problem. Try again later; mail servers do so by themselves.
}
