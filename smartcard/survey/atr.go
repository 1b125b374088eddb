package survey

import (
	"fmt"
	"strings"
)

// ATR is what a card says of itself at its reset (ISO 7816-3, 8).
type ATR struct {
	Hex       string   `json:"hex"`
	Protocols []string `json:"protocols"` // "T=1"
	// Historical are the octets in which its maker may name it.
	Historical string `json:"historical,omitempty"`
	// Text is what of them can be read.
	Text string `json:"text,omitempty"`
	// Problem is what does not make sense.
	Problem string `json:"problem,omitempty"`
}

// maxATR is the most octets that an answer to reset has (ISO 7816-3, 8.1).
const maxATR = 33

// ParseATR reads an answer to reset. What does not make sense is told in Problem; what was read before that is there.
func ParseATR(b []byte) ATR {
	a := ATR{Hex: fmt.Sprintf("%X", b[:min(len(b), maxATR)]), Protocols: []string{}}
	switch {
	case len(b) > maxATR:
		a.Problem = fmt.Sprintf("it has %d octets, and %d at most are allowed", len(b), maxATR)
	case len(b) < 2 || b[0] != 0x3B && b[0] != 0x3F:
		a.Problem = "it does not begin as an answer to reset does (3B or 3F)"
	default:
		a.read(b)
	}
	return a
}

// read takes TS and T0 as given (ISO 7816-3, 8.2).
func (a *ATR) read(b []byte) {
	count, next := int(b[1]&0x0F), b[1]>>4
	at := 2
	for next != 0 {
		present := at
		for bit := range 3 { // TA, TB, TC
			if next&(1<<bit) != 0 {
				present++
			}
		}
		more := next&8 != 0
		if at = present; !more {
			break
		}
		if at >= len(b) {
			a.Problem = "it ends within its interface octets"
			return
		}
		a.protocol(b[at] & 0x0F)
		next = b[at] >> 4
		at++
	}
	if len(a.Protocols) == 0 {
		a.protocol(0) // 8.2.3: T=0 where none is named
	}
	if at+count > len(b) {
		a.Problem = "it ends within its historical octets"
		return
	}
	a.historical(b[at : at+count])
}

// protocol notes T=n once; T=15 says nothing of a protocol.
func (a *ATR) protocol(n byte) {
	text := fmt.Sprintf("T=%d", n)
	for _, p := range a.Protocols {
		if p == text {
			return
		}
	}
	if n != 15 {
		a.Protocols = append(a.Protocols, text)
	}
}

func (a *ATR) historical(h []byte) {
	a.Historical = fmt.Sprintf("%X", h)
	var text strings.Builder
	letters := 0
	for _, c := range h {
		if c < 0x20 || c > 0x7E {
			c = '.'
		} else if c > ' ' {
			letters++
		}
		text.WriteByte(c)
	}
	if letters >= 3 {
		a.Text = strings.Trim(text.String(), ". ")
	}
}
