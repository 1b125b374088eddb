package smtpout_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

// way is a row of the table: what the administrator, the domain and the message ask for.
type way struct {
	security smtpout.Security
	partner  *smtpout.Security
	tlsa     []dns.TLSA
	bogus    bool
	unsigned bool
	policies known
	message  mail.TLSLevel
	report   bool // the message is a report about TLS
}

func (e ends) transport(t *testing.T, w *way, f *far, notes *noted) *smtpout.Transport {
	t.Helper()
	zone := domain + ". MX 10 " + mxHost + ".\n" + mxHost + ". A 127.0.0.1\n"
	_, portText, _ := net.SplitHostPort(f.addr)
	for _, r := range w.tlsa {
		zone += fmt.Sprintf("_%s._tcp.%s. TLSA %s\n", portText, mxHost, dane.Text(r))
	}
	server := dnstest.Start(t, zone)
	server.Authenticate(true)
	if w.unsigned {
		server.Insecure("example")
	}
	if w.bogus {
		server.Fail("_"+portText+"._tcp."+mxHost, dnstest.Bogus)
	}
	resolver := server.Resolver(t, dns.Options{Attempts: 1})
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	security := w.security
	security.Roots = e.ca.Pool()
	o := smtpout.Options{
		Hello: "gw.firma.example", TLS: security, Sources: smtpout.Sources{TLSA: resolver, Policies: &w.policies, Reports: notes},
		MX: &smtpout.MX{Resolver: resolver, Port: port, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}
	if w.partner != nil {
		o.Partners = func(d string) (smtpout.Security, bool) { return *w.partner, d == domain }
	}
	tr, err := smtpout.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// ways are the rows.
func (e ends) ways(t *testing.T) map[string]*way {
	level := func(l smtpout.Level) smtpout.Security { return smtpout.Security{Level: l} }
	open := smtpout.Security{Level: smtpout.Opportunistic, DANE: true, MTASTS: true}
	ee := []dns.TLSA{dane.Of(e.good, 3, 1, 1)}
	ta := []dns.TLSA{dane.Of(e.ca.Certificate, 2, 0, 0)}
	pinned := smtpout.Security{Level: smtpout.Verified, Name: "partner", Verify: tlspolicy.Pins{tlspolicy.PinOf(e.good, true)}, By: "pin"}
	both := pinned
	both.DANE = true
	own := smtpout.Security{Level: smtpout.Verified, Name: "partner", Verify: tlspolicy.PKI{Roots: e.ca.Pool()}, By: "ca"}
	return map[string]*way{
		"none":                {security: level(smtpout.None)},
		"opportunistic":       {security: level(smtpout.Opportunistic)},
		"required":            {security: level(smtpout.Required)},
		"verified":            {security: level(smtpout.Verified)},
		"pinned":              {security: open, partner: &pinned},
		"own-ca":              {security: open, partner: &own},
		"partner-required":    {security: open, partner: &smtpout.Security{Level: smtpout.Required, Name: "partner"}},
		"partner-none":        {security: level(smtpout.Required), partner: &smtpout.Security{Level: smtpout.None, Name: "partner"}},
		"tlsa-ee":             {security: open, tlsa: ee},
		"tlsa-ta":             {security: open, tlsa: ta},
		"tlsa-unusable":       {security: open, tlsa: []dns.TLSA{{Usage: 1, Selector: 1, MatchingType: 1, Data: make([]byte, 32)}}},
		"tlsa-unsigned":       {security: open, tlsa: ee, unsigned: true},
		"tlsa-bogus":          {security: open, tlsa: ee, bogus: true},
		"tlsa-off":            {security: level(smtpout.Opportunistic), tlsa: []dns.TLSA{dane.Of(e.good, 3, 1, 2)}, bogus: true},
		"tlsa-and-pin":        {security: open, partner: &both, tlsa: ta},
		"tlsa-before-sts":     {security: open, tlsa: ee, policies: known{answer: held(t, mtasts.Enforce, "mx.elsewhere.example")}},
		"dane":                {security: level(smtpout.DANE), tlsa: ee},
		"dane-without":        {security: level(smtpout.DANE)},
		"dane-unsigned":       {security: level(smtpout.DANE), tlsa: ee, unsigned: true},
		"enforce":             {security: open, policies: known{answer: held(t, mtasts.Enforce, "*."+domain)}},
		"enforce-elsewhere":   {security: open, policies: known{answer: held(t, mtasts.Enforce, "mx.elsewhere.example")}},
		"testing":             {security: open, policies: known{answer: held(t, mtasts.Testing, mxHost)}},
		"testing-elsewhere":   {security: open, policies: known{answer: held(t, mtasts.Testing, "mx.elsewhere.example")}},
		"mode-none":           {security: open, policies: known{answer: held(t, mtasts.None, mxHost)}},
		"policy-away":         {security: open, policies: known{answer: mtasts.Answer{Trouble: mtasts.ErrFetch}}},
		"policy-bogus":        {security: open, policies: known{err: mtasts.ErrBogus}},
		"sts-off":             {security: level(smtpout.Opportunistic), policies: known{answer: held(t, mtasts.Enforce, "mx.elsewhere.example")}},
		"mta-sts":             {security: level(smtpout.MTASTS), policies: known{answer: held(t, mtasts.Testing, mxHost)}},
		"mta-sts-without":     {security: level(smtpout.MTASTS)},
		"unusable-and-sts":    {security: open, tlsa: []dns.TLSA{{Usage: 3, Selector: 9, MatchingType: 1}}, policies: known{answer: held(t, mtasts.Enforce, mxHost)}},
		"message-required":    {security: level(smtpout.Opportunistic), message: mail.TLSRequired},
		"message-verified":    {security: level(smtpout.Opportunistic), message: mail.TLSVerified},
		"message-below":       {security: level(smtpout.Verified), message: mail.TLSRequired},
		"message-and-tlsa":    {security: open, tlsa: []dns.TLSA{dane.Of(e.all["stranger"].pair.Leaf, 3, 1, 1)}, message: mail.TLSVerified},
		"message-and-testing": {security: open, policies: known{answer: held(t, mtasts.Testing, mxHost)}, message: mail.TLSVerified},
		"report":              {security: level(smtpout.Required), report: true},
		"report-enforce":      {security: open, policies: known{answer: held(t, mtasts.Enforce, mxHost)}, report: true},
	}
}

// table is what becomes of a message: "plain" and "tls" say how it went, the others by what the host was verified, and a dash that it
// waits. No row has anything plain or unverified where more is demanded.
const table = `
                     good      other    stranger expired  strips denies breaks
none                 plain     plain    plain    plain    plain  plain  plain
opportunistic        tls       tls      tls      tls      plain  plain  plain
required             tls       tls      tls      tls      -      -      -
verified             verified  -        -        -        -      -      -
pinned               pin       -        -        -        -      -      -
own-ca               ca        -        -        -        -      -      -
partner-required     tls       tls      tls      tls      -      -      -
partner-none         plain     plain    plain    plain    plain  plain  plain
tlsa-ee              dane      -        -        -        -      -      -
tlsa-ta              dane      -        -        -        -      -      -
tlsa-unusable        tls       tls      tls      tls      -      -      -
tlsa-unsigned        tls       tls      tls      tls      plain  plain  plain
tlsa-bogus           -         -        -        -        -      -      -
tlsa-off             tls       tls      tls      tls      plain  plain  plain
tlsa-and-pin         pin+dane  -        -        -        -      -      -
tlsa-before-sts      dane      -        -        -        -      -      -
dane                 dane      -        -        -        -      -      -
dane-without         -         -        -        -        -      -      -
dane-unsigned        -         -        -        -        -      -      -
enforce              mta-sts   -        -        -        -      -      -
enforce-elsewhere    -         -        -        -        -      -      -
testing              mta-sts   tls      tls      tls      plain  plain  plain
testing-elsewhere    tls       tls      tls      tls      plain  plain  plain
mode-none            tls       tls      tls      tls      plain  plain  plain
policy-away          tls       tls      tls      tls      plain  plain  plain
policy-bogus         -         -        -        -        -      -      -
sts-off              tls       tls      tls      tls      plain  plain  plain
mta-sts              mta-sts   -        -        -        -      -      -
mta-sts-without      -         -        -        -        -      -      -
unusable-and-sts     mta-sts   -        -        -        -      -      -
message-required     tls       tls      tls      tls      -      -      -
message-verified     verified  -        -        -        -      -      -
message-below        verified  -        -        -        -      -      -
message-and-tlsa     -         -        dane     -        -      -      -
message-and-testing  verified  -        -        -        -      -      -
report               tls       tls      tls      tls      plain  plain  plain
report-enforce       tls       tls      tls      tls      plain  plain  plain
`

// Every level against every far end: stripped, refused and broken STARTTLS, and certificates of all sorts.
func TestLevels(t *testing.T) {
	e := newEnds(t)
	ways := e.ways(t)
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if len(rows)-1 != len(ways) {
		t.Errorf("%d rows for %d ways", len(rows)-1, len(ways))
	}
	for _, row := range rows[1:] {
		cells := strings.Fields(row)
		w := ways[cells[0]]
		for i, column := range e.names {
			f := e.all[column]
			tr := e.transport(t, w, f, new(noted))
			a := attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@"+domain)
			a.Envelope.TLS, a.Envelope.TLSOptional = w.message, w.report
			r := tr.Deliver(t.Context(), a)[0]
			if got := went(r, f.messages()); got != cells[i+1] {
				t.Errorf("%s, %s: %s, want %s: %+v", cells[0], column, got, cells[i+1], r)
			}
			if r.Status != delivery.Delivered {
				explained(t, cells[0], w, r)
			}
		}
	}
}

// went says how a message went, as the far end saw it and as the record will have it.
func went(r delivery.Result, arrived []string) string {
	switch {
	case r.Status == delivery.Deferred && len(arrived) == 0:
		return "-"
	case r.Status != delivery.Delivered || len(arrived) != 1:
		return fmt.Sprint("?", r.Status, arrived)
	case r.TLS == "" && arrived[0] == "plain":
		return "plain"
	case !strings.HasPrefix(r.TLS, "TLS1.3 TLS_") || arrived[0] != "TLS 1.3":
		return "?" + r.TLS + arrived[0]
	}
	_, by, _ := strings.Cut(r.TLS, " verified by ")
	switch {
	case by != "":
		return strings.ReplaceAll(by, " and ", "+")
	case strings.HasSuffix(r.TLS, " verified"):
		return "verified"
	}
	return "tls"
}

// explained holds what is said of a message that waits: which host, which rule, since when.
func explained(t *testing.T, name string, w *way, r delivery.Result) {
	t.Helper()
	if w.policies.err != nil {
		return // of the domain, not of a host
	}
	since := func(at time.Time) string { return "not given since " + at.UTC().Format("2006-01-02 ") }
	day := since(time.Now())
	if before := since(time.Now().Add(-time.Hour)); strings.Contains(r.Text, before) {
		day = before // it is a little after midnight
	}
	for _, part := range []string{mxHost + ":", "TLS is demanded (", day} {
		if !strings.Contains(r.Text, part) {
			t.Errorf("%s: %q lacks %q", name, r.Text, part)
		}
	}
	if r.Enhanced != "4.7.5" || !r.Insecure || r.Content || r.Unreachable == (w.message != "" && w.tlsa == nil && w.security.Level == smtpout.Opportunistic) {
		t.Errorf("%s: %+v", name, r)
	}
	if strings.Contains(r.Text, "127.0.0.1") || strings.ContainsAny(r.Text, "\r\n") {
		t.Errorf("%s: %q shows what is inside", name, r.Text)
	}
}

// What is reported of sessions (RFC 8460, 4.3).
func TestReported(t *testing.T) {
	e := newEnds(t)
	ways := e.ways(t)
	for _, c := range strings.Split(strings.TrimSpace(`
none              good
opportunistic     good     no-policy-found:success
opportunistic     stranger no-policy-found:success
opportunistic     strips   no-policy-found:starttls-not-supported
opportunistic     breaks   no-policy-found:validation-failure
tlsa-ee           good     tlsa:success
tlsa-ee           stranger tlsa:tlsa-invalid
tlsa-ee           strips   tlsa:starttls-not-supported
tlsa-ta           other    tlsa:certificate-host-mismatch
tlsa-ta           expired  tlsa:certificate-expired
tlsa-ta           stranger tlsa:certificate-not-trusted
tlsa-unusable     good     tlsa:tlsa-invalid
tlsa-bogus        good     tlsa:dnssec-invalid
dane-without      good     tlsa:dane-required
tlsa-before-sts   good     tlsa:success
enforce           good     sts:success
enforce           other    sts:certificate-host-mismatch
enforce           expired  sts:certificate-expired
enforce           stranger sts:certificate-not-trusted
enforce           strips   sts:starttls-not-supported
enforce-elsewhere good     sts:validation-failure
testing           other    sts:certificate-host-mismatch
testing           strips   sts:starttls-not-supported
testing-elsewhere good     sts:validation-failure
policy-away       good     sts:sts-policy-fetch-error
unusable-and-sts  good     sts:success tlsa:tlsa-invalid
report-enforce    other
`), "\n") {
		words := strings.Fields(c)
		notes := new(noted)
		w := ways[words[0]]
		a := attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@"+domain)
		a.Envelope.TLSOptional = w.report
		tr := e.transport(t, w, e.all[words[1]], notes)
		tr.Deliver(t.Context(), a)
		for _, o := range notes.all {
			if o.Domain != domain || o.MX != mxHost || o.Policy.Type != tlsrpt.NoPolicy && o.Result == "" && len(o.Policy.Strings) == 0 {
				t.Errorf("%s: %+v", c, o)
			}
			// RFC 8460, 4.4: receiving-mx-helo, of all that came of a session; what was known before it names none.
			if strings.Contains("starttls-not-supported certificate-host-mismatch certificate-expired certificate-not-trusted", string(o.Result)) && o.HELO != mxHost {
				t.Errorf("%s: the server called itself %q", c, o.HELO)
			}
		}
		if got := notes.take(); got != strings.Join(words[2:], " ") {
			t.Errorf("%s %s: %s", words[0], words[1], got)
		}
		if tr.Deliver(t.Context(), a)[0].Status == delivery.Delivered && words[0] != "testing-elsewhere" {
			if got := notes.take(); got != "" {
				t.Errorf("%s: a kept connection is reported again: %s", c, got)
			}
		}
	}
}

// A kept connection serves only what asks for the same, and what does not meet a demand keeps nothing else waiting.
func TestKeptByDemand(t *testing.T) {
	e := newEnds(t)
	f := e.all["stranger"]
	tr := e.transport(t, &way{security: smtpout.Security{Level: smtpout.Opportunistic}}, f, new(noted))
	send := func(level mail.TLSLevel) delivery.Result {
		a := attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@"+domain)
		a.Envelope.TLS = level
		return tr.Deliver(t.Context(), a)[0]
	}
	for range 3 {
		if r := send(""); r.Status != delivery.Delivered {
			t.Fatalf("%+v", r)
		}
		if r := send(mail.TLSVerified); r.Status != delivery.Deferred || r.Unreachable || r.Host != "" {
			t.Errorf("over a connection that was made for less: %+v", r)
		}
		if r := send(mail.TLSRequired); r.Status != delivery.Delivered {
			t.Errorf("%+v", r)
		}
	}
	if got := f.messages(); len(got) != 6 {
		t.Errorf("%v", got)
	}
}

// That a host does not fit is told with the time since when, and has its domain's policy looked at again.
func TestSince(t *testing.T) {
	e := newEnds(t)
	w := e.ways(t)["enforce"]
	now := time.Now()
	tr := e.transport(t, w, e.all["strips"], new(noted))
	first := tr.Deliver(t.Context(), attempt(t, "x\r\n", "bob@"+domain))[0]
	second := tr.Deliver(t.Context(), attempt(t, "x\r\n", "bob@"+domain))[0]
	if first.Text != second.Text || !strings.Contains(first.Text, "(MTA-STS policy of partner.example)") || !strings.Contains(first.Text, "offers no TLS") {
		t.Errorf("%s\n%s", first.Text, second.Text)
	}
	if now.UTC().Day() == time.Now().UTC().Day() && !strings.Contains(first.Text, now.UTC().Format("2006-01-02")) {
		t.Error(first.Text)
	}
	if w.policies.rechecked != 2 {
		t.Errorf("looked at %d times", w.policies.rechecked)
	}
}

// A host that does not fit is passed over for one that does, whatever their preference.
func TestAnotherHost(t *testing.T) {
	e := newEnds(t)
	port := e.all["good"].addr[strings.LastIndexByte(e.all["good"].addr, ':')+1:]
	var zone strings.Builder
	for i := range 5 {
		fmt.Fprintf(&zone, "%s. MX %d bad%d.elsewhere.example.\nbad%d.elsewhere.example. A 127.0.0.1\n", domain, i, i, i)
	}
	fmt.Fprintf(&zone, "%[1]s. MX 50 %[2]s.\n%[2]s. A 127.0.0.1\n", domain, mxHost)
	server := dnstest.Start(t, zone.String())
	resolver := server.Resolver(t, dns.Options{})
	n, _ := strconv.Atoi(port)
	tr, err := smtpout.New(smtpout.Options{
		Hello: "gw.firma.example", TLS: smtpout.Security{MTASTS: true, Roots: e.ca.Pool()}, Sources: smtpout.Sources{Policies: &known{answer: held(t, mtasts.Enforce, mxHost)}},
		MX: &smtpout.MX{Resolver: resolver, Port: n, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if r := tr.Deliver(t.Context(), attempt(t, "x\r\n", "bob@"+domain))[0]; r.Status != delivery.Delivered || r.Host != mxHost+":"+port || !strings.HasSuffix(r.TLS, "verified by mta-sts") {
		t.Errorf("%+v", r)
	}
}

// A host that the administrator named, by the TLSA records of its name.
func TestNamedHostDANE(t *testing.T) {
	e := newEnds(t)
	for name, c := range map[string]struct {
		record   string
		failure  dnstest.Failure
		unsigned bool
		want     string
	}{
		"good":     {dane.Text(dane.Of(e.good, 3, 1, 1)), dnstest.None, false, "dane"},
		"another":  {dane.Text(dane.Of(e.ca.Certificate, 3, 1, 1)), dnstest.None, false, "-"},
		"unusable": {"0 1 1 00", dnstest.None, false, "-"},
		"none":     {"", dnstest.None, false, "-"},
		"unsigned": {dane.Text(dane.Of(e.good, 3, 1, 1)), dnstest.None, true, "-"},
		"bogus":    {dane.Text(dane.Of(e.good, 3, 1, 1)), dnstest.Bogus, false, "-"},
	} {
		f := e.all["good"]
		host, dial := named(t, mxHost, f.addr)
		_, port, _ := net.SplitHostPort(f.addr)
		zone := mxHost + ". A 127.0.0.1\n"
		if c.record != "" {
			zone += fmt.Sprintf("_%s._tcp.%s. TLSA %s\n", port, mxHost, c.record)
		}
		server := dnstest.Start(t, zone)
		server.Authenticate(!c.unsigned)
		server.Fail("_"+port+"._tcp."+mxHost, c.failure)
		tr, err := smtpout.New(smtpout.Options{
			Hosts: []string{host}, Dial: dial, Hello: "gw.firma.example", TLS: smtpout.Security{Level: smtpout.DANE},
			Sources: smtpout.Sources{TLSA: server.Resolver(t, dns.Options{Attempts: 1})},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := tr.Deliver(t.Context(), attempt(t, "x\r\n", "bob@"+domain))[0]
		if got := went(r, f.messages()); got != c.want {
			t.Errorf("%s: %s, %+v", name, got, r)
		}
		tr.Close()
	}
}

func TestNewRefusesSTS(t *testing.T) {
	_, err := smtpout.New(smtpout.Options{Hosts: []string{"a:25"}, Hello: "gw", TLS: smtpout.Security{Level: smtpout.MTASTS}})
	if !errors.Is(err, smtpout.ErrSTS) {
		t.Error(err)
	}
}
