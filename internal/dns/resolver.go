package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// Options say whom a Resolver asks and how long. The zero Options ask the servers of /etc/resolv.conf. Zero
// fields take the default that stands with them.
type Options struct {
	// Servers are IP addresses of recursive resolvers, with or without a port (53): "127.0.0.1",
	// "192.0.2.53:5353", "[2001:db8::1]:53". They are asked in this order; one that does not answer is asked
	// last for half a minute.
	Servers    []string
	ResolvConf string        // where the servers stand if Servers is empty; /etc/resolv.conf. It is read once, by New
	Timeout    time.Duration // for one try at one server; 3 seconds
	Attempts   int           // how often each server is asked; 2
	Total      time.Duration // for a whole look-up; 20 seconds
	CacheSize  int           // bytes of answers kept, roughly; 8 MiB. Negative: none are kept
	MaxTTL     time.Duration // longer TTLs are cut to this; 1 hour
	// TrustAD takes the word of any server that it validated an answer (RFC 4035, 3.2.3). Otherwise only
	// servers on a loopback address are believed: what comes over a network can be forged by the way.
	TrustAD bool
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil: a net.Dialer
	Now     func() time.Time                                                  // nil: time.Now
	// Shuffle mixes MX hosts of one preference; nil: at random.
	Shuffle func(n int, swap func(i, j int))
}

// Resolver looks names up. It may be used from many goroutines. Close it when it is no longer needed.
type Resolver struct {
	o       Options
	servers []server
	flights singleflight.Group
	cache   *cache
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex // guards closed and silent
	closed  bool
	silent  map[string]time.Time // servers that gave no answer, until when they are asked last
}

// server is a recursive resolver.
type server struct {
	addr    string // with port
	trusted bool   // its AD bit means something
}

// New checks options, reads resolv.conf where they name no server, and makes a Resolver. It asks nothing yet.
// Its errors wrap [ErrOptions] or are those of reading the file.
func New(o Options) (*Resolver, error) {
	o = o.withDefaults()
	if len(o.Servers) == 0 {
		found, err := fromFile(o.ResolvConf)
		if err != nil {
			return nil, err
		}
		o.Servers = found
	}
	r := &Resolver{o: o, cache: newCache(o.CacheSize, o.Now), silent: map[string]time.Time{}}
	for _, s := range o.Servers {
		addr, err := parseServer(s)
		if err != nil {
			return nil, err
		}
		r.servers = append(r.servers, server{addr.String(), o.TrustAD || addr.Addr().Unmap().IsLoopback()})
	}
	r.life, r.end = context.WithCancel(context.Background())
	return r, nil
}

// Close ends look-ups under way and returns when they have ended. Later ones fail with [ErrTemporary] at once,
// except from the cache. A second call does nothing.
func (r *Resolver) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.running.Wait()
	return nil
}

// start enters a flight, unless the Resolver is closed.
func (r *Resolver) start() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.running.Add(1)
	}
	return !r.closed
}

func (o Options) withDefaults() Options {
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime(&o.Timeout, 3*time.Second)
	orTime(&o.Total, 20*time.Second)
	orTime(&o.MaxTTL, time.Hour)
	if o.Attempts <= 0 {
		o.Attempts = 2
	}
	if o.CacheSize == 0 {
		o.CacheSize = 8 << 20
	}
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Shuffle == nil {
		o.Shuffle = shuffle
	}
	return o
}

// Servers lists the servers of a resolv.conf, as a Resolver without servers of its own asks them. Empty: /etc/resolv.conf.
func Servers(resolvConf string) ([]string, error) {
	return fromFile(Options{ResolvConf: resolvConf}.withDefaults().ResolvConf)
}

// fromFile reads the servers of a resolv.conf. Where it names none, the machine itself is asked, as
// resolv.conf(5) has it.
func fromFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("dns: which servers to ask: %w", err)
	}
	defer f.Close()
	c, err := mdns.ClientConfigFromReader(f)
	if err != nil {
		return nil, fmt.Errorf("dns: which servers to ask: %s: %w", path, err)
	}
	if len(c.Servers) == 0 {
		return []string{"127.0.0.1"}, nil
	}
	const most = 3 // MAXNS of resolv.conf(5)
	return c.Servers[:min(len(c.Servers), most)], nil
}

// parseServer reads an address with or without a port.
func parseServer(s string) (netip.AddrPort, error) {
	const port = 53
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(addr, port), nil
	}
	addr, err := netip.ParseAddrPort(s)
	if err != nil || addr.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%w: the server %.100q is no IP address; write it as 127.0.0.1 or 127.0.0.1:53", ErrOptions, s)
	}
	return addr, nil
}

// order is the servers as they are asked now: those that lately gave no answer last.
// TLSA records, and that there are none, are worth something only where a server is believed: where one is, the others are not asked. Who can keep
// answers from it would end DANE else, by having the next one deny what nobody validates (RFC 7672, 2.1.1 and 2.2: no answer is no denial).
func (r *Resolver) order(qtype uint16) []server {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	var good, bad []server
	believed := qtype == mdns.TypeTLSA && slices.ContainsFunc(r.servers, func(s server) bool { return s.trusted })
	for _, s := range r.servers {
		if believed && !s.trusted {
			continue
		}
		if now.Before(r.silent[s.addr]) {
			bad = append(bad, s)
		} else {
			good = append(good, s)
		}
	}
	return append(good, bad...)
}

// note remembers whether a server answered.
func (r *Resolver) note(s server, answered bool) {
	const penalty = 30 * time.Second
	r.mu.Lock()
	defer r.mu.Unlock()
	if answered {
		delete(r.silent, s.addr)
	} else {
		r.silent[s.addr] = r.o.Now().Add(penalty)
	}
}
