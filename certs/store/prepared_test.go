package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/sqldb"
)

// A query that many ask at once is prepared, and asked by all; one of a caller who has gone, or that is none, is not kept.
func TestPrepared(t *testing.T) {
	db, err := sqldb.Open(filepath.Join(t.TempDir(), "db"), sqldb.Options{Conns: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := &prepared{DB: db}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.QueryContext(gone, "SELECT ?"); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone: %v", err)
	}
	if _, err := p.QueryContext(t.Context(), "SELECT nothing"); err == nil || len(p.all) != 0 {
		t.Errorf("%v, and %d are kept", err, len(p.all))
	}
	var all sync.WaitGroup
	for want := range 20 {
		all.Go(func() {
			rows, err := p.QueryContext(t.Context(), "SELECT ?", want)
			if err != nil {
				t.Error(err)
				return
			}
			defer rows.Close()
			var got int
			if !rows.Next() || rows.Scan(&got) != nil || got != want {
				t.Errorf("%d, want %d", got, want)
			}
		})
	}
	all.Wait()
	if len(p.all) != 1 {
		t.Errorf("%d statements are kept", len(p.all))
	}
}
