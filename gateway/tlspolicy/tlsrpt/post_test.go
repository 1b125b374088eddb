package tlsrpt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/publicnet"
)

// collector is a web server that takes reports.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies [][]byte
	kinds  []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{status: http.StatusCreated}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil || r.Method != http.MethodPost {
			c.status = http.StatusTeapot
		}
		if c.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(c.status)
		w.Write(bytes.Repeat([]byte("thanks "), 1<<16))
		if c.status/100 == 2 {
			c.bodies, c.kinds = append(c.bodies, body), append(c.kinds, r.Header.Get("Content-Type"))
		}
	}))
	c.Config.ErrorLog = nil
	t.Cleanup(c.Close)
	return c
}

func (c *collector) answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

func (c *collector) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Certificate())
	return pool
}

func loopback() *publicnet.Dialer {
	return publicnet.New(publicnet.Options{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// A report by HTTPS is taken once, and tried again until it is.
func TestPost(t *testing.T) {
	web, s := newCollector(t), newStand(t)
	s.zone.texts["_smtp._tls.partner.example"] = []string{"v=TLSRPTv1; rua=" + web.URL + "/v1,mailto:tls@partner.example"}
	with := s.settings()
	with.Poster = NewPoster(loopback().DialContext, web.roots())
	s.Set(with)
	s.note("partner.example")
	s.turn()
	s.clock = noon.Add(dayLength)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusNotFound, http.StatusTemporaryRedirect, http.StatusOK, http.StatusOK} {
		web.answer(status)
		s.turn()
		s.clock = s.clock.Add(5 * time.Hour)
	}
	if len(web.bodies) != 1 || web.kinds[0] != "application/tlsrpt+gzip" || len(s.mails) != 1 {
		t.Fatalf("%d posts, %v, %d mails\n%s", len(web.bodies), web.kinds, len(s.mails), s.log.String())
	}
	posted, err := Read(bytes.NewReader(web.bodies[0]))
	if err != nil || posted.ID != s.read(s.mails[0].text).ID {
		t.Errorf("%v, %v", posted, err)
	}
}

// Nothing is posted to who cannot be authenticated, to addresses inside, or by another protocol.
func TestPostRefuses(t *testing.T) {
	web := newCollector(t)
	strict := publicnet.New(publicnet.Options{})
	for name, c := range map[string]struct {
		p    *Poster
		to   string
		want string
	}{
		"unknown authority": {NewPoster(loopback().DialContext, x509.NewCertPool()), web.URL, "unknown authority"},
		"wrong name":        {NewPoster(loopback().DialContext, web.roots()), strings.Replace(web.URL, "127.0.0.1", "localhost", 1), "valid for"},
		"inside":            {NewPoster(strict.DialContext, web.roots()), web.URL, "no public address"},
		"plain":             {NewPoster(loopback().DialContext, web.roots()), strings.Replace(web.URL, "https", "http", 1), "not https"},
		"another TLS": {NewPoster(loopback().DialContext, web.roots()).Held(&tls.Config{
			MaxVersion: tls.VersionTLS12, VerifyConnection: func(tls.ConnectionState) error { return errors.New("not of the profile") },
		}), web.URL, "not of the profile"},
		"no address": {NewPoster(loopback().DialContext, web.roots()), "://", "not https"},
	} {
		err := c.p.post(t.Context(), c.to, []byte("x"))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), web.URL) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewPoster(loopback().DialContext, web.roots()).post(ended, web.URL, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(web.bodies) != 0 {
		t.Error("something was posted")
	}
}
