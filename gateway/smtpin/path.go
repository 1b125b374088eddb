package smtpin

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/status"
)

// path is the argument of MAIL or RCPT, read by ourselves from the command: go-smtp takes quoting away, and what
// then looks like a mailbox may be another one, or end a path, when it is written again.
type path struct {
	mail.Address
	utf8 bool // it stood there in more than ASCII
}

// parsePath reads "MAIL FROM:<path> parameters" (RFC 5321, 4.1.1.2 and 4.1.1.3); keyword is FROM or TO.
func parsePath(line, keyword string) (path, error) {
	_, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimLeft(arg, " ")
	if len(arg) <= len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) || arg[len(keyword)] != ':' {
		return path{}, status.Refuse(501, "5.5.2", "the command is "+keyword+":<address>")
	}
	text, rest, ok := cutPath(strings.TrimLeft(arg[len(keyword)+1:], " "))
	if !ok || rest != "" && rest[0] != ' ' {
		return path{}, status.Refuse(501, "5.5.2", "the address stands in angle brackets")
	}
	if text == "" && keyword == "FROM" {
		return path{}, nil
	}
	a, err := mail.ParseAddress(withoutRoute(text))
	if err != nil {
		enhanced := map[string]string{"FROM": "5.1.7", "TO": "5.1.3"}[keyword]
		return path{}, status.Wrap(err, 501, enhanced, "the address cannot be used"+strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
	}
	return path{Address: a, utf8: !isASCII(text)}, nil
}

// cutPath cuts the path off its parameters. A closing bracket within quotes does not count.
//
// QUIRK: an address without brackets is read up to the first blank, since scanners and printers send that.
func cutPath(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, "<") {
		text, _, _ = strings.Cut(s, " ")
		return text, s[len(text):], text != ""
	}
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '>' && !quoted:
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

// withoutRoute drops a source route, which is to be accepted and ignored (RFC 5321, 4.1.1.3 and C).
func withoutRoute(s string) string {
	if strings.HasPrefix(s, "@") {
		if _, after, ok := strings.Cut(s, ":"); ok {
			return after
		}
	}
	return s
}

// isRouted tells a local part that some servers read as a route to elsewhere.
func isRouted(a mail.Address) bool { return strings.ContainsAny(a.Local, "@%!") }

func isASCII(s string) bool { return !isHigh([]byte(s)) }
