package store

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// Where the disk is full an addition fails, whole; what was there is found, and with room again it goes on.
func TestFullDisk(t *testing.T) {
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: atrest.NewKey()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key := ca.Key()
	one := func(i int) *x509.Certificate {
		id, err := ca.Issue(fmt.Sprintf("user%d@firma.example", i), democa.Options{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return id.Certificate
	}
	add := func(all ...*x509.Certificate) error {
		_, err := s.Add(t.Context(), Addition{Source: "import", Certificates: all})
		return err
	}
	first := one(0)
	if err := add(first, ca.Certificate()); err != nil {
		t.Fatal(err)
	}
	var pages int
	if err := s.db.write.QueryRow(`PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		var got int
		if err := s.db.write.QueryRow(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)).Scan(&got); err != nil || got != pages {
			t.Fatalf("%d, %v", got, err)
		}
	}
	limit(pages + 2)
	many := make([]*x509.Certificate, 20)
	for i := range many {
		many[i] = one(i + 1)
	}
	if err := add(many...); sqldb.FaultOf(err) != sqldb.Full {
		t.Fatalf("it says %v", err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("a full disk is taken for damage: %v", err)
	}
	for i, c := range append(many, first) {
		if _, err := s.ByFingerprint(t.Context(), FingerprintOf(c)); (err == nil) != (i == len(many)) || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: %v", i, err)
		}
	}
	limit(pages + 1000)
	if err := add(many...); err != nil {
		t.Error(err)
	}
}
