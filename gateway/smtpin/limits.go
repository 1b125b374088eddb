package smtpin

import (
	"net/netip"
	"time"

	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/meter"
)

// Limits bound what clients may take up on one listener. A client is an IPv4 address or an IPv6 /64; a /48 may
// take up sixteen times as much as one /64 of it. Zero fields take the default that stands with them.
type Limits struct {
	Connections int // open at once; 2000
	PerClient   int // open at once by one client; 100

	// What one client may do in a while; zero or less: anything.
	ConnectionsPerMinute int
	MessagesPerHour      int
	BytesPerHour         int64
	RecipientsPerHour    int
	ErrorsPerHour        int // commands refused for good, on listeners without a Tenant
	// Exempt are the networks whose clients PerClient and those five do not bind, and whose connections are
	// not ended to make room for others.
	Exempt []netip.Prefix

	Errors    int           // commands refused for good, on one connection; 20
	Commands  int           // without a message, beside RCPT and BDAT, on one connection; 100
	Messages  int           // taken on one connection before it is closed; 1000
	Bytes     int64         // of messages taken on one connection before it is closed; 1 << 40
	Idle      time.Duration // wait for a command; 5 minutes (RFC 5321, 4.5.3.2.7)
	Quiet     time.Duration // a connection may last without a message; 30 minutes
	Read      time.Duration // wait for the next bytes of a message; 3 minutes (RFC 5321, 4.5.3.2.5)
	Write     time.Duration // for one reply to go out; 1 minute
	Message   time.Duration // from DATA to the end of the message; 1 hour
	Rate      int           // bytes a second that a message brings on average, once Read has passed; 500
	Handshake time.Duration // for TLS; 30 seconds
	Grace     time.Duration // for messages in transfer at a stop; 30 seconds
	Line      int           // octets of a command; 12288 (RFC 4954, 4.: AUTH)
	Header    int           // octets of a message header; 256 KiB
	Fields    int           // of a message header; 1000
	Hops      int           // Received fields before a loop is suspected; 100 (RFC 5321, 6.3)
}

func orDefault[T ~int | ~int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Connections, 2000)
	orDefault(&l.PerClient, 100)
	orDefault(&l.Errors, 20)
	orDefault(&l.Commands, 100)
	orDefault(&l.Messages, 1000)
	orDefault(&l.Bytes, 1<<40)
	orDefault(&l.Line, 12<<10)
	orDefault(&l.Header, 256<<10)
	orDefault(&l.Fields, 1000)
	orDefault(&l.Hops, 100)
	orDefault(&l.Rate, 500)
	orDefault(&l.Idle, 5*time.Minute)
	orDefault(&l.Quiet, 30*time.Minute)
	orDefault(&l.Read, 3*time.Minute)
	orDefault(&l.Write, time.Minute)
	orDefault(&l.Message, time.Hour)
	orDefault(&l.Handshake, 30*time.Second)
	orDefault(&l.Grace, 30*time.Second)
	return l
}

// exempts reports whether limits of clients do not bind this one.
func (l *Limits) exempts(c client) bool {
	for _, n := range l.Exempt {
		if n.Contains(c.addr) {
			return true
		}
	}
	return false
}

// usage is what is counted of a client over time.
type usage uint8

const (
	connecting usage = iota
	sending
	octets
	addressing
	failing
	recording // of connections turned away
)

// wider is how many times as much as one client the network around it may use.
const wider = 16

// maxRemembered is how many things are remembered of clients; of more, those not seen for longest are forgotten.
const maxRemembered = 100_000

type usageKey struct {
	what     usage
	listener string
	network  netip.Prefix
}

// limit is how much of something a client may use; Most is zero where it may use anything.
func (l *Limits) limit(what usage) meter.Limit {
	switch what {
	case connecting:
		return meter.Limit{Most: int64(l.ConnectionsPerMinute), Per: time.Minute}
	case sending:
		return meter.Limit{Most: int64(l.MessagesPerHour), Per: time.Hour}
	case octets:
		return meter.Limit{Most: l.BytesPerHour, Per: time.Hour}
	case addressing:
		return meter.Limit{Most: int64(l.RecipientsPerHour), Per: time.Hour}
	case failing:
		return meter.Limit{Most: int64(l.ErrorsPerHour), Per: time.Hour}
	}
	return meter.Limit{Most: 10, Per: time.Minute}
}

// spend counts n for a client, or reports false where it may not have that.
func (s *Server) spend(l *site, c client, what usage, n int64) bool {
	limit := l.limits.limit(what)
	if limit.Most <= 0 || l.limits.exempts(c) {
		return true
	}
	now := l.Now()
	if !s.used.Add(usageKey{what, l.Name, c.network}, n, limit, now) {
		return false
	}
	limit.Most *= wider
	return !c.wide.IsValid() || s.used.Add(usageKey{what, l.Name, c.wide}, n, limit, now)
}

// note counts n for a client, which has it already.
func (s *Server) note(l *site, c client, what usage, n int64) {
	limit := l.limits.limit(what)
	if limit.Most <= 0 || l.limits.exempts(c) {
		return
	}
	for _, network := range []netip.Prefix{c.network, c.wide} {
		if network.IsValid() {
			s.used.Note(usageKey{what, l.Name, network}, n, limit.Per, l.Now())
		}
	}
}

// spent reports whether a client has used up what it may.
func (s *Server) spent(l *site, c client, what usage) bool {
	limit := l.limits.limit(what)
	if limit.Most <= 0 || l.limits.exempts(c) {
		return false
	}
	now := l.Now()
	return s.used.Used(usageKey{what, l.Name, c.network}, limit.Per, now) >= limit.Most ||
		c.wide.IsValid() && s.used.Used(usageKey{what, l.Name, c.wide}, limit.Per, now) >= wider*limit.Most
}

// errNotHere is the refusal of a client that is not in the networks of a listener.
func errNotHere() error { return status.Say(nil, 554, "5.7.1", texts.DoorNotHere, texts.Values{}) }

// Refusals of clients that have had enough for now. They try again by themselves.
var (
	errTooMuch       = status.Say(nil, 452, "4.7.0", texts.DoorMuchMail, texts.Values{})
	errTooManyOver   = status.Say(nil, 452, "4.7.0", texts.DoorMuchAddressed, texts.Values{})
	errTooManyErrors = status.Say(nil, 421, "4.7.0", texts.DoorErrors, texts.Values{})
	errTooOften      = status.Say(nil, 421, "4.7.0", texts.DoorOften, texts.Values{})
	errNetworkFull   = status.Say(nil, 421, "4.7.0", texts.DoorNetworkFull, texts.Values{})
	errFull          = status.Say(nil, 421, "4.7.0", texts.DoorFull, texts.Values{})
	errCrowded       = status.Say(nil, 421, "4.7.0", texts.DoorCrowded, texts.Values{})
)
