package smtpclient

import (
	"strconv"
	"strings"
)

// maxAddress bounds an address; RFC 5321, 4.5.3.1 permits 256 bytes, quoting and UTF-8 add some.
const maxAddress = 512

// cleanAddress reports whether s can stand between angle brackets without ending them. It is the last
// line of defence: addresses are read and quoted by whoever calls.
func cleanAddress(s string) bool {
	quoted, escaped := false, false
	for i := range len(s) {
		c := s[i]
		switch {
		case c < ' ' || c == 0x7f || c == '<' || c == '>' || c == ' ' && !quoted:
			return false
		case escaped:
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"':
			quoted = !quoted
		}
	}
	return !quoted && len(s) <= maxAddress
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// appendXtext appends s as xtext (RFC 3461, 4).
func appendXtext(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			b = append(b, '+', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// appendMail appends the MAIL command with the parameters the peer knows.
func (c *Client) appendMail(b []byte, m *Message) []byte {
	b = append(b, "MAIL FROM:<"...)
	b = append(b, m.From...)
	b = append(b, '>')
	if _, ok := c.ext["SIZE"]; ok && m.Size > 0 { // RFC 1870, 6
		b = strconv.AppendInt(append(b, " SIZE="...), m.Size, 10)
	}
	if m.Body8Bit {
		b = append(b, " BODY=8BITMIME"...)
	}
	if m.SMTPUTF8 {
		b = append(b, " SMTPUTF8"...)
	}
	if _, ok := c.ext["DSN"]; ok {
		if m.Ret == "FULL" || m.Ret == "HDRS" {
			b = append(append(b, " RET="...), m.Ret...)
		}
		if m.EnvID != "" {
			b = appendXtext(append(b, " ENVID="...), m.EnvID)
		}
	}
	return append(b, "\r\n"...)
}

// appendRcpt appends the RCPT command with the parameters the peer knows.
func (c *Client) appendRcpt(b []byte, r *Recipient) []byte {
	b = append(b, "RCPT TO:<"...)
	b = append(b, r.Address...)
	b = append(b, '>')
	if _, ok := c.ext["DSN"]; ok {
		if notify := notifyWords(r.Notify); notify != "" {
			b = append(append(b, " NOTIFY="...), notify...)
		}
		if kind, addr, ok := strings.Cut(r.ORcpt, ";"); ok && atom(kind) {
			b = append(append(append(b, " ORCPT="...), kind...), ';')
			b = appendXtext(b, addr)
		}
	}
	return append(b, "\r\n"...)
}

// notifyWords is the value of NOTIFY (RFC 3461, 4.1), or empty where the words are not all known.
func notifyWords(words []string) string {
	for _, w := range words {
		if w != "NEVER" && w != "SUCCESS" && w != "FAILURE" && w != "DELAY" {
			return ""
		}
	}
	return strings.Join(words, ",")
}

func atom(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c|0x20 < 'a' || c|0x20 > 'z') && !digit(c) && c != '-' {
			return false
		}
	}
	return s != ""
}
