package dns

import (
	"context"
	"errors"
	"fmt"
	"time"

	mdns "github.com/miekg/dns"
)

// failureTTL is how long a failure is remembered (RFC 9520, 3.2).
const failureTTL = 5 * time.Second

// maxHops bounds a chain of CNAMEs.
const maxHops = 10

// answer is what came of asking for a name and type. It is shared by callers and never changed.
type answer struct {
	records   []mdns.RR // of the type asked for
	name      string    // that owns them, after CNAMEs; without the last dot
	authentic bool
	failure   *Error // or this
	ttl       time.Duration
	size      int // of the replies, in octets
	hops      int // CNAMEs that were followed
}

// look answers from the cache, or asks. The name has passed query() or Name().
func (r *Resolver) look(ctx context.Context, name string, qtype uint16) (answer, error) {
	k := key{name, qtype}
	if a, ok := r.cache.get(k); ok {
		return a, a.err()
	}
	a, err := r.join(ctx, k)
	if err != nil {
		return answer{}, &Error{Name: name, Type: mdns.TypeToString[qtype], Class: ErrTemporary, Err: err}
	}
	return a, a.err()
}

func (a answer) err() error {
	if a.failure == nil {
		return nil
	}
	return a.failure
}

// join waits for the one look-up of k that is under way, or starts it. Its error is that of ctx. The look-up
// has a time of its own: that its first caller has gone must not harm the others.
func (r *Resolver) join(ctx context.Context, k key) (answer, error) {
	if err := context.Cause(ctx); err != nil {
		return answer{}, err
	}
	done := r.flights.DoChan(fmt.Sprint(k.qtype, " ", k.name), func() (any, error) {
		if !r.start() {
			return answer{failure: k.failed(errClosed, "")}, nil
		}
		defer r.running.Done()
		if a, ok := r.cache.get(k); ok { // by the flight before this one
			return a, nil
		}
		ctx, cancel := context.WithTimeout(r.life, r.o.Total)
		defer cancel()
		a := r.chase(ctx, k)
		if r.life.Err() == nil {
			r.cache.put(k, a)
		}
		return a, nil
	})
	select {
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	case result := <-done:
		return result.Val.(answer), nil
	}
}

var errClosed = errors.New("the resolver is closed")

// failed is a temporary failure to look up k.
func (k key) failed(cause error, server string) *Error {
	return &Error{Name: k.name, Type: mdns.TypeToString[k.qtype], Class: ErrTemporary, Server: server, Err: cause}
}

// chase follows CNAMEs to the records (RFC 1034, 3.6.2). Recursive resolvers do that themselves; what they
// left open is asked for here.
func (r *Resolver) chase(ctx context.Context, k key) answer {
	total := answer{authentic: true, ttl: r.o.MaxTTL}
	name := k.name
	for total.hops <= maxHops {
		reply, s, failure := r.ask(ctx, key{name, k.qtype})
		if failure != nil {
			failure.Name = k.name
			return answer{failure: failure, ttl: failureTTL}
		}
		total.size += reply.Len()
		total.authentic = total.authentic && reply.AuthenticatedData && s.trusted
		end, settled := total.follow(reply, k.qtype)
		if settled {
			total.name = trimDot(end)
			if len(total.records) == 0 {
				total.deny(k, reply, s)
			}
			return total
		}
		name = lower(trimDot(end))
	}
	return answer{failure: k.failed(errors.New("the CNAMEs do not end"), ""), ttl: failureTTL}
}

// follow walks the CNAMEs of a reply, gathers the records at their end, and tells whether the reply says all
// there is to say about that end.
func (a *answer) follow(reply *mdns.Msg, qtype uint16) (end string, settled bool) {
	end = reply.Question[0].Name
	for first := true; ; first = false {
		target := a.gather(reply.Answer, end, qtype)
		switch {
		case len(a.records) > 0:
			return end, true
		case target == "":
			return end, first || reply.Rcode == mdns.RcodeNameError || soa(reply) != nil
		}
		end = target
		if a.hops++; a.hops > maxHops {
			return end, false
		}
	}
}

// gather takes the records of a name and type, and returns the target of its CNAME where it has one.
func (a *answer) gather(records []mdns.RR, name string, qtype uint16) (target string) {
	for _, rr := range records {
		h := rr.Header()
		if !sameName(h.Name, name) || h.Class != mdns.ClassINET {
			continue
		}
		if c, ok := rr.(*mdns.CNAME); ok && qtype != mdns.TypeCNAME {
			target = c.Target
		} else if h.Rrtype == qtype {
			a.records = append(a.records, rr)
		} else {
			continue
		}
		a.age(h.Ttl)
	}
	return target
}

func (a *answer) age(ttl uint32) { a.ttl = min(a.ttl, time.Duration(ttl)*time.Second) }

// deny makes a denial of an answer without records: kept as long as the SOA says (RFC 2308, 5), and not at
// all where there is none.
func (a *answer) deny(k key, reply *mdns.Msg, s server) {
	a.failure = &Error{
		Name: k.name, Type: mdns.TypeToString[k.qtype], Class: ErrNotFound, Server: s.addr,
		NoName: reply.Rcode == mdns.RcodeNameError, Authentic: a.authentic,
	}
	if rr := soa(reply); rr != nil {
		a.age(min(rr.Hdr.Ttl, rr.Minttl))
	} else {
		a.ttl = 0
	}
}

func soa(reply *mdns.Msg) *mdns.SOA {
	for _, rr := range reply.Ns {
		if s, ok := rr.(*mdns.SOA); ok {
			return s
		}
	}
	return nil
}

// ask asks the servers in turn until one gives an answer or a denial.
func (r *Resolver) ask(ctx context.Context, k key) (*mdns.Msg, server, *Error) {
	last := k.failed(errors.New("no server was asked"), "")
	for attempt := range r.o.Attempts {
		for _, s := range r.order(k.qtype) {
			if err := context.Cause(ctx); err != nil {
				return nil, s, k.failed(errors.Join(err, last.Err), last.Server)
			}
			reply, err := r.exchange(ctx, s.addr, question(k.name, k.qtype, true))
			if ctx.Err() == nil { // else it had no fair chance
				r.note(s, err == nil)
			}
			if err == nil {
				err = unusable(reply)
			}
			if err == nil {
				return reply, s, nil
			}
			last = k.failed(err, s.addr)
			if r.isBogus(ctx, s, k, reply, attempt == r.o.Attempts-1) {
				last.Class = ErrBogus
				return nil, s, last // the next server may validate nothing
			}
		}
	}
	return nil, server{}, last
}

// unusable tells why a reply is neither an answer nor a denial; nil where it is.
func unusable(reply *mdns.Msg) error {
	switch {
	case reply.Rcode != mdns.RcodeSuccess && reply.Rcode != mdns.RcodeNameError:
		return fmt.Errorf("the server says %s", mdns.RcodeToString[reply.Rcode])
	case len(reply.Question) != 1:
		return errReply
	case len(reply.Answer) == 0 && reply.Rcode == mdns.RcodeSuccess && !reply.RecursionAvailable && !reply.Authoritative:
		return errors.New("the server does not look names up for others") // it only tells whom to ask
	}
	return nil
}

// isBogus tells whether a server failed since it found the answer forged: it says so (RFC 8914), or, where probe
// permits to ask again, it has an answer for those who do not mind (RFC 4035, 3.2.2: the CD bit).
func (r *Resolver) isBogus(ctx context.Context, s server, k key, reply *mdns.Msg, probe bool) bool {
	if reply == nil || reply.Rcode != mdns.RcodeServerFailure {
		return false
	}
	if opt := reply.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if ede, ok := o.(*mdns.EDNS0_EDE); ok {
				return isValidation(ede.InfoCode)
			}
		}
	}
	if !probe {
		return false
	}
	q := question(k.name, k.qtype, true)
	q.CheckingDisabled = true
	unchecked, err := r.exchange(ctx, s.addr, q)
	return err == nil && unusable(unchecked) == nil
}

// isValidation tells the codes of RFC 8914, 4 that mean failed validation.
func isValidation(code uint16) bool {
	return mdns.ExtendedErrorCodeDNSBogus <= code && code <= mdns.ExtendedErrorCodeNSECMissing
}

// sameName compares names as miekg/dns prints them.
func sameName(a, b string) bool { return len(a) == len(b) && equalFold([]byte(a), []byte(b)) }

func trimDot(s string) string {
	if len(s) > 1 && s[len(s)-1] == '.' {
		return s[:len(s)-1]
	}
	return s
}
