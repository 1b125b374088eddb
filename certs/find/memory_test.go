package find_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/find"
)

// A directory in the hands of others does not fill the memory with what it has of many addresses.
func TestLargeAnswers(t *testing.T) {
	const size, questions = 1 << 20, 200
	s := &source{name: "large", reply: func(context.Context, string) ([]*x509.Certificate, error) {
		c := *world().carol // the answer of each is another one
		c.Raw = slices.Grow(slices.Clone(c.Raw), size)[:size]
		return []*x509.Certificate{&c}, nil
	}}
	f, err := find.New(find.Options{Own: &own{err: certs.ErrNotFound}, Sources: []find.Source{s}, Judge: certs.NewValidator(nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	for i := range questions {
		f.Recipient(t.Context(), fmt.Sprintf("bob%d@partner.example", i), world().old.NotBefore)
	}
	if more := int64(live()) - int64(before); more > 100<<20 {
		t.Errorf("%d answers of %d bytes take %d MB", questions, size, more>>20)
	}
	runtime.KeepAlive(f)
}
