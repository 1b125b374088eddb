package tls

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// door is a listener with a profile and a certificate.
type door struct {
	profile string
	kind    tlstest.Kind
	addr    string
}

// doors configures a listener for each profile and each kind of certificate that it takes.
func (w *world) doors() (all []door, listeners []string) {
	for _, profile := range slices.Sorted(maps.Keys(rules)) {
		for _, kind := range kinds {
			if !rules[profile].large(kind) || rules[profile].clientOnly {
				continue
			}
			d := door{profile, kind, freeport.Address(w.t)}
			all = append(all, d)
			listeners = append(listeners, w.listener(d))
		}
	}
	return all, listeners
}

// listener is a door in a configuration.
func (w *world) listener(d door) string {
	p := w.pair(d.kind)
	return fmt.Sprintf(`{name: "%s-%s", address: "%s", role: external, authentication: false, limits: {connections_per_minute: 0, errors_per_hour: 0}, tls: {certificate: %s, key: %s, profile: %s, required: true}}`,
		d.profile, d.kind, d.addr, p.CertFile, p.KeyFile, d.profile)
}

// cell is one connection of the matrix.
type cell struct {
	door
	offer
	client string
	to     string // the recipient by whom its message is known
}

// cells lists what each client tries at each door.
func cells(doors []door) (all []cell) {
	for _, d := range doors {
		for _, c := range []string{"openssl", "gnutls"} {
			main := d.kind == tlstest.RSA3072 || d.kind == tlstest.P256 || d.profile == "museum" && d.kind == tlstest.RSA2048
			if c == "gnutls" && !main {
				continue
			}
			whole := main && (c == "openssl" || d.profile == "modern" || d.profile == "bsi-tr-03108" || d.profile == "museum")
			for _, o := range offers(d.kind, whole) {
				if c == "gnutls" && o.gnutls() == "" {
					continue
				}
				all = append(all, cell{d, o, c, fmt.Sprintf("c%d@firma.example", len(all))})
			}
		}
	}
	return all
}

// crowd does something with each of many things, a few at once.
func crowd[T any](all []T, do func(T)) {
	var wg sync.WaitGroup
	work := make(chan T)
	for range 4 {
		wg.Go(func() {
			for c := range work {
				do(c)
			}
		})
	}
	for _, c := range all {
		work <- c
	}
	close(work)
	wg.Wait()
}

// No client comes in outside the profile of a listener, and none inside it is refused; what stands in Received and in the log is what the
// client says that it negotiated.
func TestMatrixIn(t *testing.T) {
	w := newWorld(t)
	doors, listeners := w.doors()
	w.configure(listeners, nil, ownProfiles)
	w.serve()
	all := cells(doors)
	var mu sync.Mutex
	counts := map[string]int{}
	crowd(all, func(c cell) {
		want := rules[c.profile].allows(c.offer, c.kind, c.client == "gnutls")
		got := w.enter(t, c, want)
		mu.Lock()
		defer mu.Unlock()
		counts[fmt.Sprintf("%s %s", c.client, map[bool]string{true: "in", false: "refused"}[got])]++
	})
	t.Logf("%d doors, %d connections: %v", len(doors), len(all), counts)
	for key, least := range map[string]int{"openssl in": 150, "openssl refused": 350, "gnutls in": 80, "gnutls refused": 100} {
		if counts[key] < least {
			t.Errorf("%s: only %d", key, counts[key])
		}
	}
}

// enter tries a cell, and tells whether a message came through.
func (w *world) enter(t *testing.T, c cell, want bool) bool {
	t.Helper()
	ctx := within(t, c.to)
	start := client(sClient)
	if c.client == "gnutls" {
		start = gnutlsCLI
	}
	d := start(t, c.addr, c.offer)
	defer d.end()
	err := d.deliver(ctx, c.to)
	if got := err == nil; got != want {
		t.Errorf("%s, %s at %s with %s: it got in: %v, want %v: %v\n%s", c.client, c.offer, c.profile, c.kind, got, want, err, d.out.String())
		return got
	}
	if !want {
		return false
	}
	message, err := w.hop.next(ctx, c.to)
	if err != nil {
		t.Error(err)
		return true
	}
	w.witness(t, c, message, d.out.String())
	return true
}

// witness holds what the gateway says of a connection against what the client says.
func (w *world) witness(t *testing.T, c cell, message, said string) {
	t.Helper()
	suite, group := iana(t, c.suite), c.group
	if c.version != "1.3" && !strings.HasPrefix(c.suite, "ECDHE") {
		group = ""
	}
	clause := " tls " + suite
	if group != "" {
		clause += " group " + group
	}
	if !strings.Contains(received(message), clause+";") {
		t.Errorf("%s at %s: Received lacks %q: %s", c.offer, c.profile, clause, received(message))
	}
	if !regexp.MustCompile(witnessed(c)).MatchString(said) {
		t.Errorf("%s at %s: %s does not say %q:\n%s", c.offer, c.profile, c.client, witnessed(c), said)
	}
	// It is logged beside the delivery, which may be quicker.
	line := regexp.QuoteMeta(`client_tls="TLS`+c.version+" "+suite) + ".* to=" + regexp.QuoteMeta(c.to)
	if err := w.gateway.WaitLog(within(t, "the log"), line); err != nil {
		t.Errorf("%s at %s: the log says otherwise: %s", c.offer, c.profile, w.logged("to="+c.to))
	}
}

// witnessed is what a client prints of the connection of a cell: the version, and the suite or the group.
func witnessed(c cell) string {
	ephemeral := c.version == "1.3" || strings.HasPrefix(c.suite, "ECDHE")
	switch {
	case c.client == "gnutls" && ephemeral:
		return `Description: \(TLS` + c.version + `-X.509\)-\(ECDHE-` + strings.ToUpper(c.group) + `\)`
	case c.client == "gnutls":
		return `Description: \(TLS` + c.version + `-X.509\)-\(RSA\)`
	case ephemeral:
		key := map[string]string{"x25519": "X25519", "secp256r1": "ECDH, prime256v1", "secp384r1": "ECDH, secp384r1", "secp521r1": "ECDH, secp521r1"}
		return `(?s)Server Temp Key: ` + key[c.group] + `, .*, Cipher is ` + regexp.QuoteMeta(c.suite) + "\n"
	}
	return `Cipher is ` + regexp.QuoteMeta(c.suite) + "\n"
}
