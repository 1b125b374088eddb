package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// What certificates.validation asks holds for what the gateway finds, in the folder and in the store, and for what it judges.
func TestValidationReachesTheJudge(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	ca, err := democa.NewCA(now)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := ca.Issue("alice@firma.example", democa.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "trust"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"alice.pem": democa.CertificatePEM(alice.Certificate), "trust/ca.pem": democa.CertificatePEM(ca.Certificate())} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(t.TempDir(), "certs"), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for _, c := range []struct {
		asked configs.Validation
		want  bool
	}{
		{configs.Validation{}, true},
		{configs.Validation{ExplicitPolicy: true}, true}, // democa has a policy
		{configs.Validation{ExplicitPolicy: true, Policies: []string{"2.23.140.1.5.2.2"}}, false},
	} {
		f, _, err := folder.Load(dir, folder.Options{Policies: c.asked.Inputs()})
		if err != nil {
			t.Fatal(err)
		}
		finder, judge := within(f, c.asked.Inputs(), false, nil)(kept, nil)
		for _, from := range []certs.Finder{f, finder} {
			_, err = from.Recipient(t.Context(), "alice@firma.example", now)
			var unusable *certs.UnusableError
			if c.want != (err == nil) || err != nil && (!errors.As(err, &unusable) || !strings.Contains(err.Error(), "certificate polic")) {
				t.Errorf("%+v: %v", c.asked, err)
			}
		}
		if r := judge.Validate(t.Context(), alice.Certificate, nil, certs.Sign, "", now); r.Valid() != c.want {
			t.Errorf("%+v: %s %q", c.asked, r.Status, r.Reasons)
		}
	}
}
