package tlsrpt

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/dns"
)

// zone answers TXT questions; a name it does not have is not there.
type zone struct {
	mu    sync.Mutex
	texts map[string][]string
	fault error
	asked int
}

// LookupTXT implements Resolver.
func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	if z.fault != nil {
		return nil, z.fault
	}
	if t, ok := z.texts[name]; ok {
		return t, nil
	}
	return nil, &dns.Error{Name: name, Type: "TXT", Class: dns.ErrNotFound}
}

// posted is one mail that a stand was handed.
type posted struct {
	env  mail.Envelope
	text string
}

// stand is a Reporter with a clock, a zone and a place for mails.
type stand struct {
	*Reporter
	t     *testing.T
	o     Options
	zone  *zone
	clock time.Time
	mails []posted
	deny  error // of mails
	log   strings.Builder
}

func newStand(t *testing.T) *stand {
	s := &stand{t: t, clock: noon, zone: &zone{texts: map[string][]string{"_smtp._tls.partner.example": {"v=TLSRPTv1; rua=mailto:tls@partner.example"}}}}
	log := logrus.New()
	log.SetOutput(&s.log)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true})
	var mu sync.Mutex
	s.o = Options{
		Dir: filepath.Join(t.TempDir(), "tlsrpt"), Key: atrest.NewKey(), Now: func() time.Time { return s.clock }, Log: log,
		Delay: func(limit time.Duration) time.Duration { return limit / 2 },
		Mail: func(_ context.Context, env mail.Envelope, content mail.Content) error {
			mu.Lock()
			defer mu.Unlock()
			if s.deny != nil {
				return s.deny
			}
			r, err := content.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			text, err := io.ReadAll(r)
			s.mails = append(s.mails, posted{env, string(text)})
			return err
		},
	}
	s.start()
	t.Cleanup(func() { s.Close() })
	return s
}

// start begins anew with what rests on disk.
func (s *stand) start() {
	s.t.Helper()
	if s.Reporter != nil {
		if err := s.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := New(s.o, s.settings())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Reporter = r
}

func (s *stand) settings() Settings {
	return Settings{From: address(s.t, "tls-reports@firma.example"), Organization: "Firma GmbH", Resolver: s.zone}
}

func address(t *testing.T, text string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// note notes a good session and two bad ones.
func (s *stand) note(domain string) {
	policy := Policy{Type: STS, Strings: []string{"version: STSv1", "mode: enforce", "mx: mx." + domain, "max_age: 86400"}, MX: []string{"mx." + domain}}
	s.Collector().Note(Outcome{Domain: domain, Policy: policy})
	for range 2 {
		s.Collector().Note(Outcome{
			Domain: domain, Policy: policy, Result: HostMismatch, MX: "mx." + domain, HELO: "mail." + domain, Reason: "the certificate is for other.example",
			SendingIP: netip.MustParseAddr("2620:fe::25"), ReceivingIP: netip.MustParseAddr("9.9.9.7"),
		})
	}
}

func (s *stand) turn() {
	s.Flush(s.t.Context())
	s.Send(s.t.Context())
}

// read is the report in a mail.
func (s *stand) read(text string) Report {
	s.t.Helper()
	r, err := Read(strings.NewReader(text))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
	return r
}

// What was counted on one day is sent on the next, once, after a delay; over a restart.
func TestDaily(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.note("silent.example") // asks for no reports
	s.turn()
	s.start()
	s.note("partner.example")
	s.turn()
	if len(s.mails) != 0 {
		t.Fatal("a report of a day that has not ended")
	}
	s.clock = time.Date(2031, 5, 7, 2, 0, 0, 0, time.UTC)
	s.turn()
	if len(s.mails) != 0 {
		t.Fatal("no delay")
	}
	s.clock = s.clock.Add(20 * time.Minute)
	for range 3 {
		s.turn()
		s.start()
	}
	if len(s.mails) != 1 {
		t.Fatalf("%d mails", len(s.mails))
	}
	r := s.read(s.mails[0].text)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"organization-name":"Firma GmbH","date-range":{"start-datetime":"2031-05-06T00:00:00Z","end-datetime":"2031-05-06T23:59:59Z"},` +
		`"contact-info":"tls-reports@firma.example","report-id":"` + r.ID + `","policies":[{"policy":{"policy-type":"sts",` +
		`"policy-string":["version: STSv1","mode: enforce","mx: mx.partner.example","max_age: 86400"],"policy-domain":"partner.example","mx-host":["mx.partner.example"]},` +
		`"summary":{"total-successful-session-count":2,"total-failure-session-count":4},"failure-details":[{"result-type":"certificate-host-mismatch",` +
		`"sending-mta-ip":"2620:fe::25","receiving-mx-hostname":"mx.partner.example","receiving-mx-helo":"mail.partner.example","receiving-ip":"9.9.9.7",` +
		`"failed-session-count":4,"failure-reason-code":"the certificate is for other.example"}]}]}`
	if string(text) != want {
		t.Errorf("%s\n%s", text, want)
	}
	env := s.mails[0].env
	if !env.From.IsNull() || !env.TLSOptional || !env.Internal || env.Recipients[0].Address.String() != "tls@partner.example" || env.Recipients[0].Notify[0] != "NEVER" {
		t.Errorf("%+v", env)
	}
	s.clock = s.clock.Add(3 * dayLength)
	s.turn()
	if len(s.mails) != 1 {
		t.Error("an empty day was reported")
	}
}

// Whoever cannot be reached is tried again for a day, less and less often; who has the report does not get it twice.
func TestRetry(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.turn()
	begin := time.Date(2031, 5, 7, 3, 0, 0, 0, time.UTC)
	s.clock, s.zone.fault = begin, &dns.Error{Class: dns.ErrTemporary}
	tries := 0
	for ; s.clock.Before(begin.Add(30 * time.Hour)); s.clock = s.clock.Add(5 * time.Minute) {
		before := s.zone.asked
		s.turn()
		tries += s.zone.asked - before
	}
	if tries < 6 || tries > 14 || len(s.mails) != 0 || testutil.ToFloat64(s.sent.WithLabelValues("none", "expired")) != 1 {
		t.Errorf("%d tries", tries)
	}
	s.zone.fault = nil
	s.turn()
	if len(s.mails) != 0 {
		t.Error("it was not given up")
	}
}

// A queue that refuses is tried again, with the same mail; of two addresses the one that has it is left alone.
func TestMailRefused(t *testing.T) {
	s := newStand(t)
	s.zone.texts["_smtp._tls.partner.example"] = []string{"v=TLSRPTv1; rua=mailto:tls@partner.example,mailto:other@partner.example"}
	s.note("partner.example")
	s.turn()
	s.clock, s.deny = noon.Add(dayLength), errors.New("the disk is full")
	s.turn()
	s.deny, s.clock = nil, s.clock.Add(time.Hour)
	s.turn()
	s.turn()
	if len(s.mails) != 2 || s.mails[0].env.ID == s.mails[1].env.ID {
		t.Fatalf("%d mails", len(s.mails))
	}
	if a, b := s.read(s.mails[0].text), s.read(s.mails[1].text); a.ID != b.ID {
		t.Errorf("%s, %s", a.ID, b.ID)
	}
}

// Nothing is kept where nobody is told, and what came before reporting was switched on is not told.
func TestOff(t *testing.T) {
	s := newStand(t)
	s.Set(Settings{})
	s.note("partner.example")
	s.turn()
	if _, err := os.Stat(s.o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	s.Set(s.settings())
	s.clock = noon.Add(dayLength)
	s.turn()
	if len(s.mails) != 0 || testutil.ToFloat64(s.Collector().outcomes.WithLabelValues("sts", "success")) != 1 {
		t.Errorf("%d mails", len(s.mails))
	}
}

// A store that is damaged, or sealed under another key, is set aside: counting goes on, and the log says so.
func TestSetAside(t *testing.T) {
	for name, harm := range map[string]func(s *stand){
		"damage": func(s *stand) {
			if err := os.WriteFile(filepath.Join(s.o.Dir, databaseName), []byte(strings.Repeat("no database ", 999)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"key": func(s *stand) { s.o.Key = atrest.NewKey() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.note("lost.example")
			s.turn()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			harm(s)
			s.start()
			s.note("partner.example")
			s.turn()
			s.clock = noon.Add(dayLength)
			s.turn()
			if len(s.mails) != 1 || s.Check() != nil || !strings.Contains(s.log.String(), "set aside") {
				t.Errorf("%d mails, %v\n%s", len(s.mails), s.Check(), s.log.String())
			}
			aside, err := filepath.Glob(filepath.Join(s.o.Dir, databaseName+".damaged-*"))
			if err != nil || len(aside) == 0 {
				t.Error(aside, err)
			}
		})
	}
}

// Where nothing can be written delivery does not notice, and what was counted meanwhile is written later.
func TestCannotWrite(t *testing.T) {
	s := newStand(t)
	if err := os.WriteFile(s.o.Dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	s.note("partner.example")
	s.turn()
	if s.Check() == nil {
		t.Fatal("all seems well")
	}
	if err := os.Remove(s.o.Dir); err != nil {
		t.Fatal(err)
	}
	s.clock = s.clock.Add(2 * time.Minute)
	s.turn()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	s.clock = noon.Add(dayLength)
	s.turn()
	if len(s.mails) != 1 {
		t.Errorf("%d mails", len(s.mails))
	}
}

// Nothing of what was counted stands on disk in clear.
func TestSealed(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.turn()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.o.Dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "partner") {
			t.Errorf("%s names who is written to", f)
		}
	}
}

// Bodies are bounded whatever happens during a day, and what is left out is counted.
func TestStoreBounds(t *testing.T) {
	s := newStand(t)
	long := strings.Repeat("x", maxString)
	for i := range 40 {
		for range 40 {
			s.Collector().Note(Outcome{Domain: "partner.example", Policy: Policy{Type: STS, Strings: []string{long, long, string(rune('a' + i))}}})
		}
		for k := range 50 {
			s.Collector().Note(Outcome{Domain: "partner.example", Policy: Policy{Type: NoPolicy}, Result: Failed, Reason: long + long, HELO: string(rune('a'+i)) + string(rune('a'+k))})
		}
		s.Flush(t.Context())
	}
	rows := s.rows()
	if len(rows) != 1 || rows[0] > 2*maxBody || s.Collector().lost.Load() == 0 {
		t.Errorf("%v, lost %d", rows, s.Collector().lost.Load())
	}
}

// rows are the sizes of what is kept.
func (s *stand) rows() (sizes []int) {
	s.t.Helper()
	rows, err := s.store.db.Query(`SELECT length(body) FROM report`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// What is days old, since the gateway stood still, is not told any more.
func TestTooOld(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.turn()
	s.clock = noon.Add(10 * dayLength)
	s.start()
	s.turn()
	if len(s.mails) != 0 || len(s.rows()) != 0 {
		t.Errorf("%d mails, %v", len(s.mails), s.rows())
	}
}

// Run writes by itself, reports by itself, and writes a last time when it ends.
func TestRun(t *testing.T) {
	s := newStand(t)
	dir := s.o
	synctest.Test(t, func(t *testing.T) {
		o := dir
		o.Now = nil
		ctx, cancel := context.WithCancel(t.Context())
		for _, days := range []time.Duration{0, 2} { // the second one finds what the first wrote when it ended
			r, err := New(o, s.settings())
			if err != nil {
				t.Fatal(err)
			}
			one, end := context.WithCancel(ctx)
			done := make(chan error)
			go func() { done <- r.Run(one) }()
			if days == 0 {
				r.Collector().Note(Outcome{Domain: "partner.example", Policy: Policy{Type: NoPolicy}})
			}
			time.Sleep(days*dayLength + time.Second)
			end()
			if err := errors.Join(<-done, r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
		}
		cancel()
	})
	if len(s.mails) != 1 {
		t.Errorf("%d mails", len(s.mails))
	}
}

// The metrics can be registered and have names that are told in the documentation.
func TestCollectors(t *testing.T) {
	s := newStand(t)
	registry := prometheus.NewPedanticRegistry()
	for _, c := range s.Collectors() {
		if err := registry.Register(c); err != nil {
			t.Error(err)
		}
	}
	s.note("partner.example")
	s.Collector().Note(Outcome{Domain: "partner.example", Policy: Policy{Type: "made up"}, Result: "made up"})
	s.turn()
	n, err := testutil.GatherAndCount(registry)
	if err != nil || n != 6 {
		t.Error(n, err)
	}
}

// What a Reporter needs is asked for.
func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}, Settings{}); err == nil {
		t.Error("a Reporter without a folder")
	}
}
