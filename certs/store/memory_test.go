package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// crowd is a store with certificates of user0@firma.example and so on, all with one key, below an anchor. The last hundred have a key of ours.
func crowd(t testing.TB, n, cache int) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Key: atrest.NewKey(), Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ca, err := democa.NewCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	below, err := ca.Intermediate("Users", democa.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), Addition{Source: "import", Trust: Anchor, Certificates: []*x509.Certificate{below.Certificate()}}); err != nil {
		t.Fatal(err)
	}
	const chunk = 1000
	for from := 0; from < n; from += chunk {
		all := make([]*x509.Certificate, min(chunk, n-from))
		var wg sync.WaitGroup
		for part := range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := part; i < len(all); i += runtime.GOMAXPROCS(0) {
					id, err := below.Issue(user(from+i), democa.Options{Key: key})
					if err != nil {
						panic(err)
					}
					all[i] = id.Certificate
				}
			})
		}
		wg.Wait()
		if _, err := s.Add(t.Context(), Addition{Source: "import", Certificates: all}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func user(i int) string { return fmt.Sprintf("user%d@firma.example", i) }

// However many certificates are looked up, what is held in memory is bounded; everything is found nevertheless.
func TestMemoryIsBounded(t *testing.T) {
	const most, n = 256 << 10, 600
	s := crowd(t, n, most)
	peak := 0
	for round := range 2 {
		for i := range n {
			if _, err := s.Recipient(t.Context(), user(i), time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Recipient(t.Context(), fmt.Sprintf("nobody%d.%d@firma.example", round, i), time.Now()); err != certs.ErrNotFound {
				t.Fatal(err)
			}
			peak = max(peak, s.cache.size)
		}
	}
	size, count := 0, 0
	for _, e := range s.cache.items {
		size, count = size+e.Value.(*cached).size, count+1
	}
	if peak > most || peak < most/2 || size != s.cache.size || count != s.cache.order.Len() || count > n/2 {
		t.Errorf("%d bytes at most, %d now of %d counted, in %d entries", peak, s.cache.size, size, count)
	}
}

// What the cache says that it holds is about what it takes of the heap.
func TestMemoryIsCounted(t *testing.T) {
	const n = 600
	s := crowd(t, n, 64<<20)
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	for i := range n {
		if _, err := s.Recipient(t.Context(), user(i), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if grown := heap() - before; grown > 2*s.cache.size {
		t.Errorf("the heap grew by %d for %d bytes", grown, s.cache.size)
	} else {
		t.Logf("the heap grew by %d for %d bytes", grown, s.cache.size)
	}
	runtime.KeepAlive(s)
}

// BenchmarkFind looks for the certificate to encrypt to, of 100,000: one that was looked for before, any of them, one that is not
// there; beside the same row read by SQLite alone, and a map in memory.
func BenchmarkFind(b *testing.B) {
	const n, warm = 100_000, 100
	s := crowd(b, n, 0)
	now := time.Now()
	find := func(b *testing.B, of int) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Recipient(b.Context(), user(i*7919%of), now); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := range warm { // once, so that they are warm
		s.Recipient(b.Context(), user(i), now)
		s.Recipient(b.Context(), fmt.Sprintf("nobody%d@firma.example", i), now)
	}
	b.Run("warm", func(b *testing.B) { find(b, warm) })
	b.Run("any", func(b *testing.B) { find(b, n) })
	b.Run("unknown", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := s.Recipient(b.Context(), fmt.Sprintf("nobody%d@firma.example", i%warm), now); err != certs.ErrNotFound {
				b.Fatal(err)
			}
		}
	})
	b.Run("sqlite", func(b *testing.B) {
		var hashes [][]byte
		for i := range warm {
			hashes = append(hashes, s.addressHash(user(i)))
		}
		for i := 0; b.Loop(); i++ {
			var r row
			if err := r.scan(s.db.read.QueryRowContext(b.Context(), columns+namedQuery, hashes[i*7919%warm], 1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		m := map[string]int{}
		for i := range n {
			m[user(i)] = i
		}
		for i := 0; b.Loop(); i++ {
			if _, ok := m[certs.AddressKey(user(i*7919%warm))]; !ok {
				b.Fatal("not there")
			}
		}
	})
}
