package cardtest

import (
	"crypto/subtle"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// pin is a PIN or PUK with its counter.
type pin struct {
	value    []byte // as it is presented
	left     int    // tries
	max      int
	short    int // the shortest length
	long     int
	null     bool // none has been set yet (TCOS)
	local    bool // forgotten when another directory is chosen (TCOS)
	verified bool
}

// state is the answer to VERIFY without data.
func (p *pin) state() apdu.Status {
	switch {
	case p.null:
		return apdu.Unsatisfied
	case p.verified:
		return apdu.OK
	case p.left == 0:
		return apdu.Blocked
	}
	return p.tries()
}

func (p *pin) tries() apdu.Status { return 0x63C0 | apdu.Status(p.left&0x0F) }

// present compares what was presented and counts. What has not the length of a PIN is refused and not counted.
func (p *pin) present(data []byte, n *Counts) apdu.Status {
	n.Presented++
	sw := p.compare(data)
	if sw != apdu.OK {
		n.Refused++
	}
	return sw
}

func (p *pin) compare(data []byte) apdu.Status {
	switch {
	case p.null:
		return apdu.Unsatisfied
	case p.left == 0:
		return apdu.Blocked
	case len(data) < p.short || len(data) > p.long:
		return apdu.BadData
	case subtle.ConstantTimeCompare(data, p.value) != 1:
		p.left--
		p.verified = false
		return p.tries()
	}
	p.left, p.verified = p.max, true
	return apdu.OK
}

// set is a new value; one of wrong length is refused.
func (p *pin) set(value []byte) apdu.Status {
	if len(value) < p.short || len(value) > p.long {
		return apdu.BadData
	}
	p.value, p.left, p.null = append([]byte{}, value...), p.max, false
	return apdu.OK
}
