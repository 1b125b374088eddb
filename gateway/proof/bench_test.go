package proof_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/gateway/proof"
)

// What it costs that a message is in the record before it is submitted, and what became of it after: beside what the disk takes to sync a file of one page.
func BenchmarkBeginSettle(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			s := newStand(b)
			m := submission(b, "", message("eins", size))
			b.SetBytes(m.Content.Size())
			b.ReportAllocs()
			for i := range b.N {
				m.Key = fmt.Sprint(i)
				if _, err := s.Begin(context.Background(), m); err != nil {
					b.Fatal(err)
				}
				if err := s.Settle(context.Background(), m.Key, proof.Result{State: proof.Taken}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for range b.N {
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// A list reads what it shows, however large the record is.
func BenchmarkList(b *testing.B) {
	s := newStand(b)
	for i := range 500 {
		m := submission(b, fmt.Sprint(i), message("eins", 100))
		if _, err := s.Begin(context.Background(), m); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if page, err := s.List(context.Background(), proof.Filter{Limit: 50}); err != nil || len(page.Records) != 50 {
			b.Fatal(len(page.Records), err)
		}
	}
}
