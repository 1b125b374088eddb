package dnstest

import (
	"net"
	"strings"

	mdns "github.com/miekg/dns"
)

// ServeDNS answers one query. It is called by the DNS library.
func (s *Server) ServeDNS(w mdns.ResponseWriter, q *mdns.Msg) {
	if len(q.Question) != 1 {
		return
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	failure := s.count(q.Question[0], tcp)
	reply := s.reply(q)
	switch failure {
	case Silent:
		return
	case ServFail, Refused:
		reply = refusal(q, failure)
	case Bogus, Hidden:
		if !q.CheckingDisabled {
			reply = refusal(q, failure)
		}
	case NoEDNS:
		if q.IsEdns0() != nil {
			reply = new(mdns.Msg).SetRcode(q, mdns.RcodeFormatError)
		}
	case Forged:
		forge(w, reply)
	case Cut:
		reply.Truncated = !tcp
	case Lame:
		reply.Authoritative, reply.RecursionAvailable, reply.Answer, reply.Ns = false, false, nil, nil
	}
	if !tcp {
		size := mdns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = int(opt.UDPSize())
		}
		reply.Truncate(size)
		reply.Truncated = reply.Truncated || failure == Cut
	}
	w.WriteMsg(reply) // an error means that the asker has gone
}

func (s *Server) count(q mdns.Question, tcp bool) Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[owner(q.Name)+" "+mdns.TypeToString[q.Qtype]]++
	if tcp {
		s.overTCP++
	}
	return s.failures[owner(q.Name)]
}

func refusal(q *mdns.Msg, failure Failure) *mdns.Msg {
	if failure == Refused {
		return new(mdns.Msg).SetRcode(q, mdns.RcodeRefused)
	}
	reply := new(mdns.Msg).SetRcode(q, mdns.RcodeServerFailure)
	if failure == Bogus {
		opt := &mdns.OPT{Hdr: mdns.RR_Header{Name: ".", Rrtype: mdns.TypeOPT}}
		opt.Option = append(opt.Option, &mdns.EDNS0_EDE{InfoCode: mdns.ExtendedErrorCodeDNSBogus})
		reply.Extra = append(reply.Extra, opt)
	}
	return reply
}

// forge sends what a blind attacker could: another id, another question, no response, rubbish.
func forge(w mdns.ResponseWriter, reply *mdns.Msg) {
	wrong := reply.Copy()
	wrong.Id++
	w.WriteMsg(wrong)
	wrong = reply.Copy()
	wrong.Question[0].Name = "evil.example."
	w.WriteMsg(wrong)
	wrong = reply.Copy()
	wrong.Response = false
	w.WriteMsg(wrong)
	w.Write([]byte{0})
	raw, _ := reply.Pack()
	w.Write(append(raw[:len(raw)-1:len(raw)-1], 0xff, 0xff)) // damaged
}

// reply is the answer from the records.
func (s *Server) reply(q *mdns.Msg) *mdns.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := new(mdns.Msg).SetReply(q)
	reply.Authoritative, reply.RecursionAvailable, reply.AuthenticatedData = true, true, s.authentic
	reply.Compress = true
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(opt.UDPSize(), opt.Do())
	}
	name, known := q.Question[0].Name, false
	names := []string{name}
	for range 20 { // a chain of CNAMEs may lead in a circle
		var found []mdns.RR
		found, known = s.find(name)
		next := ""
		for _, rr := range found {
			h := rr.Header()
			c, isCNAME := rr.(*mdns.CNAME)
			if h.Rrtype == q.Question[0].Qtype || isCNAME {
				reply.Answer = append(reply.Answer, rr)
			}
			if isCNAME && h.Rrtype != q.Question[0].Qtype {
				next = c.Target
			}
		}
		if next == "" {
			break
		}
		name = next
		names = append(names, name)
	}
	reply.AuthenticatedData = s.authentic && s.signed(names...)
	if !known {
		reply.Rcode = mdns.RcodeNameError
	}
	if !hasType(reply.Answer, q.Question[0].Qtype) {
		reply.Ns = append(reply.Ns, s.soa(name))
	}
	return reply
}

// find is the records of a name, of its wildcard where it has none, and whether the name exists at all.
func (s *Server) find(name string) (records []mdns.RR, known bool) {
	name = owner(name)
	if records, known = s.records[name]; known {
		return records, true
	}
	for other := range s.records {
		if strings.HasSuffix(other, "."+name) { // an empty non-terminal
			return nil, true
		}
	}
	for _, i := range mdns.Split(name) {
		parent := name[i:]
		if j, end := mdns.NextLabel(parent, 0); !end {
			parent = parent[j:]
		} else {
			parent = ""
		}
		wild, ok := s.records["*."+parent]
		if ok {
			return named(wild, name), true
		}
		if _, ok := s.records[parent]; ok {
			return nil, false // the closest encloser has no wildcard
		}
	}
	return nil, false
}

// named is the records of a wildcard as those of a name.
func named(wild []mdns.RR, name string) []mdns.RR {
	var all []mdns.RR
	for _, rr := range wild {
		rr = mdns.Copy(rr)
		rr.Header().Name = name
		all = append(all, rr)
	}
	return all
}

func hasType(records []mdns.RR, qtype uint16) bool {
	for _, rr := range records {
		if rr.Header().Rrtype == qtype {
			return true
		}
	}
	return false
}

// soa is the SOA record that a denial about name bears: that of its zone, or one made up.
func (s *Server) soa(name string) mdns.RR {
	name = owner(name)
	for _, i := range mdns.Split(name) {
		for _, rr := range s.records[name[i:]] {
			if rr.Header().Rrtype == mdns.TypeSOA {
				return rr
			}
		}
	}
	return &mdns.SOA{
		Hdr: mdns.RR_Header{Name: ".", Rrtype: mdns.TypeSOA, Class: mdns.ClassINET, Ttl: 60},
		Ns:  "ns.invalid.", Mbox: "admin.invalid.", Minttl: 60,
	}
}
