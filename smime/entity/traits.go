package entity

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Traits is what the bytes of a body are like, as far as transport and signatures care.
type Traits struct {
	Bytes      int64 // how many they are
	EightBit   int64 // bytes above ASCII
	NUL        bool
	BareCR     bool // CR without LF
	BareLF     bool // LF without CR
	LongLine   bool // over 998 bytes (RFC 5322, 2.1.1)
	FromLine   bool // a line begins with "From ", which some programs change to ">From "
	TrailBlank bool // a line ends with a blank, which some programs cut off
}

// clean tells whether the bytes pass every transport and every program unchanged.
func (t Traits) clean() bool { return t.EightBit == 0 && !t.FromLine && !t.TrailBlank && t.sendable() }

// sendable tells whether the bytes are lines that SMTP with 8BITMIME may carry (bare LF aside, which are
// made CRLF on the way).
func (t Traits) sendable() bool { return !t.NUL && !t.BareCR && !t.LongLine }

// lineState is what must be known of the line so far when it comes in pieces.
type lineState struct {
	length int  // bytes before this piece
	last   byte // the one before this piece
}

// add counts a piece of a line: up to and including the LF where it ends there. final is set for the last
// piece of the input.
func (t *Traits) add(piece []byte, s *lineState, final bool) {
	t.Bytes += int64(len(piece))
	text, ended := bytes.CutSuffix(piece, []byte("\n"))
	before := s.last
	if ended {
		if crlf := bytes.HasSuffix(text, []byte("\r")); crlf {
			text = text[:len(text)-1]
		} else if len(text) > 0 || before != '\r' || s.length == 0 {
			t.BareLF = true
		}
	}
	if s.length > 0 && before == '\r' && !(ended && len(piece) == 1) {
		t.BareCR = true
	}
	if s.length == 0 && bytes.HasPrefix(text, []byte("From ")) {
		t.FromLine = true
	}
	t.count(text, !ended && !final)
	s.length += len(text)
	t.LongLine = t.LongLine || s.length > maxLine
	if len(text) > 0 {
		before = text[len(text)-1]
	}
	if (ended || final) && s.length > 0 {
		t.TrailBlank = t.TrailBlank || isBlank(before)
	}
	if ended {
		*s = lineState{}
	} else if len(piece) > 0 {
		s.last = piece[len(piece)-1]
	}
}

// count looks at the bytes of a line without its end. Where open is set a CR at the end may be half of a
// line end.
func (t *Traits) count(text []byte, open bool) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	body := text
	var zero, cr uint64
	for ; len(body) >= 8; body = body[8:] {
		x := binary.LittleEndian.Uint64(body)
		t.EightBit += int64(bits.OnesCount64(x & high))
		y := x ^ 0x0d*ones
		zero |= (x - ones) &^ x
		cr |= (y - ones) &^ y
	}
	t.NUL = t.NUL || zero&high != 0
	found := cr&high != 0
	for i, c := range body {
		switch {
		case c >= 0x80:
			t.EightBit++
		case c == 0:
			t.NUL = true
		case c == '\r':
			found = found || !open || i+1 < len(body)
		}
	}
	if found && !t.BareCR {
		i := bytes.IndexByte(text, '\r')
		t.BareCR = i >= 0 && (!open || i+1 < len(text))
	}
}
