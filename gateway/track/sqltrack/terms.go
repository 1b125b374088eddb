package sqltrack

import (
	"encoding/binary"
	"strings"

	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// maxMACs bounds the memory that known hashes take.
const maxMACs = 1 << 15

// term is something a message can be found by: what it is, a colon, and the value in lower case.
type term string

func newTerm(what, value string) term { return term(what + ":" + strings.ToLower(value)) }

// addressTerms are those of an address as a sender or recipient: the address itself and its domain.
func addressTerms(what, address string) []term {
	if address == "" {
		return []term{newTerm(what, "<>")}
	}
	out := []term{newTerm(what, address)}
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		out = append(out, newTerm(what, address[at:]))
	}
	return out
}

// termsOf lists what a step adds to what its message can be found by.
func termsOf(s track.Step) (out []term) {
	add := func(what, value string) {
		if value != "" {
			out = append(out, newTerm(what, value))
		}
	}
	switch s.Kind {
	case track.Accepted, track.Refused, track.Queued, track.Held, track.Quarantined:
		out = append(out, addressTerms("from", s.From)...)
	}
	if s.Kind != track.Reported { // which goes to the sender
		for _, to := range s.To {
			out = append(out, addressTerms("to", to)...)
		}
	}
	add("message-id", track.BareID(s.MessageID))
	if s.Client.Addr.IsValid() {
		add("client", s.Client.Addr.String())
	}
	add("user", s.Client.User)
	for destination := range strings.SplitSeq(s.Destination, ", ") {
		add("destination", destination)
	}
	return out
}

// termsFor lists the terms that every message has which q selects. What is looked for within an address has none.
func termsFor(q track.Query) (out []term) {
	for what, asked := range map[string]string{"from": q.Sender, "to": q.Recipient} {
		if asked == "<>" || strings.Contains(asked, "@") {
			out = append(out, newTerm(what, asked))
		}
	}
	for what, asked := range map[string]string{
		"message-id": track.BareID(q.MessageID), "client": q.Client, "user": q.User, "destination": q.Destination} {
		if asked != "" {
			out = append(out, newTerm(what, asked))
		}
	}
	return out
}

// mac is the keyed hash of a term as the database has it.
func (t term) mac(key atrest.Key) int64 { return int64(binary.BigEndian.Uint64(key.MAC([]byte(t)))) }

// macs remembers hashes, since addresses and domains come again and again.
type macs struct {
	key   atrest.Key
	known map[term]int64
}

func (m *macs) of(t term) int64 {
	if n, ok := m.known[t]; ok {
		return n
	}
	if m.known == nil || len(m.known) >= maxMACs {
		m.known = map[term]int64{}
	}
	n := t.mac(m.key)
	m.known[t] = n
	return n
}
