package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"unicode"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// MaxHeader is how much of a header is returned to the sender.
const MaxHeader = 64 << 10

// maxValue bounds a value that comes from outside.
const maxValue = 700

// ReadHeader reads the header of a message for Original.Header, at most somewhat over MaxHeader of it.
func ReadHeader(r io.Reader) ([]byte, error) {
	var header []byte
	for b := bufio.NewReader(io.LimitReader(r, MaxHeader+1)); ; {
		line, err := b.ReadSlice('\n')
		if len(bytes.TrimRight(line, "\r\n")) == 0 && (err == nil || errors.Is(err, io.EOF)) {
			return header, nil
		}
		header = append(header, line...)
		if errors.Is(err, io.EOF) {
			return header, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// trimHeader cuts a header at its end and after the last whole field within MaxHeader.
func trimHeader(h []byte) []byte {
	if i := bytes.Index(h, []byte("\r\n\r\n")); i >= 0 {
		h = h[:i+2]
	}
	if len(h) <= MaxHeader {
		return h
	}
	for end := MaxHeader; ; {
		end = bytes.LastIndexByte(h[:end], '\n')
		if end < 0 {
			return nil
		}
		if next := h[end+1]; next != ' ' && next != '\t' {
			return h[:end+1]
		}
	}
}

// outsideHeader is a header without what a gateway has written for those inside: what it thinks of the origin of a
// message is not for whoever claims to be its sender.
func outsideHeader(h []byte) []byte {
	out := make([]byte, 0, len(h))
	inside := false
	for line := range bytes.Lines(h) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := strings.Cut(string(line), ":")
			name = strings.ToLower(strings.TrimRight(name, " \t"))
			inside = strings.HasPrefix(name, "x-siegel-") || name == "authentication-results"
		}
		if !inside {
			out = append(out, line...)
		}
	}
	return out
}

// plainLines reports whether h can stand in a 7bit part (RFC 2045, 2.7).
func plainLines(h []byte) bool {
	for line := range bytes.Lines(h) {
		if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 1000 {
			return false
		}
		for _, c := range line[:len(line)-2] {
			if c >= 0x7f || c < ' ' && c != '\t' {
				return false
			}
		}
	}
	return true
}

// plain is s as printable ASCII without line ends, bounded: what comes from outside ends no line here.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= maxValue {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// readable is s for people: printable, on one line, bounded.
func readable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "") + " …"
	}
	return s
}

// typed is an address with its type, encoded so that it stands in ASCII (RFC 6533, 3).
func typed(a mail.Address) string {
	s := a.String()
	if ascii(s) {
		return "rfc822; " + plain(s)
	}
	var b strings.Builder
	for _, r := range s {
		if r > ' ' && r <= '~' && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%02X}`, r)
		}
	}
	return "utf-8; " + b.String()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// hostOf is host without its port; an IP address stands in brackets.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if net.ParseIP(host) != nil {
		return "[" + host + "]"
	}
	return host
}

// status is a Status that fits the Action (RFC 3464, 2.3.4). A recipient that was only ever refused for
// the time being may have failed with a code of class 4.
func (r Recipient) status() string {
	classes, fallback := "45", "5.0.0"
	switch r.Action {
	case Delivered, Relayed:
		classes, fallback = "2", "2.0.0"
	case Delayed:
		classes, fallback = "4", "4.0.0"
	}
	if !wellFormed(r.Status) || !strings.Contains(classes, r.Status[:1]) {
		return fallback
	}
	return r.Status
}

// wellFormed reports whether s is class "." subject "." detail (RFC 3463, 2).
func wellFormed(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return false
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
