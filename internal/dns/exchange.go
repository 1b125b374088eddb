package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	mdns "github.com/miekg/dns"
)

const (
	// udpSize is the payload offered by EDNS (RFC 6891, 6.2.3): what passes every network unfragmented.
	udpSize    = 1232
	headerSize = 12 // RFC 1035, 4.1.1

	// In the third octet of the header.
	response  = 1 << 7
	opcode    = 15 << 3
	truncated = 1 << 1
)

var errReply = errors.New("the reply does not fit the question")

// question makes a query for name, which has passed query().
func question(name string, qtype uint16, edns bool) *mdns.Msg {
	q := new(mdns.Msg)
	q.SetQuestion(mdns.Fqdn(name), qtype) // with a random id
	q.AuthenticatedData = true            // RFC 6840, 5.7: tell us whether it was validated
	if edns {
		q.SetEdns0(udpSize, false)
	}
	return q
}

// exchange asks one server once: over UDP, and over TCP where the answer was cut (RFC 1035, 4.2.1). A server
// that chokes on EDNS is asked without (RFC 6891, 7).
func (r *Resolver) exchange(ctx context.Context, addr string, q *mdns.Msg) (*mdns.Msg, error) {
	reply, err := r.overAny(ctx, addr, q)
	if err != nil || q.IsEdns0() == nil || reply.Rcode != mdns.RcodeFormatError && reply.Rcode != mdns.RcodeNotImplemented {
		return reply, err
	}
	plain := question(q.Question[0].Name, q.Question[0].Qtype, false)
	plain.CheckingDisabled = q.CheckingDisabled
	return r.overAny(ctx, addr, plain)
}

func (r *Resolver) overAny(ctx context.Context, addr string, q *mdns.Msg) (*mdns.Msg, error) {
	reply, err := r.over(ctx, "udp", addr, q)
	if err != nil || !reply.Truncated {
		return reply, err
	}
	return r.over(ctx, "tcp", addr, q)
}

// over sends a query over a socket of its own, whose port is as random as the id, and reads the reply.
func (r *Resolver) over(ctx context.Context, network, addr string, q *mdns.Msg) (*mdns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	c, err := r.o.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := q.Pack()
	if err != nil {
		return nil, err
	}
	conn := &mdns.Conn{Conn: c, UDPSize: udpSize}
	if _, err := conn.Write(raw); err != nil {
		return nil, err
	}
	reply, err := readReply(conn, raw)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return reply, err
}

// readReply reads until a reply fits the query. Datagrams that do not are forged, late or damaged, and are
// passed over (RFC 5452, 9.1); their number is limited.
func readReply(conn *mdns.Conn, query []byte) (*mdns.Msg, error) {
	const most = 50
	for range most {
		raw, err := conn.ReadMsgHeader(nil)
		if errors.Is(err, mdns.ErrShortRead) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !answers(raw, query) {
			continue
		}
		reply := new(mdns.Msg)
		if err := reply.Unpack(raw); err == nil {
			return reply, nil
		}
		if raw[2]&truncated != 0 { // in the middle of a record
			reply.Truncated = true
			return reply, nil
		}
	}
	return nil, errReply
}

// answers tells whether raw is the reply to query: a response of the same id and opcode to the same question.
func answers(raw, query []byte) bool {
	end := questionEnd(query)
	if len(raw) < headerSize || !bytes.Equal(raw[:2], query[:2]) {
		return false
	}
	if raw[2]&response == 0 || raw[2]&opcode != query[2]&opcode {
		return false
	}
	if raw[4] == 0 && raw[5] == 0 { // some servers send back no question with a refusal
		return raw[3]&15 != mdns.RcodeSuccess && raw[3]&15 != mdns.RcodeNameError
	}
	return len(raw) >= end && raw[4] == 0 && raw[5] == 1 && equalFold(raw[headerSize:end], query[headerSize:end])
}

// questionEnd is where the question ends in a query that we packed: a name without compression, type and class.
func questionEnd(query []byte) int {
	at := headerSize
	for query[at] != 0 {
		at += 1 + int(query[at])
	}
	return at + 5
}

// equalFold compares without regard to the case of ASCII letters (RFC 4343); a and b are of one length.
func equalFold(a, b []byte) bool {
	for i := range a {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
