package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// filed is a folder beside what an ends keeps.
type filed struct {
	*ends
	place certstest.Place
}

func newFiled(t *testing.T) filed {
	e := newEnds(t)
	return filed{e, certstest.New(t, e.ca)}
}

// lay puts a certificate that ends in so many days into a file, with its key or without.
func (f filed) lay(t *testing.T, file, address string, days int, withKey bool) certs.Identity {
	t.Helper()
	key, err := enroll.NewKey(enroll.P256)
	if err != nil {
		t.Fatal(err)
	}
	id := f.place.Issue(address, democa.Options{Key: key, NotBefore: f.now.AddDate(-1, 0, 0), NotAfter: f.now.AddDate(0, 0, days)})
	if withKey {
		f.place.Write(file, democa.CertificatePEM(id.Certificate), certstest.KeyPEM(t, id))
	} else {
		f.place.Write(file, democa.CertificatePEM(id.Certificate))
	}
	return id
}

// keepAlso has the store keep a certificate of the folder, without its key.
func (f filed) keepAlso(t *testing.T, id certs.Identity) {
	t.Helper()
	if _, err := f.known.Add(t.Context(), store.Addition{Certificates: []*x509.Certificate{id.Certificate}, Source: "import"}); err != nil {
		t.Fatal(err)
	}
}

// load reads the folder, as a reload does.
func (f filed) load(t *testing.T, presented ...Presented) {
	t.Helper()
	read, _, err := folder.Load(f.place.Dir, folder.Options{Now: f.now})
	if err != nil {
		t.Fatal(err)
	}
	f.watched.Store(newWatched(Settings{WarnBefore: 30 * 24 * time.Hour, Folder: read, Presented: presented}))
}

// list is what the command expiring says: address and source, with the key's place.
func (f filed) list(t *testing.T, q certadmin.Expiring) (all []string) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	out, err := f.expiring(t.Context(), q, admin.Record(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Certificates {
		all = append(all, strings.TrimRight(strings.Join(c.Addresses, "")+" "+c.Source+" "+c.Trust+" "+c.Key, " "))
	}
	if out.More {
		all = append(all, "more")
	}
	return all
}

// What lies in the folder alone is told of as what is kept; what is in both once; what is in either follows what is in the other.
func TestEndingsInFolder(t *testing.T) {
	f := newFiled(t)
	f.lay(t, "own.p.pem", "own@firma.example", 20, true)
	f.lay(t, "over.pem", "over@firma.example", -3, true)
	f.lay(t, "gone.pem", "gone@firma.example", -40, true)
	f.lay(t, "later.pem", "later@firma.example", 40, true)
	f.lay(t, "partner.pem", "partner@partner.example", 5, false)
	f.lay(t, "replaced-1.pem", "replaced@firma.example", 10, true)
	f.lay(t, "replaced-2.pem", "replaced@firma.example", 300, true)
	f.lay(t, "moved.pem", "moved@firma.example", 10, true)
	f.keep(t, "moved@firma.example", 300, true) // the store goes on for the folder
	f.keep(t, "back@firma.example", 10, true)
	f.lay(t, "back.pem", "back@firma.example", 300, true) // and the folder for the store
	f.lay(t, "half-1.pem", "half@firma.example", 11, true)
	f.lay(t, "half-2.pem", "half@firma.example", 300, false) // without its key it follows nothing
	f.keepAlso(t, f.lay(t, "both.pem", "both@firma.example", 12, true))
	bad := f.lay(t, "bad.pem", "bad@firma.example", 13, true)
	f.keepAlso(t, bad)
	f.lay(t, "worse-1.pem", "worse@firma.example", 14, true)
	worse := f.lay(t, "worse-2.pem", "worse@firma.example", 300, true)
	f.keepAlso(t, worse)
	for _, id := range []certs.Identity{bad, worse} {
		if err := f.known.SetTrust(t.Context(), store.FingerprintOf(id.Certificate), store.Distrusted, nil); err != nil {
			t.Fatal(err)
		}
	}
	root, err := democa.NewCA(f.now.AddDate(-20, 0, 0)) // its root ends long before
	if err != nil {
		t.Fatal(err)
	}
	f.place.Write("trust/root.pem", democa.CertificatePEM(root.Certificate()))
	between, err := f.ca.Intermediate("Between", democa.Options{NotBefore: f.now.AddDate(-1, 0, 0), NotAfter: f.now.AddDate(0, 0, 21)})
	if err != nil {
		t.Fatal(err)
	}
	f.place.Write("between.pem", democa.CertificatePEM(between.Certificate()))
	f.load(t)

	var got []string
	for _, one := range f.found(t) {
		kind, name, _ := strings.Cut(one, " ")
		got = append(got, kind+" "+filepath.Base(name))
	}
	for i, want := range []string{"own over.pem", "partner partner.pem", "own half-1.pem", "own both.pem", "own worse-1.pem", "own own.p.pem", "authority between.pem"} {
		if i >= len(got) || !strings.HasPrefix(got[i], strings.Fields(want)[0]) || !strings.HasSuffix(got[i], strings.Fields(want)[1]) {
			t.Fatalf("%d: got %q, want %q", i, got, want)
		}
	}
	if len(got) != 7 {
		t.Errorf("got %q", got)
	}
	if err := f.endingCheck().Run(t.Context()); err == nil || !strings.Contains(err.Error(), "over@firma.example (serial") || !strings.Contains(err.Error(), "in the file over.pem has ended on 2031-05-03") {
		t.Errorf("health says %v", err)
	}
	if got := f.figures(t); !slices.Equal(got, []string{"anchor 0", "authority 1", "listener 0", "own 5", "partner 1"}) {
		t.Errorf("figures: %q", got)
	}
	if log := f.log.String(); !strings.Contains(log, "in the file own.p.pem ends on 2031-05-26") || strings.Contains(log, "bad@") {
		t.Errorf("the log says %s", log)
	}
}

// An anchor of the trust folder that ends is told of, whatever bears its key.
func TestEndingAnchorInFolder(t *testing.T) {
	f := newFiled(t)
	f.place.Write("trust/root.pem", democa.CertificatePEM(f.ca.Certificate()))
	f.now = f.ca.Certificate().NotAfter.AddDate(0, 0, -9)
	f.load(t)
	if got := f.found(t); len(got) != 1 || !strings.HasPrefix(got[0], "anchor ") || !strings.HasSuffix(got[0], " in the file trust/root.pem") {
		t.Errorf("got %q", got)
	}
	// What an administrator said of it in the store counts here as in judging.
	f.keepAlso(t, certs.Identity{Certificate: f.ca.Certificate()})
	if got := f.found(t); len(got) != 1 || !strings.HasPrefix(got[0], "anchor ") {
		t.Errorf("in the store, too: %q", got)
	}
	if err := f.known.SetTrust(t.Context(), store.FingerprintOf(f.ca.Certificate()), store.Distrusted, nil); err != nil {
		t.Fatal(err)
	}
	if got := f.found(t); len(got) != 0 {
		t.Errorf("distrusted: %q", got)
	}
}

// The command lists what is warned of, page by page, and all else where that is asked for.
func TestExpiringCommand(t *testing.T) {
	f := newFiled(t)
	f.lay(t, "own.pem", "own@firma.example", 20, true)
	f.keep(t, "kept@firma.example", 10, true)
	f.keep(t, "followed@firma.example", 9, true)
	f.keep(t, "followed@firma.example", 300, true)
	f.lay(t, "partner.pem", "partner@partner.example", 5, false)
	served := f.place.Issue("mx@firma.example", democa.Options{NotBefore: f.now.AddDate(-1, 0, 0), NotAfter: f.now.AddDate(0, 0, 3)})
	f.load(t, Presented{By: "the listener mx", Certificates: func() []tls.Certificate { return []tls.Certificate{{Leaf: served.Certificate}} }})

	soon := f.now.AddDate(0, 0, 25)
	want := []string{"mx@firma.example the listener mx path", "kept@firma.example import path store", "own@firma.example folder own.pem path folder"}
	if got := f.list(t, certadmin.Expiring{Ends: soon}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := f.list(t, certadmin.Expiring{Ends: f.now.AddDate(0, 0, 2)}); len(got) != 0 {
		t.Errorf("within two days: %q", got)
	}
	if got := f.list(t, certadmin.Expiring{Ends: soon, Limit: 2}); !slices.Equal(got, append(slices.Clone(want[:2]), "more")) {
		t.Errorf("the first page: %q", got)
	}
	if got := f.list(t, certadmin.Expiring{Ends: soon, Limit: 2, Skip: 2}); !slices.Equal(got, want[2:]) {
		t.Errorf("the second page: %q", got)
	}
	all := []string{want[0], "partner@partner.example folder partner.pem path", "followed@firma.example import path store", want[1], want[2]}
	if got := f.list(t, certadmin.Expiring{Ends: soon, All: true}); !slices.Equal(got, all) {
		t.Errorf("all: %q", got)
	}
	for _, q := range []certadmin.Expiring{{Ends: soon}, {Ends: soon, Limit: certadmin.MaxList + 1}, {Ends: soon, Limit: 1, Skip: -1}, {Limit: 1}, {Ends: f.now.AddDate(200, 0, 0), Limit: 1}} {
		if _, err := f.expiring(t.Context(), q, nil); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
}
