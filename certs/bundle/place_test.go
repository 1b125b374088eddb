package bundle_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/secret"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// place is a folder of files.
type place struct{ certstest.Place }

// sharedCA and the people it issued for are made once: keys take long.
var sharedCA = sync.OnceValue(func() *democa.CA { return must(democa.NewCA(now)) })

var people = sync.OnceValue(func() map[string]certs.Identity {
	all := map[string]certs.Identity{}
	for _, address := range []string{"alice@firma.example", "bob@firma.example"} {
		all[address] = must(sharedCA().Issue(address, democa.Options{}))
	}
	return all
})

func newPlace(t testing.TB) place { return place{certstest.New(t, sharedCA())} }

// Issue has those whom many tests need issued for once.
func (p place) Issue(address string, o democa.Options) certs.Identity {
	p.Helper()
	if id, ok := people()[address]; ok && o.Key == nil && o.Alter == nil && o.NotBefore.IsZero() {
		return id
	}
	return p.Place.Issue(address, o)
}

// needs skips the test where a program is missing, and fails where nothing may be.
func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: scripts/install-tools test installs it", name)
		} else if err != nil {
			t.Skipf("%s is missing: scripts/install-tools test installs it", name)
		}
	}
}

// with are options with passwords.
func with(passwords ...string) bundle.Options {
	var o bundle.Options
	for _, p := range passwords {
		o.Passwords = append(o.Passwords, secret.New(p))
	}
	return o
}

// holds fails unless the file gives the identity, and so many certificates.
func (p place) holds(t *testing.T, path string, o bundle.Options, want certs.Identity, certificates int) {
	t.Helper()
	c, err := bundle.ReadFile(path, o)
	if err != nil {
		t.Fatal(err)
	}
	ids, without := c.Identities()
	if len(ids) != 1 || without != 0 || !ids[0].Certificate.Equal(want.Certificate) || len(c.Certificates) != certificates {
		t.Fatalf("%d identities, %d keys without, %d certificates", len(ids), without, len(c.Certificates))
	}
	certstest.Opens(t, ids[0])
}
