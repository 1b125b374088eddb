package mtasts_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

// A policy is fetched as it stands there now, whatever the record says.
func TestFetchOnce(t *testing.T) {
	s := newSite(t)
	s.record("")
	o := s.options()
	p, err := mtasts.Fetch(t.Context(), domain, o.Dial, o.TLS)
	if err != nil || p.Text != good {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := mtasts.Fetch(t.Context(), domain, o.Dial, &tls.Config{RootCAs: x509.NewCertPool()}); !errors.Is(err, mtasts.ErrCertificate) {
		t.Error(err)
	}
	s.serve("hello")
	if _, err := mtasts.Fetch(t.Context(), domain, o.Dial, o.TLS); !errors.Is(err, mtasts.ErrInvalid) {
		t.Error(err)
	}
	s.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if _, err := mtasts.Fetch(t.Context(), domain, o.Dial, o.TLS); !errors.Is(err, mtasts.ErrFetch) {
		t.Error(err)
	}
}
