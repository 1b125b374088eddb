package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Each suite that IANA has is asked for in each version that may have it, and signals in none.
func TestSuitesOf(t *testing.T) {
	asked := map[uint16][]string{}
	for _, v := range versions {
		for _, id := range suitesOf(v) {
			asked[id] = append(asked[id], tlsnames.VersionName(v))
		}
	}
	for _, s := range tlsnames.Suites() {
		want := "SSL3.0 TLS1.0 TLS1.1 TLS1.2"
		switch {
		case s.Signal():
			want = ""
		case s.TLS13():
			want = "TLS1.3"
		case s.TLS12():
			want = "TLS1.2"
		}
		if got := strings.Join(asked[s.ID], " "); got != want {
			t.Errorf("%s is asked for in %q", s.Name, got)
		}
	}
	for _, id := range common {
		if !slices.Contains(suitesOf(hello.TLS12), id) {
			t.Errorf("%04x is in small hellos and no suite", id)
		}
	}
	if len(common) > fewSuites {
		t.Errorf("a small hello has %d suites", len(common))
	}
}

// Each group is asked for in the versions that have it.
func TestGroupsOf(t *testing.T) {
	for _, g := range tlsnames.Groups() {
		below, newest := slices.Contains(groupsOf(hello.TLS12), g.ID), slices.Contains(groupsOf(hello.TLS13), g.ID)
		if below == g.TLS13 || newest == g.TLS12 {
			t.Errorf("%s: %v, %v", g.Name, below, newest)
		}
		if strings.HasPrefix(g.Name, "ffdhe") != isField(g.ID) {
			t.Errorf("%s: modulo a prime: %v", g.Name, isField(g.ID))
		}
	}
}

// How the names of suites are understood.
func TestAgreement(t *testing.T) {
	for name, want := range map[string]hello.Agreement{
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384":     {Ephemeral: true, Elliptic: true},
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256":   {Ephemeral: true, Elliptic: true},
		"TLS_DHE_RSA_WITH_AES_128_GCM_SHA256":       {Ephemeral: true},
		"TLS_DHE_DSS_WITH_AES_128_CBC_SHA":          {Ephemeral: true},
		"TLS_DHE_PSK_WITH_AES_128_GCM_SHA256":       {Ephemeral: true, PSK: true},
		"TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA":        {Ephemeral: true, Elliptic: true, PSK: true},
		"TLS_PSK_WITH_AES_128_GCM_SHA256":           {PSK: true},
		"TLS_RSA_PSK_WITH_AES_128_GCM_SHA256":       {PSK: true},
		"TLS_RSA_WITH_AES_128_GCM_SHA256":           {},
		"TLS_DH_RSA_WITH_AES_128_GCM_SHA256":        {},
		"TLS_ECDH_RSA_WITH_AES_128_GCM_SHA256":      {Elliptic: true},
		"TLS_DH_anon_WITH_AES_128_GCM_SHA256":       {Ephemeral: true, Anonymous: true},
		"TLS_ECDH_anon_WITH_AES_128_CBC_SHA":        {Ephemeral: true, Elliptic: true, Anonymous: true},
		"TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256": {Ephemeral: true},
	} {
		id, err := tlsnames.ParseSuite(name)
		if got := agreement(id); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The digests of primes are those of OpenSSL's.
func TestPrimeNames(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is needed")
	}
	for group, want := range map[string]Prime{
		"ffdhe2048": {2048, "ffdhe2048"}, "ffdhe3072": {3072, "ffdhe3072"}, "ffdhe4096": {4096, "ffdhe4096"}, "ffdhe6144": {6144, "ffdhe6144"}, "ffdhe8192": {8192, "ffdhe8192"},
		"modp_1536": {1536, "modp1536"}, "modp_2048": {2048, "modp2048"}, "modp_3072": {3072, "modp3072"}, "modp_4096": {4096, "modp4096"}, "modp_6144": {6144, "modp6144"},
		"modp_8192": {8192, "modp8192"}, "dh_1024_160": {1024, "RFC 5114, 1024 bits"}, "dh_2048_224": {2048, "RFC 5114, 2048 bits"}, "dh_2048_256": {2048, "RFC 5114, 2048 bits"},
	} {
		params, err := exec.Command("openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:"+group).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := primeOf(firstInteger(t, params)); got != want || want.String() != want.Name {
			t.Errorf("%s: %+v", group, got)
		}
	}
	if got := primeOf([]byte{0x80, 1}); got.String() != "a prime of 16 bits" {
		t.Errorf("%s", got)
	}
}

// chooses is a server that takes some of what is offered, by its order or the client's.
type chooses struct {
	accepts []uint16
	server  bool
	asked   int
	fails   int // after so many questions; 0: never
}

var errGone = errors.New("gone")

func (c *chooses) ask(_ context.Context, offered []uint16) (uint16, bool, error) {
	if c.asked++; c.fails > 0 && c.asked > c.fails {
		return 0, false, errGone
	}
	first, second := offered, c.accepts
	if c.server {
		first, second = second, first
	}
	for _, id := range first {
		if slices.Contains(second, id) {
			return id, true, nil
		}
	}
	return 0, false, nil
}

func TestDrain(t *testing.T) {
	p := &prober{}
	for name, c := range map[string]struct {
		server  chooses
		offered []uint16
		found   []uint16
		order   Order
		sorted  []uint16
		asked   int
	}{
		"its order":          {chooses{accepts: []uint16{3, 1, 2}, server: true}, []uint16{1, 2, 3, 4}, []uint16{3, 1, 2}, ServerOrder, []uint16{3, 1, 2}, 6},
		"the client's":       {chooses{accepts: []uint16{3, 1, 2}}, []uint16{1, 2, 3, 4}, []uint16{1, 2, 3}, ClientOrder, []uint16{1, 2, 3}, 6},
		"one":                {chooses{accepts: []uint16{2}, server: true}, []uint16{1, 2}, []uint16{2}, "", []uint16{2}, 2},
		"nothing":            {chooses{}, []uint16{1, 2}, nil, "", nil, 1},
		"everything":         {chooses{accepts: []uint16{1, 2}}, []uint16{1, 2}, []uint16{1, 2}, ClientOrder, []uint16{1, 2}, 4},
		"two, its order":     {chooses{accepts: []uint16{2, 1}, server: true}, []uint16{1, 2}, []uint16{2, 1}, ServerOrder, []uint16{2, 1}, 4},
		"nothing is offered": {chooses{accepts: []uint16{1}}, nil, nil, "", nil, 0},
	} {
		found, err := p.drain(t.Context(), c.offered, c.server.ask)
		if err != nil || !slices.Equal(found, c.found) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		order, sorted, err := p.order(t.Context(), found, false, c.server.ask)
		if err != nil || order != c.order || !slices.Equal(sorted, c.sorted) || c.server.asked != c.asked {
			t.Errorf("%s: %s, %v, %d questions, %v", name, order, sorted, c.server.asked, err)
		}
	}
	// What was found in pieces is brought into the server's order.
	server := chooses{accepts: []uint16{3, 1, 2}, server: true}
	if order, sorted, err := p.order(t.Context(), []uint16{1, 2, 3}, true, server.ask); order != ServerOrder || !slices.Equal(sorted, []uint16{3, 1, 2}) || err != nil {
		t.Errorf("%s, %v, %v", order, sorted, err)
	}
	// What was found before the server was gone is not lost.
	server = chooses{accepts: []uint16{1, 2, 3}, fails: 2}
	if found, err := p.drain(t.Context(), []uint16{1, 2, 3}, server.ask); !slices.Equal(found, []uint16{1, 2}) || !errors.Is(err, errGone) {
		t.Errorf("%v, %v", found, err)
	}
	// A server that chooses what was not offered is believed nothing.
	liar := func(context.Context, []uint16) (uint16, bool, error) { return 9, true, nil }
	if found, err := p.drain(t.Context(), []uint16{1, 2, 3}, liar); found != nil || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// A server that hangs up on large hellos is asked by small ones, and its order is found all the same.
func TestSmallHellos(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	accepts := []uint16{0xc030, 0x009c, 0xc02f}
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answerSmall(c, accepts)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	target, err := ParseTarget(l.Addr().String(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	r := Probe(t.Context(), target, Options{Timeout: time.Minute, Patience: time.Minute})
	if !slices.Equal(r.Accepted.Suites, names(accepts, tlsnames.SuiteName)) || r.Preferred.SuiteOrder != ServerOrder || !slices.Equal(r.Accepted.Versions, []string{"TLS1.2"}) {
		t.Errorf("%+v, %+v, %+v", r.Accepted, r.Preferred, r.Problem)
	}
}

// answerSmall chooses by the server's order from a hello of TLS 1.2 with at most 60 suites, and hangs up on others.
func answerSmall(c net.Conn, accepts []uint16) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(c, body); err != nil {
		return
	}
	const suitesAt = 4 + 2 + 32 + 1 // there is no session
	n := int(body[suitesAt])<<8 | int(body[suitesAt+1])
	if body[4] != 3 || body[5] != 3 || body[suitesAt-1] != 0 || n > 2*60 {
		return
	}
	offered := body[suitesAt+2 : suitesAt+2+n]
	for _, id := range accepts {
		for i := 0; i < len(offered); i += 2 {
			if offered[i] == byte(id>>8) && offered[i+1] == byte(id) {
				said := append([]byte{22, 3, 3, 0, 46, 2, 0, 0, 38, 3, 3}, make([]byte, 32)...)
				c.Write(append(said, 0, byte(id>>8), byte(id), 0, 14, 0, 0, 0))
				return
			}
		}
	}
	c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
}

// A certificate's curve stays in the list where only suites need it that have such a certificate.
func TestCurveSuites(t *testing.T) {
	const ecdsa, rsa, fixed uint16 = 0xc02b, 0xc02f, 0x009c
	for _, c := range []struct{ have, want []uint16 }{
		{[]uint16{ecdsa, rsa, fixed}, []uint16{rsa}},
		{[]uint16{ecdsa, fixed}, []uint16{ecdsa}},
		{[]uint16{fixed}, nil},
		{[]uint16{0xc018, ecdsa}, []uint16{0xc018}}, // anonymous
	} {
		if got, stays := curveSuites(&scan{suites: c.have}); !slices.Equal(got, c.want) || stays != 0 {
			t.Errorf("%04x: %04x, %d", c.have, got, stays)
		}
	}
}

// Whatever a server says before TLS is read within bounds.
func FuzzDoors(f *testing.F) {
	f.Add([]byte("220-mx\r\n220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"))
	f.Add([]byte("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"))
	f.Add([]byte("\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x34\x04\x00\x04\x00"))
	f.Add([]byte("421 4.7.0 no\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, door := range []func(net.Conn) error{ldapDoor, func(c net.Conn) error { return smtpDoor(c, "gw.example") }} {
			err := door(&scripted{Reader: bytes.NewReader(said)})
			var refusal *DoorError
			if err != nil && (!errors.As(err, &refusal) || refusal.What == "" || strings.ContainsAny(refusal.What, "\r\n\x1b")) {
				t.Errorf("%q: %v", said, err)
			}
		}
		if code, ok := ldapResult(said); ok && (code < 0 || code > 255) {
			t.Errorf("result %d", code)
		}
	})
}

// scripted is a connection to somebody who says always the same.
type scripted struct {
	net.Conn
	io.Reader
}

// Read reads what was said.
func (s *scripted) Read(p []byte) (int, error) { return s.Reader.Read(p) }

// Write forgets.
func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }
