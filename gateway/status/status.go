// Package status turns errors into SMTP replies. It is the only place that does, and it decides nothing else.
//
// What a user may meet is a text of package texts: such an error is made with [Say], or is a [protect.Refused]. What only a program
// meets is a sentence in English, as RFC 5321 has it: such an error is made with [Refuse] or [Wrap]. A sentinel error of another
// package stands in the table of this one; everything else is our own trouble, about which the outside
// learns nothing but that it may try again.
package status

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// MaxText is the longest Text of a reply in octets, so that the whole line stays well under the 512 of
// RFC 5321, 4.5.3.1.5.
const MaxText = 449

// Reply is what an SMTP client is told.
type Reply struct {
	Code     int    // RFC 5321, 4.2
	Enhanced [3]int // RFC 3463
	Text     string // printable ASCII on one line, at most MaxText octets
}

// String is the reply as it goes over the wire, without its line end: "550 5.7.1 relaying denied".
func (r Reply) String() string {
	return fmt.Sprintf("%d %s %s", r.Code, r.Status(), r.Text)
}

// Status is the enhanced code as text: "5.7.1".
func (r Reply) Status() string {
	return fmt.Sprintf("%d.%d.%d", r.Enhanced[0], r.Enhanced[1], r.Enhanced[2])
}

// Temporary reports whether the client should try again.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent reports whether trying again is of no use.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Error is an error that knows its reply. Err, which may be nil, is for the log only.
type Error struct {
	Reply
	Said texts.Said // what Text is in English; the zero Said: Text is all there is
	Err  error
}

// Error is the reply and, after a colon, the cause: a text for the log, not for the wire.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Reply.String()
	}
	return e.Reply.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse makes an error with its own reply: a code from 400 to 599, an enhanced code like "5.7.1" and a
// sentence for the sender. The text may hold anything: it is brought to printable ASCII and cut to
// MaxText. A code that is none becomes the reply to unknown errors, an enhanced code that is none or of
// another class becomes x.0.0.
func Refuse(code int, enhanced, text string) error {
	return Wrap(nil, code, enhanced, text)
}

// Wrap is Refuse with a cause for the log, which errors.Is and errors.As find.
func Wrap(cause error, code int, enhanced, text string) error {
	if code < 400 || code > 599 {
		return &Error{Reply: unknown().in(nil), Said: texts.Said{ID: unknown().id}, Err: cause}
	}
	return &Error{Reply: Reply{Code: code, Enhanced: parseEnhanced(code/100, enhanced), Text: plain(text)}, Err: cause}
}

// Say makes an error whose reply is a text: its words are chosen when it is told ([In]). cause, which may be nil, is for the log, and
// errors.Is and errors.As find it. Codes are as of Refuse.
func Say(cause error, code int, enhanced string, id texts.ID, v texts.Values) error {
	err := Wrap(cause, code, enhanced, (*texts.Texts)(nil).SMTP(id, v))
	if own, ok := err.(*Error); ok && own.Code == code {
		own.Said = texts.Said{ID: id, Values: v}
	}
	return err
}

// For returns the reply for err, in English: that of the first *Error in its tree, else that of the table, else
// 451 4.3.0 with a fixed text. Nil gives 250 2.0.0. It never returns text of an error it does not know.
func For(err error) Reply { return In(nil, err) }

// In is For in the words of t, but for a [protect.Refused], which was written in those of its time.
func In(t *texts.Texts, err error) Reply {
	if err == nil {
		return Reply{Code: 250, Enhanced: [3]int{2, 0, 0}, Text: "ok"}
	}
	var own *Error
	if errors.As(err, &own) {
		if own == nil {
			return unknown().in(t)
		}
		reply := checked(own.Reply)
		if own.Said.ID != "" && reply.Code == own.Code {
			reply.Text = plain(t.SMTP(own.Said.ID, own.Said.Values))
		}
		return reply
	}
	var refused *protect.Refused
	if errors.As(err, &refused) { // the sentences are made for the sender, and bear no more than their own words
		return checked(Reply{Code: 550, Enhanced: refusedCode(refused), Text: refused.Error()})
	}
	for _, row := range table() {
		if errors.Is(err, row.is) {
			return row.reply.in(t)
		}
	}
	return unknown().in(t)
}

// Said is the text that the reply for err is made of; the zero Said where it is none, or a [protect.Refused] has its own.
func Said(err error) texts.Said {
	var own *Error
	var refused *protect.Refused
	switch {
	case errors.As(err, &own):
		if own == nil {
			return texts.Said{}
		}
		return own.Said
	case err == nil, errors.As(err, &refused):
		return texts.Said{}
	}
	for _, row := range table() {
		if errors.Is(err, row.is) {
			return texts.Said{ID: row.reply.id}
		}
	}
	return texts.Said{ID: unknown().id}
}

// Known reports whether an error has a reply of its own, beside that to our own trouble.
func Known(err error) bool { return err == nil || For(err) != unknown().in(nil) }

// refusedCode is the enhanced code of a refusal (RFC 3463, 3.5, 3.6 and 3.8).
func refusedCode(r *protect.Refused) [3]int {
	switch {
	case errors.Is(r, protect.ErrNoRoute):
		return [3]int{5, 4, 4}
	case errors.Is(r, protect.ErrVariants):
		return [3]int{5, 5, 3}
	}
	return [3]int{5, 7, 1}
}

// checked makes a Reply safe that somebody composed without Refuse.
func checked(r Reply) Reply {
	if r.Code < 400 || r.Code > 599 {
		return unknown().in(nil)
	}
	if r.Enhanced[0] != r.Code/100 {
		r.Enhanced = [3]int{r.Code / 100, 0, 0}
	}
	r.Text = plain(r.Text)
	return r
}

// parseEnhanced reads class.subject.detail (RFC 3463, 2).
func parseEnhanced(class int, s string) [3]int {
	parts := strings.Split(s, ".")
	code := [3]int{class, 0, 0}
	if len(parts) != len(code) || parts[0] != strconv.Itoa(class) {
		return code
	}
	for i := 1; i < len(code); i++ {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil || n > 999 {
			return [3]int{class, 0, 0}
		}
		code[i] = int(n)
	}
	return code
}
