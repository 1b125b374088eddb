package tls

import (
	"fmt"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
	"github.com/siegel-mail/siegel/test/postfix"
)

// startPostfix starts an instance. One that misses fails the test where CI is set.
func startPostfix(t *testing.T, o postfix.Options) *postfix.Server {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("Postfix wants to be started by root")
	}
	o.Port = freeport.Port(t)
	s, err := postfix.Start(within(t, "Postfix"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// opensslName is what Postfix calls a group.
func opensslName(group string) string {
	if name, ok := map[string]string{"secp256r1": "prime256v1", "x25519": "X25519", "x448": "X448"}[group]; ok {
		return name
	}
	return group
}

// postfixOptions is an offer as options of a service of Postfix, client or server.
func (o offer) postfixOptions(side string) string {
	version := "TLSv" + strings.TrimSuffix(o.version, ".0")
	s := fmt.Sprintf(" -o %[1]s_tls_security_level=encrypt -o %[1]s_tls_loglevel=1 -o %[1]s_tls_mandatory_protocols=>=%[2]s,<=%[2]s -o tls_eecdh_auto_curves=%[3]s",
		side, version, opensslName(o.group))
	if o.version != "1.3" { // Postfix has no setting for the suites of TLS 1.3
		s += fmt.Sprintf(" -o %s_tls_mandatory_ciphers=high -o tls_high_cipherlist=%s:@SECLEVEL=0", side, o.suite)
	}
	return s
}

// What Postfix's client offers at every door: it takes of TLS 1.3 what the server wants, and that is always this suite.
var postfixOffers = []offer{
	{"1.3", "TLS_AES_128_GCM_SHA256", "secp256r1"},
	{"1.3", "TLS_AES_128_GCM_SHA256", "x25519"},
	{"1.2", "ECDHE-RSA-AES256-GCM-SHA384", "secp384r1"},
	{"1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "secp256r1"},
	{"1.2", "ECDHE-RSA-AES128-SHA", "secp256r1"},
	{"1.2", "DHE-RSA-AES256-GCM-SHA384", "secp256r1"},
	{"1.0", "ECDHE-RSA-AES128-SHA", "secp256r1"},
}

// Postfix sends mail to every listener, by policies of its own; it arrives where the profile allows that, and waits elsewhere.
func TestPostfixIn(t *testing.T) {
	w := newWorld(t)
	doors, listeners := w.doors()
	w.configure(listeners, nil, ownProfiles)
	w.serve()
	var all []cell
	var transports, services []string
	for i, o := range postfixOffers {
		services = append(services, fmt.Sprintf("offer%d unix - - n - 4 smtp -o syslog_name=postfix/offer%d%s", i, i, o.postfixOptions("smtp")))
		for _, d := range doors {
			c := cell{d, o, fmt.Sprintf("offer%d", i), fmt.Sprintf("p%d@firma.example", len(all))}
			all = append(all, c)
			host, port, _ := net.SplitHostPort(d.addr)
			transports = append(transports, fmt.Sprintf("%s offer%d:[%s]:%s", c.to, i, host, port))
		}
	}
	table := w.write("transport", strings.Join(transports, "\n")+"\n")
	for dir := w.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // Postfix is another user
		os.Chmod(dir, 0o755)
	}
	os.Chmod(table, 0o644)
	relay := startPostfix(t, postfix.Options{Hostname: "mail.partner.example", Services: services, Settings: map[string]string{
		"transport_maps": "texthash:" + table, "relay_domains": "firma.example", "minimal_backoff_time": "1h", "maximal_backoff_time": "1h", "queue_run_delay": "1h",
	}})
	var to []string
	for _, c := range all {
		to = append(to, c.to)
	}
	if err := smtp.SendMail(relay.Addr(), nil, sender, to, []byte("From: "+sender+"\r\nSubject: matrix\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	in, lines := 0, outcomes(within(t, "the mail"), t, relay.Log, postfixOutcome, len(all))
	for _, c := range all {
		if w.fromPostfix(t, relay.Log(), c, lines[c.to]) {
			in++
		}
	}
	t.Logf("%d of %d came in", in, len(all))
	if in < 40 || len(all)-in < 80 {
		t.Error("these are not the numbers of a matrix")
	}
}

// fromPostfix holds what became of a cell, and tells whether its message came in.
func (w *world) fromPostfix(t *testing.T, log string, c cell, line string) bool {
	t.Helper()
	got, want := strings.Contains(line, "status=sent"), rules[c.profile].allows(c.offer, c.kind, false)
	if got != want {
		t.Errorf("%s at %s with %s: it got in: %v, want %v: %s", c.offer, c.profile, c.kind, got, want, line)
	}
	if !got || !want {
		return got
	}
	message, err := w.hop.next(within(t, c.to), c.to)
	if err != nil {
		t.Error(err)
		return true
	}
	_, port, _ := net.SplitHostPort(c.addr)
	says := regexp.MustCompile(regexp.QuoteMeta(c.client) + `/smtp\[\d+\]: Untrusted TLS connection established to 127.0.0.1\[127.0.0.1\]:` + port + `: TLSv` +
		strings.TrimSuffix(c.version, ".0") + ` with cipher ` + regexp.QuoteMeta(c.suite) + ` `)
	if !says.MatchString(log) {
		t.Errorf("%s at %s: Postfix does not say %q", c.offer, c.profile, says)
	}
	if clause := " tls " + iana(t, c.suite) + " group " + c.group + ";"; !strings.Contains(received(message), clause) {
		t.Errorf("%s at %s: Received lacks %q: %s", c.offer, c.profile, clause, received(message))
	}
	return true
}

// A certificate that a profile does not take, or a profile that listeners cannot have, is refused before anything listens.
func TestNoDoor(t *testing.T) {
	w := newWorld(t)
	for profile, r := range rules {
		for _, kind := range kinds {
			if r.large(kind) && !r.clientOnly {
				continue
			}
			file := w.configure([]string{w.listener(door{profile, kind, "127.0.0.1:0"})}, nil, ownProfiles)
			out, err := w.siegel("config", "check", file)
			if err == nil || !strings.Contains(out, profile) || !strings.Contains(out, ".tls.") {
				t.Errorf("%s with %s: %v\n%s", profile, kind, err, out)
			}
		}
	}
}

// What our routes meet at Postfix.
var smtpdOffers = map[tlstest.Kind][]offer{
	tlstest.RSA2048: {{"1.3", "", "secp256r1"}, {"1.2", "ECDHE-RSA-AES128-GCM-SHA256", "secp256r1"}, {"1.2", "ECDHE-RSA-AES128-SHA", "secp256r1"}, {"1.2", "ECDHE-RSA-AES256-SHA384", "secp521r1"}},
	tlstest.RSA3072: {
		{"1.3", "", "secp384r1"}, {"1.3", "", "x25519"}, {"1.3", "", "x448"}, {"1.2", "ECDHE-RSA-AES256-GCM-SHA384", "secp384r1"}, {"1.2", "ECDHE-RSA-CHACHA20-POLY1305", "secp256r1"},
		{"1.2", "ECDHE-RSA-AES256-GCM-SHA384", "x25519"}, {"1.2", "ECDHE-RSA-AES256-SHA", "secp256r1"}, {"1.2", "ECDHE-RSA-AES128-SHA256", "secp256r1"}, {"1.2", "ECDHE-RSA-AES256-SHA384", "secp521r1"},
		{"1.2", "ECDHE-RSA-AES256-SHA384", "secp384r1"}, {"1.2", "AES128-GCM-SHA256", "secp256r1"}, {"1.2", "AES128-SHA", "secp256r1"}, {"1.2", "DHE-RSA-AES256-GCM-SHA384", "secp256r1"},
		{"1.2", "ECDHE-RSA-AES256-GCM-SHA384", "brainpoolP256r1"}, {"1.1", "ECDHE-RSA-AES128-SHA", "secp256r1"}, {"1.0", "AES128-SHA", "secp256r1"},
	},
	tlstest.P256:    {{"1.3", "", "secp256r1"}, {"1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "secp256r1"}, {"1.2", "ECDHE-ECDSA-AES256-SHA384", "secp256r1"}, {"1.1", "ECDHE-ECDSA-AES128-SHA", "secp256r1"}},
	tlstest.P384:    {{"1.3", "", "secp521r1"}, {"1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "secp384r1"}, {"1.2", "ECDHE-ECDSA-AES128-SHA", "secp384r1"}},
	tlstest.Ed25519: {{"1.3", "", "x25519"}, {"1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "secp256r1"}},
}

// way is a route by a profile to a service of Postfix.
type way struct {
	profile string
	offer
	kind tlstest.Kind
	to   string
	port int
}

// ways lists them, with the services.
func (w *world) ways() (all []way, services []string) {
	for _, kind := range kinds {
		p := w.pair(kind)
		key, _ := os.ReadFile(p.KeyFile)
		cert, _ := os.ReadFile(p.CertFile)
		chain := w.write(string(kind)+"-chain.pem", string(key)+string(cert))
		for _, o := range smtpdOffers[kind] {
			port := freeport.Port(w.t)
			service := fmt.Sprintf("127.0.0.1:%d inet n - n - 4 smtpd -o smtpd_tls_chain_files=%s -o smtpd_tls_ask_ccert=yes -o smtpd_tls_received_header=yes%s",
				port, chain, o.postfixOptions("smtpd"))
			if o.suite == "" {
				o.suite = "TLS_AES_128_GCM_SHA256" // the first that we offer, whatever the profile: crypto/tls knows no choice
			}
			services = append(services, service)
			for profile := range rules {
				all = append(all, way{profile, o, kind, fmt.Sprintf("x@w%d.partner.example", len(all)), port})
			}
		}
	}
	return all, services
}

// Mail leaves by routes of every profile to services of Postfix that speak one thing only. It arrives where the profile allows that, and waits
// with the reason elsewhere; what Postfix says that was negotiated stands in our log and in our record.
func TestPostfixOut(t *testing.T) {
	w := newWorld(t)
	all, services := w.ways()
	client := w.pair(tlstest.P256)
	var routes, boxes []string
	for _, r := range all {
		_, domain, _ := strings.Cut(r.to, "@")
		own := ""
		if rules[r.profile].clientOnly {
			c := w.pair(tlstest.RSA3072)
			own = fmt.Sprintf(", client_certificate: %s, client_key: %s", c.CertFile, c.KeyFile)
		}
		routes = append(routes, fmt.Sprintf(`{name: %s, domains: [%s], host: 127.0.0.1, port: %d, tls: {mode: required, profile: %s%s}}`, strings.Split(domain, ".")[0], domain, r.port, r.profile, own))
		boxes = append(boxes, r.to)
	}
	far := startPostfix(t, postfix.Options{Hostname: "mail.partner.example", Mailboxes: boxes, Services: services, Certificate: readFile(t, client.CertFile), Key: readFile(t, client.KeyFile)})
	w.configure(nil, routes, ownProfiles)
	w.serve()
	if err := smtp.SendMail(w.plain, nil, "alice@firma.example", boxes, []byte("From: alice@firma.example\r\nSubject: matrix\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	went, states, lines := 0, map[string]bool{}, outcomes(within(t, "the mail"), t, w.gateway.Log, ourOutcome, len(all))
	for _, r := range all {
		if w.toPostfix(t, far, r, lines[r.to], states) {
			went++
		}
	}
	t.Logf("%d of %d went out", went, len(all))
	id := regexp.MustCompile(` id=(\w+) `).FindStringSubmatch(w.logged("msg=delivered")[0])
	if id == nil {
		t.Fatal("no id in the log")
	}
	record := w.recorded(t, id[1])
	for state := range states {
		if !strings.Contains(record, state) {
			t.Errorf("the record lacks %q:\n%s", state, record)
		}
	}
	if went < 40 || len(all)-went < 100 {
		t.Error("these are not the numbers of a matrix")
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// using is what Postfix's Received says of TLS.
var using = regexp.MustCompile(`(?s)\(using TLSv(\S+) with cipher (\S+) \(\S+ bits\)(?:\s+key-exchange (\S+)(?: \((.*?)\))?)?`)

// toPostfix holds what became of a message, and tells whether it went.
func (w *world) toPostfix(t *testing.T, far *postfix.Server, r way, line string, states map[string]bool) bool {
	t.Helper()
	got, want := strings.Contains(line, "msg=delivered"), rules[r.profile].allows(r.offer, r.kind, false)
	if got != want {
		t.Errorf("%s by %s to a server with %s: it went: %v, want %v: %s", r.offer, r.profile, r.kind, got, want, line)
	}
	if !got {
		if !strings.Contains(line, "TLS") {
			t.Errorf("%s by %s: the log does not say what is wrong: %s", r.offer, r.profile, line)
		}
		return false
	}
	if !want {
		return true
	}
	message, err := far.Next(within(t, r.to), r.to)
	if err != nil {
		t.Error(err)
		return true
	}
	m := using.FindStringSubmatch(string(message))
	if m == nil {
		t.Errorf("%s by %s: Postfix does not say what was negotiated:\n%s", r.offer, r.profile, message)
		return true
	}
	if m[1] != strings.TrimSuffix(r.version, ".0") || m[2] != r.suite {
		t.Errorf("%s by %s: Postfix says TLS %s with %s", r.offer, r.profile, m[1], m[2])
	}
	group := map[string]string{"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "x25519": "X25519"}[r.group]
	if !strings.HasPrefix(r.suite, "TLS_") && !strings.HasPrefix(r.suite, "ECDHE") {
		group = ""
	}
	state := strings.TrimSpace("TLS" + r.version + " " + iana(t, r.suite) + " " + group)
	states[state] = true
	if r.version == "1.3" && m[3] != group && m[3]+" "+m[4] != "ECDHE "+opensslName(r.group) { // before 1.3 it does not tell
		t.Errorf("%s by %s: Postfix says that keys were agreed on by %s %s", r.offer, r.profile, m[3], m[4])
	}
	if !strings.Contains(line, `tls="`+state) {
		t.Errorf("%s by %s: the log lacks %q: %s", r.offer, r.profile, state, line)
	}
	return true
}

// recorded is what the record says of the life of a message.
func (w *world) recorded(t *testing.T, id string) string {
	t.Helper()
	out, err := w.siegel("track", "show", id, "--socket", filepath.Join(w.dir, "run/control.sock"))
	if err != nil {
		t.Errorf("siegel track show: %v\n%s", err, out)
	}
	return out
}
