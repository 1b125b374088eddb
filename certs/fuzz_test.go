package certs_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/pathtest"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// someCases are one case of each kind, for the beginning of a search.
var someCases = sync.OnceValue(func() (some []pathtest.Case) {
	for i, c := range pathtest.Cases() {
		if i%17 == 0 {
			some = append(some, c)
		}
	}
	return some
})

// FuzzValidate alters a chain in one place: whatever comes of it is judged in bounded time and said in fit words, and an altered
// certificate is never valid.
func FuzzValidate(f *testing.F) {
	for i := range someCases() {
		f.Add(uint16(i), uint8(i), uint16(40*i), byte(0x10))
	}
	f.Fuzz(func(t *testing.T, which uint16, whom uint8, place uint16, change byte) {
		c := someCases()[int(which)%len(someCases())]
		all := slices.Concat([]*x509.Certificate{c.Leaf}, c.Untrusted)
		i := int(whom) % len(all)
		der := slices.Clone(all[i].Raw)
		der[int(place)%len(der)] ^= change
		altered, err := x509x.ParseCertificate(der)
		if err != nil {
			return
		}
		all[i] = altered
		start := processorTime(t)
		r := certs.NewValidator(c.Anchors, nil).WithPolicies(c.Policies).Validate(t.Context(), all[0], all[1:], c.Purpose, "", c.At)
		if d := processorTime(t) - start; d > 20*time.Second {
			t.Errorf("it took %v", d)
		}
		if change != 0 && r.Valid() && slices.ContainsFunc(r.Chain[:len(r.Chain)-1], altered.Equal) {
			t.Errorf("%s: certificate %d may be altered at %d", c.Name, i, int(place)%len(der))
		}
		for _, text := range r.Reasons {
			if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("unfit to print: %q", text)
			}
		}
	})
}

// processorTime is what this process has computed so far: how busy the machine is with other things is not measured.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
