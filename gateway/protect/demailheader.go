package protect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/encword"
	"github.com/siegel-mail/siegel/smime/entity"
)

// ownOfDeMail reports whether a field is not for a message as its sender hands it to a provider: the provider's own, or of another
// way that the message took (TR-01201 3.4, table 1, 20 and 21).
func ownOfDeMail(f entity.Field) bool {
	return f.HasPrefix("X-de-mail-") || f.HasPrefix("Resent-") || f.Is("Sender") || f.Is("Bcc") || f.Is("Envelope-To") || f.Is("Return-Path")
}

// answersGo reports whether a field says where something is to be sent that its readers write, or their programs.
func answersGo(f entity.Field) bool {
	return slices.ContainsFunc([]string{
		"Reply-To", "Mail-Reply-To", "Mail-Followup-To", "Disposition-Notification-To", "Return-Receipt-To", "X-Confirm-Reading-To", "Errors-To",
	}, f.Is)
}

// asDeMail is the header of a message as it leaves as De-Mail: from the De-Mail address, under the name that its author has; answers go to De-Mail
// addresses or to that one (3.4, 3.1.18). To and Cc stay. What it must have (table 1, 13 and 26) is added.
func (p *Protector) asDeMail(h entity.Header, d *draft) (entity.Header, error) {
	author, _ := h.Get("From")
	from := demail.Mailbox{Name: displayName(author), Address: d.deMail.Sender}
	h = h.Filter(func(f entity.Field) bool {
		return !ownOfDeMail(f) && (!answersGo(f) || p.allDeMail(f.Value()))
	})
	if err := h.Replace("From", from.String()); err != nil {
		return h, err
	}
	for _, f := range []struct{ name, value string }{
		{"Message-ID", fmt.Sprintf("<%s@%s>", d.origin, d.deMail.Sender.Domain())},
		{"Date", d.env.Received.Format(time.RFC1123Z)}, // RFC 5322, 3.3
	} {
		if _, ok := h.Get(f.name); ok {
			continue
		}
		if err := h.Add(f.name, f.value); err != nil {
			return h, err
		}
	}
	return h, nil
}

// allDeMail reports whether a field is a list of De-Mail addresses and nothing else.
func (p *Protector) allDeMail(value string) bool {
	list, err := addressList(value)
	if err != nil || len(list) == 0 || isGroup(value) {
		return false
	}
	for _, item := range list {
		a, err := mail.ParseAddress(item.Address)
		if err != nil || !p.o.Desk.IsDeMail(a.Domain) {
			return false
		}
		if _, err := demail.ParseAddress(item.Address); err != nil {
			return false
		}
	}
	return true
}

// displayName is the name that stands before the single address of a field, or in the comment behind it, decoded.
func displayName(value string) string {
	name := value
	if i := bracket(value); i >= 0 {
		name = strings.TrimSpace(value[:i])
		if quoted, ok := unquoted(name); ok {
			name = quoted
		}
	} else if list, err := addressList(value); err == nil && len(list) == 1 {
		name = list[0].Name
	}
	text := validUTF8(encword.Parse(name).String())
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
}

// bracket is where the angle bracket of a mailbox opens, outside of quotes; -1 where none does.
func bracket(value string) int {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '<' && !quoted:
			return i
		}
	}
	return -1
}

// unquoted is what a quoted-string (RFC 5322, 3.2.4) says; false for what is not exactly one.
func unquoted(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i == len(s)-1
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
