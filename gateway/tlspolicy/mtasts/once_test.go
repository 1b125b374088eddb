package mtasts_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

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

// beforeKept counts the files of a folder when a policy is said to be in force.
type beforeKept struct {
	dir   string
	files int
}

// Levels implements logrus.Hook.
func (*beforeKept) Levels() []logrus.Level { return []logrus.Level{logrus.InfoLevel} }

// Fire implements logrus.Hook.
func (b *beforeKept) Fire(*logrus.Entry) error {
	all, err := filepath.Glob(filepath.Join(b.dir, "*.policy"))
	b.files += len(all)
	return err
}

// A policy is in force before it is kept: the end of the one before it, which removes its file, may come in the same moment and would remove the new one.
func TestInForceBeforeKept(t *testing.T) {
	s := newSite(t)
	o := s.options()
	log, _ := logtest.NewNullLogger()
	seen := &beforeKept{dir: s.dir}
	log.AddHook(seen)
	o.Log = log
	policy(t, newClient(t, o))
	all, err := filepath.Glob(filepath.Join(s.dir, "*.policy"))
	if err != nil || len(all) != 1 || seen.files != 0 {
		t.Errorf("%d files before it was in force, then %v, %v", seen.files, all, err)
	}
}
