package tlsrpt

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// BenchmarkNote is what a session pays for being counted, among a thousand domains.
func BenchmarkNote(b *testing.B) {
	c := NewCollector(func() time.Time { return noon })
	domains := make([]string, 1000)
	for i := range domains {
		domains[i] = fmt.Sprintf("d%d.example", i)
	}
	policy := sts("version: STSv1", "mode: enforce", "mx: mx.partner.example", "max_age: 86400")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Note(Outcome{Domain: domains[i%len(domains)], Policy: policy, MX: "mx.partner.example", ReceivingIP: netip.MustParseAddr("9.9.9.9")})
	}
}

// BenchmarkAdd is a write of a thousand domains.
func BenchmarkAdd(b *testing.B) {
	s, err := openStore(b.Context(), b.TempDir(), atrest.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	defer s.db.Close()
	c := NewCollector(func() time.Time { return noon })
	for b.Loop() {
		b.StopTimer()
		for i := range 1000 {
			c.Note(Outcome{Domain: fmt.Sprintf("d%d.example", i), Policy: sts("version: STSv1", "mode: enforce")})
		}
		counted := c.take()
		b.StartTimer()
		if _, err := s.add(b.Context(), counted, func(d Day) time.Time { return d.Start() }); err != nil {
			b.Fatal(err)
		}
	}
}
