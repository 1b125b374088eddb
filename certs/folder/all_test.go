package folder_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/certstest"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
)

// All that lies in the folder is told once, with its file, whatever it is worth.
func TestAll(t *testing.T) {
	p := newPlace(t)
	alice := p.put("alice.pem", "alice@firma.example", true, democa.Options{NotBefore: now.AddDate(0, 0, -1)})
	p.Write("copies/alice.crt", alice.Certificate.Raw)
	p.put("bob.pem", "bob@partner.example", false, democa.Options{NotBefore: now.AddDate(0, 0, -2)})
	p.put("old.pem", "old@firma.example", false, democa.Options{NotBefore: now.AddDate(-9, 0, 0), NotAfter: now.AddDate(-8, 0, 0)})
	signs := p.Issue("signs@firma.example", democa.Options{NotBefore: now.AddDate(0, 0, -3)})
	p.Write("cert/signs.pem", democa.CertificatePEM(signs.Certificate))
	p.Write("key/signs.pem", certstest.KeyPEM(t, signs))
	p.Write("sub/ca.pem", democa.CertificatePEM(p.CA.Certificate())) // an anchor, from another file
	f, _ := p.load(folder.Options{})
	var got []string
	for i := range f.All() {
		got = append(got, fmt.Sprint(i.File, " ", i.Certificate.NotAfter.After(now), " ", i.Anchor, i.Key))
	}
	slices.Sort(got)
	if want := []string{"alice.pem true false true", "bob.pem true false false", "cert/signs.pem true false true", "old.pem false false false", "sub/ca.pem true true false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var last time.Time
	for i := range f.All() {
		if last.IsZero() {
			last = i.Certificate.NotBefore
			continue
		}
		if i.Certificate.NotBefore.After(last) {
			t.Error("not the newest first")
		}
		break
	}
	empty, _, err := folder.Load("", folder.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	for i := range empty.All() {
		t.Errorf("an empty folder has %s", i.File)
	}
}
