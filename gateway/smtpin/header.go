package smtpin

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/smime/entity"
)

// The fields that speak for the gateway, and those by which an internal sender asks it for something.
const (
	ownPrefix    = "X-Siegel-"
	deMailPrefix = "X-de-mail-"
	askSign      = "X-Siegel-Sign"
	askEncrypt   = "X-Siegel-Encrypt"
	askTLS       = "X-Siegel-TLS"
	askDeMail    = "X-Siegel-DeMail"
	askPlain     = "X-Siegel-Plain"
	authResults  = "Authentication-Results"
)

// Firewall removes what the sender may not set (invariant 5): all that others take for the word of this gateway or of a De-Mail provider.
// From inside the gateway may be asked for something, also by the fields that asks names; from outside these are removed, too.
func Firewall(h *entity.Header, hostname string, internal bool, asks ...string) {
	*h = h.Filter(func(f entity.Field) bool {
		switch {
		case f.HasPrefix(ownPrefix):
			return internal && (f.Is(askSign) || f.Is(askEncrypt) || f.Is(askTLS) || f.Is(askDeMail) || f.Is(askPlain))
		case f.HasPrefix(deMailPrefix):
			return false
		case !internal && slices.ContainsFunc(asks, f.Is):
			return false
		case f.Is(authResults):
			return !strings.EqualFold(authServID(f.Value()), hostname)
		}
		return true
	})
}

// authServID is who made an Authentication-Results field (RFC 8601, 2.2): its first word, which may be quoted
// and stand after comments.
func authServID(value string) string {
	s := withoutComments(value)
	if quoted, ok := strings.CutPrefix(s, `"`); ok {
		id, _, _ := strings.Cut(quoted, `"`)
		return strings.TrimSuffix(strings.ReplaceAll(id, `\`, ""), ".")
	}
	if i := strings.IndexAny(s, " \t;"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSuffix(s, ".")
}

// withoutComments drops comments (RFC 5322, 3.2.2), which nest, and the blanks around.
func withoutComments(s string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			if depth == 0 {
				b.WriteString(s[i-1 : i+1])
			}
			continue
		case c == '"' && depth == 0:
			quoted = !quoted
		case c == '(' && !quoted:
			depth++
			continue
		case c == ')' && !quoted && depth > 0:
			depth--
			continue
		}
		if depth == 0 {
			b.WriteByte(s[i])
		}
	}
	return strings.TrimSpace(b.String())
}

// trace is the value of the Received field (RFC 5321, 4.4) for a message.
func trace(env mail.Envelope, hostname string, extended bool) string {
	var b strings.Builder
	b.WriteString("from " + hostToken(env.Client.Helo))
	if env.Client.Addr.IsValid() {
		b.WriteString(" (" + addressLiteral(env.Client) + ")")
	}
	b.WriteString(" by " + hostname + " with " + protocol(env, extended) + " id " + string(env.ID))
	if len(env.Recipients) == 1 && env.Recipients[0].Address.IsASCII() {
		b.WriteString(" for <" + env.Recipients[0].Address.String() + ">")
	}
	b.WriteString(traceTLS(env.Client.TLS))
	return b.String() + "; " + env.Received.Format("Mon, 2 Jan 2006 15:04:05 -0700")
}

// traceTLS is the clause of RFC 8314, 4.3, of a state as tlspolicy writes it: "TLS1.3 TLS_AES_128_GCM_SHA256 X25519".
func traceTLS(state string) string {
	words := strings.Fields(state)
	if len(words) < 2 {
		return ""
	}
	clause := " tls " + words[1]
	if len(words) > 2 {
		if id, err := tlsnames.ParseGroup(words[2]); err == nil {
			g, _ := tlsnames.LookupGroup(id)
			clause += " group " + g.IANA
		}
	}
	return clause
}

func addressLiteral(c mail.Client) string {
	if c.Addr.Is6() {
		return "[IPv6:" + c.Addr.String() + "]"
	}
	return "[" + c.Addr.String() + "]"
}

// protocol is the keyword of RFC 3848 and RFC 6531, 4.3.
func protocol(env mail.Envelope, extended bool) string {
	if !extended {
		return "SMTP"
	}
	name := "ESMTP"
	if env.SMTPUTF8 {
		name = "UTF8SMTP"
	}
	if env.Client.TLS != "" {
		name += "S"
	}
	if env.Client.User != "" {
		name += "A"
	}
	return name
}

// hostToken is the argument of HELO without what would end a token or open a comment.
func hostToken(helo string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(".-_:[]", r):
			return r
		}
		return '?'
	}, helo)
}
