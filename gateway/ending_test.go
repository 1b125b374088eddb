package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// ends is a gateway of which only what tells of ends is there.
type ends struct {
	*Gateway
	now time.Time
	log bytes.Buffer
	ca  *democa.CA
}

func newEnds(t *testing.T) *ends {
	t.Helper()
	e := &ends{now: time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)}
	log := logrus.New()
	log.SetOutput(&e.log)
	e.Gateway = &Gateway{o: Options{Log: log, Now: func() time.Time { return e.now }}, endings: newEndings()}
	var err error
	e.known, err = store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "certs"), Key: atrest.NewKey(), Now: e.o.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.known.Close() })
	if e.ca, err = democa.NewCA(e.now); err != nil {
		t.Fatal(err)
	}
	e.watch.Store(&watch{})
	e.watched.Store(newWatched(Settings{WarnBefore: 30 * 24 * time.Hour}))
	return e
}

// keep has a certificate kept that ends in so many days.
func (e *ends) keep(t *testing.T, address string, days int, withKey bool) certs.Identity {
	t.Helper()
	key, err := enroll.NewKey(enroll.P256)
	if err != nil {
		t.Fatal(err)
	}
	id, err := e.ca.Issue(address, democa.Options{Key: key, NotAfter: e.now.AddDate(0, 0, days)})
	if err != nil {
		t.Fatal(err)
	}
	a := store.Addition{Certificates: []*x509.Certificate{id.Certificate}, Source: "import"}
	if withKey {
		a.Keys = append(a.Keys, id.Key)
	}
	if _, err := e.known.Add(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return id
}

// found are the kinds and names of what ends.
func (e *ends) found(t *testing.T) (all []string) {
	t.Helper()
	if err := e.warnOfEnds(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, one := range *e.endings.last.Load() {
		all = append(all, string(one.kind)+" "+one.name)
	}
	return all
}

// What ends soon and has no successor is told of, by whose it is; what is followed, distrusted or long gone is not.
func TestEndings(t *testing.T) {
	e := newEnds(t)
	e.keep(t, "soon@firma.example", 20, true)
	e.keep(t, "later@firma.example", 40, true)
	e.keep(t, "followed@firma.example", 10, true)
	e.keep(t, "followed@firma.example", 300, true)
	e.keep(t, "over@firma.example", -5, true)
	e.keep(t, "partner@partner.example", 3, false)
	e.keep(t, "replaced@partner.example", 3, false)
	e.keep(t, "replaced@partner.example", 500, false)
	distrusted := e.keep(t, "bad@firma.example", 20, true)
	if err := e.known.SetTrust(t.Context(), store.FingerprintOf(distrusted.Certificate), store.Distrusted, nil); err != nil {
		t.Fatal(err)
	}
	tlsID := e.keep(t, "tls@elsewhere.example", 9, false)
	e.watched.Store(newWatched(Settings{WarnBefore: 30 * 24 * time.Hour, Presented: []Presented{
		{By: "the listener mx", Certificates: func() []tls.Certificate {
			return []tls.Certificate{{}, {Certificate: [][]byte{{1}}}, {Certificate: [][]byte{tlsID.Certificate.Raw}}}
		}},
	}}))
	got := e.found(t)
	want := []string{
		"own the certificate of CN=over@firma.example", "partner the certificate of CN=partner@partner.example", "listener the TLS certificate of the listener mx",
		"partner the certificate of CN=tls@elsewhere.example", "own the certificate of CN=soon@firma.example",
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%d: %q, want %q", i, got[i], want[i])
		}
	}
	if err := e.endingCheck().Run(t.Context()); err == nil || !strings.Contains(err.Error(), "over@firma.example") || strings.Contains(err.Error(), "partner@") {
		t.Errorf("health says %v", err)
	}
	if got := e.figures(t); !slices.Equal(got, []string{"anchor 0", "authority 0", "listener 1", "own 2", "partner 2"}) {
		t.Errorf("figures: %q", got)
	}
}

// figures are the metric by kind.
func (e *ends) figures(t *testing.T) (all []string) {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := r.Register(e.endings); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "siegel_certificates_ending" {
				all = append(all, m.Label[0].GetValue()+" "+string(rune('0'+int(m.Gauge.GetValue()))))
			}
		}
	}
	slices.Sort(all)
	return all
}

// The log says it once a day, also over a restart.
func TestEndingsAreLoggedOnceADay(t *testing.T) {
	e := newEnds(t)
	e.keep(t, "soon@firma.example", 20, true)
	for _, c := range []struct {
		after time.Duration
		lines int
	}{{0, 1}, {time.Hour, 1}, {11 * time.Hour, 1}, {24 * time.Hour, 2}} {
		e.now = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC).Add(c.after)
		e.endings = newEndings()
		e.found(t)
		if got := strings.Count(e.log.String(), "soon@firma.example"); got != c.lines {
			t.Errorf("after %v: %d lines", c.after, got)
		}
	}
	e.watched.Store(newWatched(Settings{}))
	if got := e.found(t); len(got) > 0 || e.endingCheck().Run(context.Background()) != nil {
		t.Errorf("switched off: %q", got)
	}
}

// Each is told by mail once for each stage.
func TestStages(t *testing.T) {
	now := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	for days, want := range map[int]string{20: "soon", 8: "soon", 6: "week", 0: "week", -1: "over"} {
		e := ending{name: "the certificate of x", at: now.AddDate(0, 0, days)}
		if got := e.stage(now); got != want {
			t.Errorf("%d days: %s", days, got)
		}
		if got := e.sentence(now); strings.Contains(got, "has ended") != (days < 0) {
			t.Error(got)
		}
	}
}

// While the store cannot be read nothing is said to be well.
func TestEndingsWithoutStore(t *testing.T) {
	e := newEnds(t)
	e.keep(t, "soon@firma.example", 20, true)
	e.found(t)
	e.known.Close()
	if err := e.warnOfEnds(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	if e.endingCheck().Run(t.Context()) == nil {
		t.Error("what was found is forgotten")
	}
}
