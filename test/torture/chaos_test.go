package torture

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/test/postfix"
	"github.com/siegel-mail/siegel/test/stand"
)

// TestChaos puts a Postfix on either side of the gateway, the company's and the internet's, with bad lines
// between them, and sends mail both ways while everything that may fail does: the gateway is killed, stopped and
// reloaded, each Postfix is stopped and started, lines are cut, the last hop refuses. What the first
// Postfix took arrives behind the other one, whole and protected, and nobody gets a report. CHAOS is how long.
func TestChaos(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("Postfix wants to be started by root")
	}
	last := 15 * time.Second
	if text := os.Getenv("CHAOS"); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("CHAOS=%q: %v", text, err)
		}
	}
	c := newChaos(t)
	stop := c.w.pour()
	for end := time.Now().Add(last); time.Now().Before(end) && !t.Failed(); {
		pause(t.Context(), c.w.dice.upTo(2*time.Second))
		c.happen()
	}
	stop()
	t.Cleanup(func() { // before the servers end
		if t.Failed() {
			c.trace()
		}
	})
	go c.flush()
	c.w.settle(c.gateway)
	c.judge()
}

// flush lets both Postfix try what waits, now and again. One that was ended amid its work may leave a message to
// itself for hours.
func (c *chaos) flush() {
	for c.t.Context().Err() == nil {
		pause(c.t.Context(), 5*time.Second)
		c.company.server.Flush(c.t.Context())
		c.internet.server.Flush(c.t.Context())
	}
}

// trace tells what the logs say about what did not come.
func (c *chaos) trace() {
	logs := c.company.server.Log() + c.internet.server.Log()
	for _, g := range c.lives {
		logs += g.Log()
	}
	for _, name := range c.w.book.missing(3) {
		letter, _, _ := strings.Cut(name, " ")
		words := []string{"<" + letter + "@"}
		for _, m := range regexp.MustCompile(`: ([0-9A-F]{10,}): message-id=<`+regexp.QuoteMeta(letter)+`@`).FindAllStringSubmatch(logs, -1) {
			words = append(words, m[1])
		}
		for line := range strings.Lines(logs) {
			if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
				c.t.Logf("%s: %s", letter, strings.TrimSpace(line))
			}
		}
	}
}

// chaos is the world with its two mail servers.
type chaos struct {
	t                 *testing.T
	w                 *world
	gateway           *stand.Gateway
	company, internet *mailServer
	links             []*link
	happened          map[string]int
	lives             []*stand.Gateway
}

// mailServer is a Postfix that keeps its queue while it is stopped.
type mailServer struct {
	options postfix.Options
	server  *postfix.Server
}

func (m *mailServer) start(t *testing.T) {
	t.Helper()
	var err error
	if m.server, err = postfix.Start(within(t, patience, "a Postfix"), m.options); err != nil {
		t.Fatal(err)
	}
}

func (m *mailServer) stop(t *testing.T) {
	t.Helper()
	if err := m.server.Stop(); err != nil {
		t.Fatal(err)
	}
}

// newChaos starts everything: the clients speak to the two Postfix, these to the gateway and the sink.
func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{t: t, w: newWorld(t), happened: map[string]int{}}
	internal, external := c.w.senders.address["internal"], c.w.senders.address["external"]
	c.company = c.mailServer("mail.firma.example", internal, "firma.example")
	c.internet = c.mailServer("mail.partner.example", external, "partner.example", "other.example")
	c.w.configure(map[string]string{
		"INTERNAL": internal, "EXTERNAL": external, "CONCURRENCY": strconv.Itoa(concurrency),
		"COMPANY": c.link(fmt.Sprintf("127.0.0.1:%d", c.company.options.Port)),
		"HOP":     c.link(fmt.Sprintf("127.0.0.1:%d", c.internet.options.Port)),
	})
	c.w.senders.address = map[string]string{"internal": c.company.server.Addr(), "external": c.internet.server.Addr()}
	c.w.senders.kinds = slices.DeleteFunc(kinds(), func(k kind) bool { return slices.Contains(k.to, nobody) })
	c.serve()
	return c
}

// mailServer starts a Postfix that sends the mail of its own domains to the sink and all other to the gateway.
func (c *chaos) mailServer(name, gateway string, own ...string) *mailServer {
	c.t.Helper()
	dir, err := os.MkdirTemp("", "siegel-chaos")
	if err != nil {
		c.t.Fatal(err)
	}
	port := freeport.Port(c.t)
	var transports []string
	for _, domain := range own {
		transports = append(transports, fmt.Sprintf("{%s=smtp:[127.0.0.1]:%s}", domain, c.w.hop))
	}
	m := &mailServer{options: postfix.Options{
		Hostname: name, Port: port, Relay: "127.0.0.1:" + c.link(gateway), Dir: dir,
		Settings: map[string]string{"transport_maps": "inline:{" + strings.Join(transports, ", ") + "}", "smtp_tls_security_level": "none"},
	}}
	m.start(c.t)
	c.t.Cleanup(func() {
		m.stop(c.t)
		os.RemoveAll(dir)
	})
	return m
}

// link lays a line to an address and returns the port of its near end.
func (c *chaos) link(target string) (port string) {
	c.t.Helper()
	l, addr := newLink(c.t, c.w.dice, target)
	c.links = append(c.links, l)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.t.Fatal(err)
	}
	return port
}

// serve begins another life of the gateway.
func (c *chaos) serve() {
	c.t.Helper()
	c.gateway = c.w.launch()
	c.lives = append(c.lives, c.gateway)
	if err := c.gateway.Listening(within(c.t, patience, "the gateway")); err != nil {
		c.t.Fatal(err)
	}
}

// happen lets one thing go wrong.
func (c *chaos) happen() {
	c.t.Helper()
	dice, ctx := c.w.dice, within(c.t, patience, "what goes wrong")
	outage := func() { pause(ctx, dice.upTo(2*time.Second)) }
	all := map[string]func(){
		"gateway killed": func() { c.gateway.Kill(); outage(); c.serve() },
		"gateway stopped": func() {
			if err := c.gateway.Stop(ctx); err != nil {
				c.t.Fatal(err)
			}
			c.serve()
		},
		"gateway reloaded": func() {
			if err := c.gateway.Reload(ctx); err != nil {
				c.t.Fatal(err)
			}
		},
		"company's Postfix stopped":  func() { c.company.stop(c.t); outage(); c.company.start(c.t) },
		"internet's Postfix stopped": func() { c.internet.stop(c.t); outage(); c.internet.start(c.t) },
		"all lines cut": func() {
			for _, l := range c.links {
				l.cut()
			}
		},
		"last hop shut": func() { c.w.sink.shut.Store(true); outage(); c.w.sink.shut.Store(false) },
	}
	names := slices.Sorted(maps.Keys(all))
	name := names[dice.below(len(names))]
	c.happened[name]++
	all[name]()
}

// judge counts.
func (c *chaos) judge() {
	c.t.Helper()
	cuts := 0
	for _, l := range c.links {
		cuts += l.cuts
	}
	c.t.Logf("what went wrong: %v; %d connections cut", c.happened, cuts)
	for _, f := range c.w.book.judge(unanswered, deferred) {
		c.t.Error(f)
	}
	d := c.w.book.double()
	twice := d.unconfirmed + len(d.unexplained)
	for _, n := range d.unsettled {
		twice += n
	}
	c.t.Logf("%d messages accepted by the first Postfix, none lost; %d came twice, %d of them since the last hop did not say that it had it",
		c.w.book.count(accepted), twice, d.unconfirmed)
	kills := c.happened["gateway killed"] + c.happened["gateway stopped"] + c.happened["company's Postfix stopped"] + c.happened["internet's Postfix stopped"]
	if most := kills*inFlight + cuts; twice-d.unconfirmed > most {
		c.t.Errorf("%d came twice without a reason", twice-most)
	}
	for _, m := range []*mailServer{c.company, c.internet} {
		if left, _ := filepath.Glob(filepath.Join(m.server.Dir(), "queue", "corrupt", "*")); len(left) > 0 {
			c.t.Errorf("%s set aside %q", m.options.Hostname, left)
		}
	}
}
