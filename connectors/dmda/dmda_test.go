package dmda

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// world is two simulated providers, a company at one of them and a town hall at the other.
type world struct {
	t         testing.TB
	mu        sync.Mutex
	time      time.Time
	net       *Network
	a, b      *Simulated
	authority *Authority
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

func address(t testing.TB, s string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, time: time.Date(2026, 11, 26, 10, 0, 0, 0, time.FixedZone("CET", 3600))}
	w.net = NewNetwork(w.now)
	var err error
	if w.authority, err = NewAuthority(w.now()); err != nil {
		t.Fatal(err)
	}
	w.a, w.b = w.provider("dmda-a.example"), w.provider("dmda-b.de-mail.de")
	for _, c := range []struct {
		at *Simulated
		Account
	}{
		{w.a, Account{Holder: "Firma GmbH", Addresses: []demail.Address{address(t, "post@firma.de-mail.de")}, Domains: []string{"Firma.de-mail.de"}, Highest: demail.LevelHigh}},
		{w.a, Account{Holder: "Erika Mustermann", Addresses: []demail.Address{address(t, "erika.mustermann@dmda-a.example"), address(t, "pn_sonne@dmda-a.example")}, Highest: demail.LevelHigh}},
		{w.b, Account{Holder: "Stadt Musterstadt", Addresses: []demail.Address{address(t, "amt@stadt.de-mail.de")}, Highest: demail.LevelHigh, PublicBody: true}},
		{w.b, Account{Holder: "Max Muster", Addresses: []demail.Address{address(t, "max.muster@dmda-b.de-mail.de")}, Highest: demail.LevelNormal}},
		{w.b, Account{Holder: "Geschlossen", Addresses: []demail.Address{address(t, "zu@dmda-b.de-mail.de")}, Highest: demail.LevelHigh, Closed: true}},
	} {
		if err := c.at.Open(c.Account); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) provider(domain string) *Simulated {
	seal, err := w.authority.Sealer(domain, w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.net.Add(domain, seal)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) login(p *Simulated, a string, level demail.Level) *Session {
	w.t.Helper()
	s, err := p.Login(address(w.t, a), level, "Test")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// verifier believes the authority of the simulation.
func (w *world) verifier() demail.Verifier { return demail.Verifier{Trust: w, Now: w.now} }

// Judge believes whom the authority of the simulation has issued to.
func (w *world) Judge(_ context.Context, c demail.Claim) demail.Verdict {
	pool := x509.NewCertPool()
	pool.AddCert(w.authority.Certificate)
	chains, err := c.Certificate.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: c.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return demail.Verdict{Reason: "unknown"}
	}
	return demail.Verdict{Standing: demail.StandingTrusted, Chain: chains[0][1:]}
}

func letterOf(from, more string) connectortest.Content {
	return connectortest.Content("From: <" + from + ">\r\nTo: x\r\nBcc: secret@stadt.de-mail.de\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nX-de-mail-auth-level: high\r\nx-de-mail-private: yes\r\n" +
		"Date: Thu, 26 Nov 2026 09:59:00 +0100\r\nMessage-ID: <1@firma.example>\r\n\r\nGuten Tag" + more + "\r\n")
}

func to(t testing.TB, addresses ...string) []demail.Mailbox {
	var list []demail.Mailbox
	for _, a := range addresses {
		list = append(list, demail.Mailbox{Address: address(t, a)})
	}
	return list
}

func (w *world) message(key, from string, o demail.Options, recipients ...string) connectors.Message {
	return connectors.Message{Key: key, Sender: address(w.t, from), Options: o, Recipients: demail.Recipients{To: to(w.t, recipients...)}, Content: letterOf(from, "")}
}

// got is a message that was fetched, taken apart.
type got struct {
	header demail.Header
	body   []byte
	meta   *demail.Metadata
	result demail.Result
}

// mail empties a mailbox.
func (w *world) mail(s *Session) []got {
	w.t.Helper()
	var all []got
	err := Connector{s}.Fetch(w.t.Context(), func(ctx context.Context, in connectors.Incoming) error {
		r := bufio.NewReader(in.Content)
		h, err := demail.ReadHeader(r)
		if err != nil {
			return err
		}
		g := got{header: h}
		if g.body, err = io.ReadAll(r); err != nil {
			return err
		}
		if g.meta, err = demail.ParseMetadata(h); err != nil {
			return err
		}
		if len(g.meta.Violations) > 0 || len(g.meta.Repeated) > 0 {
			w.t.Errorf("%s: %v, %v", g.meta.Type, g.meta.Violations, g.meta.Repeated)
		}
		g.result, err = w.verifier().Message(ctx, h, bytes.NewReader(g.body))
		all = append(all, g)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func types(all []got) []demail.MessageType {
	var out []demail.MessageType
	for _, g := range all {
		out = append(out, g.meta.Type)
	}
	return out
}

func (w *world) confirmation(g got) *demail.Confirmation {
	w.t.Helper()
	c, err := w.verifier().Confirmation(w.t.Context(), g.header, bytes.NewReader(g.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if !c.Proven() {
		w.t.Errorf("%s: %v %s, %v %s, %s", c.Type, c.Signature.State, c.Signature.Reason, c.Integrity.State, c.Integrity.Reason, c.Contradiction)
	}
	if !bytes.HasPrefix(c.PDF, []byte("%PDF-1.4")) || !strings.Contains(c.Text, "SIMULATED") {
		w.t.Errorf("%s: %q", c.Type, c.Text)
	}
	return c
}

func TestDelivery(t *testing.T) {
	w := newWorld(t)
	firma, amt := w.login(w.a, "irgendwer@firma.de-mail.de", demail.LevelNormal), w.login(w.b, "amt@stadt.de-mail.de", demail.LevelNormal)
	m := w.message("k1", "post@firma.de-mail.de", demail.Options{Dispatch: true, Receipt: true}, "amt@stadt.de-mail.de")
	r, err := firma.Submit(m)
	if err != nil || r.ID == "" || !r.Time.Equal(w.now()) {
		t.Fatal(r, err)
	}
	received := w.mail(amt)
	if !slices.Equal(types(received), []demail.MessageType{demail.TypeNormal, demail.TypeReceipt}) {
		t.Fatal(types(received))
	}
	g := received[0]
	if g.result.State != demail.StateHashed || g.meta.Level != demail.LevelNormal || g.meta.Private || g.meta.PrivateID != "k1" || g.meta.DeMailID != r.ID || g.meta.Subject != "Grüße" ||
		g.meta.AccountHolder != "Firma GmbH" || g.meta.EnvelopeTo != "amt@stadt.de-mail.de" || g.meta.Mechanism != "Test" {
		t.Errorf("%v %s %+v", g.result.State, g.result.Reason, g.meta)
	}
	if _, there := g.header.First("Bcc"); there || string(g.body) != "Guten Tag\r\n" {
		t.Errorf("%s%q", g.header.Bytes(), g.body)
	}
	sent := w.mail(firma)
	if !slices.Equal(types(sent), []demail.MessageType{demail.TypeDispatch, demail.TypeReceipt}) {
		t.Fatal(types(sent))
	}
	for i, s := range sent {
		c := w.confirmation(s)
		if !c.Keys().Match(demail.KeysOf(g.meta)) || c.Covers(bytes.NewReader(g.body)) != nil || c.CoversHeader() != nil || c.Metadata.PrivateID != "k1" {
			t.Errorf("%d: %+v", i, c.Keys())
		}
		if want := []string{"dmda-a.example", "dmda-b.de-mail.de"}[i]; c.Metadata.Sender.Domain() != want {
			t.Errorf("%s issues a %s", c.Metadata.Sender, c.Type)
		}
	}
	w.confirmation(received[1]) // the recipient gets one too
	if len(w.mail(firma)) > 0 || len(w.mail(amt)) > 0 || w.net.stored != 0 {
		t.Errorf("what was acknowledged is there still: %d bytes", w.net.stored)
	}
	if found, err := firma.Find("k1"); err != nil || found != r {
		t.Error(found, err)
	}
	if _, err := firma.Submit(m); connectors.Class(err) != connectors.ErrRejected {
		t.Error("a private id twice:", err)
	}
}

// Subjects that no XML can hold, or that look like another confirmation's, are confirmed as they are.
func TestStrangeSubjects(t *testing.T) {
	w := newWorld(t)
	firma := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh)
	for i, subject := range []string{"=?utf-8?Q?a=01=00b=0D=0Ac?=", "*Abholbestätigung* x", "<![CDATA[ ]]> & <x/>", "=?utf-8?Q?*Eingangsbest=C3=A4tigung*?=", "", strings.Repeat("x ", 4000)} {
		m := w.message(fmt.Sprint("k", i), "post@firma.de-mail.de", demail.Options{Dispatch: true}, "amt@stadt.de-mail.de")
		m.Content = connectortest.Content(strings.Replace(string(letterOf("post@firma.de-mail.de", "")), "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", subject, 1))
		if _, err := firma.Submit(m); err != nil {
			t.Errorf("%.40q: %v", subject, err)
			continue
		}
		sent := w.mail(firma)
		if len(sent) != 1 {
			t.Fatal(types(sent))
		}
		if c := w.confirmation(sent[0]); c.CoversHeader() != nil {
			t.Errorf("%.40q: %v", subject, c.CoversHeader())
		}
	}
}

// What is authoritative is signed; what is private waits for a strong login.
func TestOptions(t *testing.T) {
	w := newWorld(t)
	firma := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh)
	if _, err := firma.Submit(w.message("k1", "post@firma.de-mail.de", demail.Options{Authoritative: true, Private: true}, "amt@stadt.de-mail.de")); err != nil {
		t.Fatal(err)
	}
	if all := w.mail(w.login(w.b, "amt@stadt.de-mail.de", demail.LevelNormal)); len(all) > 0 {
		t.Error("what is private is read without a card:", types(all))
	}
	all := w.mail(w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh))
	if len(all) != 1 || !all[0].result.Trusted() || !all[0].meta.Authoritative || !all[0].meta.Private {
		t.Errorf("%+v", all)
	}
}

func TestRetrieve(t *testing.T) {
	w := newWorld(t)
	amt := w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh)
	if _, err := amt.Submit(w.message("k1", "amt@stadt.de-mail.de", demail.Options{Retrieve: true}, "erika.mustermann@dmda-a.example")); err != nil {
		t.Fatal(err)
	}
	w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelNormal)
	if got := w.mail(amt); len(got) > 0 {
		t.Error("a weak login retrieves nothing:", types(got))
	}
	arrived := w.now()
	w.pass(3 * time.Hour)
	erika := w.login(w.a, "pn_sonne@dmda-a.example", demail.LevelHigh)
	confirmed := w.mail(amt)
	if len(confirmed) != 1 {
		t.Fatal(types(confirmed))
	}
	if c := w.confirmation(confirmed[0]); c.Type != demail.TypeRetrieve || !c.DeliveryTime.Equal(arrived) || !c.Time.Equal(w.now()) {
		t.Errorf("%+v", c)
	}
	if got := types(w.mail(erika)); !slices.Equal(got, []demail.MessageType{demail.TypeNormal, demail.TypeRetrieve}) {
		t.Error(got)
	}
	w.login(w.a, "pn_sonne@dmda-a.example", demail.LevelHigh)
	if got := w.mail(amt); len(got) > 0 {
		t.Error("confirmed twice:", types(got))
	}
}

// Each who is seen by nobody gets a message of its own, with a digest and a confirmation of its own.
func TestBcc(t *testing.T) {
	w := newWorld(t)
	firma := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh)
	m := w.message("k1", "post@firma.de-mail.de", demail.Options{Dispatch: true}, "amt@stadt.de-mail.de")
	m.Recipients.Cc = to(t, "max.muster@dmda-b.de-mail.de")
	m.Recipients.Bcc = to(t, "erika.mustermann@dmda-a.example", "pn_sonne@dmda-a.example")
	if _, err := firma.Submit(m); err != nil {
		t.Fatal(err)
	}
	hashes := make(map[string]bool)
	for _, s := range []*Session{w.login(w.b, "amt@stadt.de-mail.de", demail.LevelNormal), w.login(w.b, "max.muster@dmda-b.de-mail.de", demail.LevelNormal), w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelNormal)} {
		for _, g := range w.mail(s) {
			hashes[g.meta.Integrity] = true
			bcc := g.meta.Chosen.Bcc
			if open := len(g.meta.Chosen.To)+len(g.meta.Chosen.Cc) == 2 && len(bcc) == 0; !open && (len(bcc) != 1 || len(g.meta.Chosen.To) > 0 || bcc[0].Address.String() != g.meta.EnvelopeTo) {
				t.Errorf("%s sees %s", g.meta.EnvelopeTo, g.meta.Chosen)
			}
		}
	}
	if len(hashes) != 3 || len(w.mail(firma)) != 3 {
		t.Error(len(hashes))
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	high, normal := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh), w.login(w.a, "post@firma.de-mail.de", demail.LevelNormal)
	erika, amt := w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelHigh), w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh)
	const firma, stadt = "post@firma.de-mail.de", "amt@stadt.de-mail.de"
	withContent := func(text string) connectors.Message {
		m := w.message("x", firma, demail.Options{}, stadt)
		m.Content = connectortest.Content(text)
		return m
	}
	encoded := base64.StdEncoding.EncodeToString(make([]byte, demail.MaxNet+1))
	for name, c := range map[string]struct {
		session *Session
		message connectors.Message
		want    error
	}{
		"another's address":          {high, w.message("x", stadt, demail.Options{}, firma), connectors.ErrNotEntitled},
		"private at level normal":    {normal, w.message("x", firma, demail.Options{Private: true}, stadt), connectors.ErrNotEntitled},
		"authoritative at normal":    {normal, w.message("x", firma, demail.Options{Authoritative: true}, stadt), connectors.ErrNotEntitled},
		"an authoritative pseudonym": {erika, w.message("x", "pn_sonne@dmda-a.example", demail.Options{Authoritative: true}, stadt), connectors.ErrNotEntitled},
		"retrieve by a company":      {high, w.message("x", firma, demail.Options{Retrieve: true}, stadt), connectors.ErrNotEntitled},
		"outside De-Mail":            {amt, w.message("x", stadt, demail.Options{}, firma, "somebody@mail.example"), connectors.ErrNoSuchAddress},
		"another From": {high, func() connectors.Message {
			m := w.message("x", firma, demail.Options{}, stadt)
			m.Content = letterOf("chef@firma.de-mail.de", "")
			return m
		}(), connectors.ErrNotEntitled},
		"no From":                 {high, withContent("Date: Thu, 26 Nov 2026 09:59:00 +0100\r\nMessage-ID: <1@x>\r\n\r\n"), connectors.ErrRejected},
		"not a header":            {high, withContent("hello\r\n\r\n"), connectors.ErrRejected},
		"line ends":               {high, withContent("From: post@firma.de-mail.de\n\n"), connectors.ErrRejected},
		"a reply to the internet": {high, withContent("From: post@firma.de-mail.de\r\nReply-To: x\r\nDate: Thu, 26 Nov 2026 09:59:00 +0100\r\nMessage-ID: <1@x>\r\n\r\n"), connectors.ErrRejected},
		"too large, net":          {high, withContent("From: post@firma.de-mail.de\r\nDate: Thu, 26 Nov 2026 09:59:00 +0100\r\nMessage-ID: <1@x>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded), connectors.ErrTooLarge},
		"no key":                  {high, w.message("", firma, demail.Options{}, stadt), connectors.ErrRejected},
	} {
		if r, err := c.session.Submit(c.message); connectors.Class(err) != c.want {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, s := range []*Session{high, erika, amt} {
		if got := w.mail(s); len(got) > 0 {
			t.Error("something was sent:", types(got))
		}
	}
	// As large as it may be, with its encoding.
	fits := "Content-Type: multipart/mixed; boundary=b\r\nFrom: post@firma.de-mail.de\r\nDate: Thu, 26 Nov 2026 09:59:00 +0100\r\nMessage-ID: <1@x>\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		base64.StdEncoding.EncodeToString(make([]byte, demail.MaxNet-1000)) + "\r\n--b--\r\n"
	if _, err := high.Submit(withContent(fits)); err != nil {
		t.Error(err)
	}
}

func TestDailyLimit(t *testing.T) {
	w := newWorld(t)
	s, high := w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelNormal), w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelHigh)
	send := func(s *Session, n int, recipients ...string) error {
		_, err := s.Submit(w.message(fmt.Sprintf("k%d-%d", n, w.now().Unix()), "erika.mustermann@dmda-a.example", demail.Options{}, recipients...))
		return err
	}
	for n := range demail.MaxPerDay {
		if err := send(s, n, "amt@stadt.de-mail.de"); err != nil {
			t.Fatal(n, err)
		}
	}
	err := send(s, 100, "amt@stadt.de-mail.de")
	e := new(connectors.Error)
	if !errors.As(err, &e) || e.Class != connectors.ErrNotEntitled || e.After != 14*time.Hour || connectors.OutcomeOf(err) != connectors.Later {
		t.Fatal(err, e.After)
	}
	if err := send(high, 101, "amt@stadt.de-mail.de"); err != nil {
		t.Error("there is no limit at level high:", err)
	}
	w.pass(e.After)
	many := slices.Repeat([]string{"amt@stadt.de-mail.de"}, demail.MaxPerDayReaches)
	if err := send(s, 1, many...); err != nil {
		t.Error("a new day:", err)
	}
	if err := send(s, 2, "amt@stadt.de-mail.de"); connectors.Class(err) != connectors.ErrNotEntitled {
		t.Error("300 recipients a day:", err)
	}
}

func TestNotifications(t *testing.T) {
	w := newWorld(t)
	s := w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh)
	for i, c := range []struct {
		to    string
		o     demail.Options
		body  string
		kind  demail.MessageType
		about demail.NotificationType
	}{
		{"niemand@dmda-b.de-mail.de", demail.Options{Receipt: true}, "", demail.TypeNotification, demail.NotifyUnknownRecipient},
		{"zu@dmda-b.de-mail.de", demail.Options{Receipt: true}, "", demail.TypeNotification, demail.NotifyClosedAccount},
		{"max.muster@dmda-b.de-mail.de", demail.Options{Private: true, Receipt: true}, "", demail.TypeNotification, demail.NotifyOther},
		{"amt@stadt.de-mail.de", demail.Options{Dispatch: true, Receipt: true}, "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE", demail.TypeMalwareNotification, demail.NotifyOther},
	} {
		m := w.message(fmt.Sprint("k", i), "post@firma.de-mail.de", c.o, c.to)
		m.Content = letterOf("post@firma.de-mail.de", c.body)
		if _, err := s.Submit(m); err != nil {
			t.Fatal(c.to, err)
		}
		all := w.mail(s)
		if len(all) != 1 || all[0].meta.Type != c.kind {
			t.Errorf("%s: %v", c.to, types(all))
			continue
		}
		n, err := w.verifier().Notification(t.Context(), all[0].header, bytes.NewReader(all[0].body))
		if err != nil || n.About != c.about || n.Metadata.PrivateID != m.Key || n.Integrity.State != demail.StateHashed || !strings.Contains(n.Text, "SIMULATED") {
			t.Errorf("%s: %+v, %v", c.to, n, err)
		}
	}
	for _, a := range []string{"amt@stadt.de-mail.de", "max.muster@dmda-b.de-mail.de", "zu@dmda-b.de-mail.de"} {
		if got := w.mail(w.login(w.b, a, demail.LevelNormal)); len(got) > 0 {
			t.Errorf("%s got %v", a, types(got))
		}
	}
}

func TestAccounts(t *testing.T) {
	w := newWorld(t)
	for name, err := range map[string]error{
		"an address twice":      w.b.Open(Account{Addresses: []demail.Address{address(t, "max.muster@dmda-b.de-mail.de")}, Highest: demail.LevelHigh}),
		"one in a domain":       w.b.Open(Account{Addresses: []demail.Address{address(t, "x@firma.de-mail.de")}, Highest: demail.LevelHigh}),
		"a system address":      w.b.Open(Account{Addresses: []demail.Address{address(t, "meldung@dmda-b.de-mail.de")}, Highest: demail.LevelHigh}),
		"no address":            w.b.Open(Account{Highest: demail.LevelHigh}),
		"no level":              w.b.Open(Account{Addresses: []demail.Address{address(t, "y@x.de-mail.de")}}),
		"a domain that is none": w.b.Open(Account{Addresses: []demail.Address{address(t, "y@x.de-mail.de")}, Domains: []string{"-"}, Highest: demail.LevelHigh}),
		"a provider twice":      second(w.net.Add("dmda-a.example", w.a.seal)),
		"no domain":             second(w.net.Add("x", w.a.seal)),
		"no key":                second(w.net.Add("c.example", demail.Sealer{})),
		"login elsewhere":       second(w.b.Login(address(t, "post@firma.de-mail.de"), demail.LevelHigh, "")),
		"login too strong":      second(w.b.Login(address(t, "max.muster@dmda-b.de-mail.de"), demail.LevelHigh, "")),
		"login as nobody":       second(w.b.Login(address(t, "niemand@dmda-b.de-mail.de"), demail.LevelNormal, "")),
		"login at no level":     second(w.b.Login(address(t, "max.muster@dmda-b.de-mail.de"), "", "")),
	} {
		if err == nil {
			t.Error(name)
		}
	}
	s := w.login(w.a, "erika.mustermann@dmda-a.example", demail.LevelNormal)
	if e, err := s.Lookup(address(t, "max.muster@dmda-b.de-mail.de")); err != nil || e.Level != demail.LevelNormal {
		t.Error(e, err)
	}
	for _, a := range []string{"zu@dmda-b.de-mail.de", "niemand@dmda-b.de-mail.de"} {
		if _, err := s.Lookup(address(t, a)); connectors.Class(err) != connectors.ErrNoSuchAddress {
			t.Error(a, err)
		}
	}
	if _, err := s.Get("x"); err == nil {
		t.Error("a message that is not there is read")
	}
	s.Acknowledge("x")
	if got := s.Domains(); !slices.Equal(got, []string{"dmda-a.example"}) {
		t.Error(got)
	}
}

func second[T any](_ T, err error) error { return err }

func ExampleNetwork() {
	now := func() time.Time { return time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC) }
	authority, err := NewAuthority(now())
	if err != nil {
		fmt.Println(err)
		return
	}
	seal, err := authority.Sealer("a", now())
	if err != nil {
		fmt.Println(err)
		return
	}
	provider, err := NewNetwork(now).Add("dmda-a.example", seal)
	if err != nil {
		fmt.Println(err)
		return
	}
	erika, _ := demail.ParseAddress("erika.mustermann@dmda-a.example")
	err = provider.Open(Account{Holder: "Erika Mustermann", Addresses: []demail.Address{erika}, Highest: demail.LevelHigh})
	session, loginErr := provider.Login(erika, demail.LevelHigh, "Test")
	if err != nil || loginErr != nil {
		fmt.Println(err, loginErr)
		return
	}
	fmt.Println(session.Domains(), session.List())
	// Output: [dmda-a.example] []
}
