package legacy

import "net"

// watcher reads along what the server says in the clear, to learn on which group the keys are agreed: utls does not tell, and takes any
// group that it speaks, also one that was not offered.
type watcher struct {
	net.Conn
	group uint16 // 0: none was named
	done  bool

	head    [5]byte // of a record
	headLen int
	record  int // bytes of the record that are still to come

	message [7]byte // of a handshake message: its head, and the begin of its body
	got     int     // bytes of it, at most all
	skip    int     // bytes of the message that are still to come
}

// Types of records and messages, RFC 5246, 6.2.1 and 7.4; of curves, RFC 8422, 5.4.
const (
	handshakeRecord   = 22
	serverKeyExchange = 12
	namedCurve        = 3
)

// Read implements net.Conn.
func (w *watcher) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.look(p[:n])
	return n, err
}

// look follows the records up to the first that is not of the handshake, or to the message that names the group.
func (w *watcher) look(p []byte) {
	for len(p) > 0 && !w.done {
		if w.record == 0 {
			n := copy(w.head[w.headLen:], p)
			w.headLen += n
			p = p[n:]
			if w.headLen == len(w.head) {
				w.headLen = 0
				w.record = int(w.head[3])<<8 | int(w.head[4])
				w.done = w.head[0] != handshakeRecord
			}
			continue
		}
		n := min(w.record, len(p))
		w.messages(p[:n])
		w.record -= n
		p = p[n:]
	}
}

// messages follows the messages within records.
func (w *watcher) messages(p []byte) {
	for len(p) > 0 && !w.done {
		if w.got < 4 {
			n := copy(w.message[w.got:4], p)
			w.got += n
			p = p[n:]
			if w.got == 4 {
				w.skip = int(w.message[1])<<16 | int(w.message[2])<<8 | int(w.message[3])
				w.end()
			}
			continue
		}
		n := min(w.skip, len(p))
		w.got += copy(w.message[w.got:], p[:n])
		w.skip -= n
		p = p[n:]
		w.end()
	}
}

// end looks at a message that is whole.
func (w *watcher) end() {
	if w.skip > 0 {
		return
	}
	if w.message[0] == serverKeyExchange {
		if w.got == len(w.message) && w.message[4] == namedCurve {
			w.group = uint16(w.message[5])<<8 | uint16(w.message[6])
		}
		w.done = true
	}
	w.got = 0
}
