package smtpclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a peer may say. RFC 5321, 4.5.3.1.5 asks for 512 bytes a line; some send more.
const (
	maxReplyLine  = 4096
	maxReplyLines = 256
	maxReplyText  = 1024
)

// readReply reads one reply of one or many lines. each, where not nil, gets the text of every line.
func readReply(r *bufio.Reader, each func(text string)) (Reply, error) {
	var reply Reply
	for n := range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return Reply{}, fmt.Errorf("%w: a line of more than %d bytes", ErrProtocol, maxReplyLine)
		}
		if err != nil {
			return Reply{}, err
		}
		code, text, last, err := splitReplyLine(line)
		if err != nil {
			return Reply{}, err
		}
		if n > 0 && code != reply.Code {
			return Reply{}, fmt.Errorf("%w: the code changes within a reply", ErrProtocol)
		}
		reply.Code = code
		reply.append(text)
		if each != nil {
			each(string(text))
		}
		if last {
			return reply, nil
		}
	}
	return Reply{}, fmt.Errorf("%w: more than %d lines", ErrProtocol, maxReplyLines)
}

// splitReplyLine takes a reply line apart (RFC 5321, 4.2).
// QUIRK: a line that ends in LF alone, or after its code, is taken: old servers send such.
func splitReplyLine(line []byte) (code int, text []byte, last bool, err error) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, nil, false, ErrProtocol
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	switch {
	case len(line) == 3:
		return code, nil, true, nil
	case line[3] == ' ':
		return code, line[4:], true, nil
	case line[3] == '-':
		return code, line[4:], false, nil
	}
	return 0, nil, false, ErrProtocol
}

// append adds a line's text. The enhanced code of the first line is kept apart and left out of the others.
func (r *Reply) append(text []byte) {
	enhanced, rest := splitEnhanced(r.Code, text)
	if r.Text == "" && r.Enhanced == "" {
		r.Enhanced, text = string(enhanced), rest
	} else if r.Enhanced != "" && string(enhanced) == r.Enhanced {
		text = rest
	}
	room := maxReplyText - len(r.Text) - 1
	if len(text) == 0 || room <= 0 {
		return
	}
	line := printable(text[:min(len(text), room)])
	if r.Text != "" {
		line = r.Text + " " + line
	}
	r.Text = line[:min(len(line), maxReplyText)]
}

// splitEnhanced cuts an enhanced status code (RFC 2034, 4; RFC 3463, 2) off the start of text where one of
// the class of code stands there.
func splitEnhanced(code int, text []byte) (enhanced, rest []byte) {
	if len(text) < 5 || int(text[0]-'0') != code/100 || text[1] != '.' {
		return nil, text
	}
	i, dots := 2, 1
	for start := 2; i < len(text) && text[i] != ' '; i++ {
		switch {
		case text[i] == '.' && dots == 1 && i > start:
			dots, start = 2, i+1
		case !digit(text[i]) || i-start >= 3:
			return nil, text
		}
	}
	if dots != 2 || text[i-1] == '.' {
		return nil, text
	}
	return text[:i], bytes.TrimLeft(text[i:], " ")
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// printable is b as text without control characters and broken UTF-8.
func printable(b []byte) string {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return strings.Map(func(r rune) rune {
				if r == utf8.RuneError || !unicode.IsPrint(r) {
					return '?'
				}
				return r
			}, string(b))
		}
	}
	return string(b)
}
