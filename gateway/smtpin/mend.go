package smtpin

import (
	"bytes"

	"github.com/siegel-mail/siegel/gateway/status"
)

// errSigned is what errBareLine is where line ends are mended.
var errSigned = status.Refuse(554, "5.5.2", "lines end in CRLF; in a message that bears a signature a bare CR or LF is not mended, since that would break it")

// mender makes CRLF of CR and LF that stand alone. It comes after the framing, which is by counts, so that where
// the message ends is settled before any line end is changed.
//
// QUIRK: Exchange hands over by BDAT what programs gave it with bare LF.
type mender struct {
	out    []byte
	cr     bool   // the last octet was CR
	mended bool   // something was changed
	signed bool   // there is something like a signature
	tail   []byte // the last octets, in lower case, in which a mark may have begun
}

// signatureMarks stand in messages with signatures, at any depth, in lower case. They are sought in the octets rather
// than in parts: a mark that is none costs a refusal as without mending, one that were missed costs a signature.
func signatureMarks() [][]byte {
	return [][]byte{
		[]byte("multipart/signed"), []byte("pkcs7-"), []byte("pgp-sig"), []byte("begin pgp sig"),
		[]byte("\ndkim-signature"), []byte("\rdkim-signature"), []byte("\narc-seal"), []byte("\rarc-seal"),
	}
}

const longestMark = 16

// begin looks at the octets before the first, so that a mark at the very beginning is found too.
func newMender() *mender { return &mender{tail: []byte{'\n'}} }

// next is what a piece of the message becomes; it is valid until the next call. Nil is the end.
func (m *mender) next(b []byte) []byte {
	m.out = m.out[:0]
	if b == nil {
		if m.cr {
			m.lineEnd()
		}
		return m.out
	}
	m.look(b)
	for _, c := range b {
		if m.cr && c != '\n' {
			m.lineEnd()
		}
		switch {
		case c == '\n':
			m.mended = m.mended || !m.cr
			m.cr = false
			m.out = append(m.out, '\r', '\n')
		case c == '\r':
			m.cr = true
		default:
			m.out = append(m.out, c)
		}
	}
	return m.out
}

// lineEnd writes one for a CR that nothing followed.
func (m *mender) lineEnd() {
	m.cr, m.mended = false, true
	m.out = append(m.out, '\r', '\n')
}

// look searches for marks of signatures, also across pieces.
func (m *mender) look(b []byte) {
	if m.signed {
		return
	}
	lower := append(m.tail, bytes.ToLower(b)...)
	for _, mark := range signatureMarks() {
		m.signed = m.signed || bytes.Contains(lower, mark)
	}
	m.tail = append([]byte(nil), lower[max(0, len(lower)-longestMark):]...)
}
