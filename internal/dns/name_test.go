package dns_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/dns"
)

func TestName(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	long := strings.Join([]string{label63, label63, label63, strings.Repeat("a", 61)}, ".") // 253 octets
	for in, want := range map[string]string{
		"Firma.Example":         "firma.example",
		"firma.example.":        "firma.example",
		"bücher.example":        "xn--bcher-kva.example",
		"BÜCHER.EXAMPLE":        "xn--bcher-kva.example",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
		"straße.example":        "xn--strae-oqa.example", // IDNA 2008, not strasse
		"bücher。example":        "xn--bcher-kva.example",
		"_dmarc.bücher.example": "_dmarc.xn--bcher-kva.example",
		"_25._tcp.mx.example":   "_25._tcp.mx.example",
		"1.example":             "1.example",
		"localhost":             "localhost",
		label63 + ".example":    label63 + ".example",
		long:                    long,
		long + ".":              long,
	} {
		if got, err := dns.Name(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "..", "a..b", ".a", "a b.example", "a\x00.example", "a\\.example", "*.example", "-a.example", "a-.example",
		"192.0.2.1", "192.0.2.1.", "2130706433", "::1", "[192.0.2.1]", "a@b.example", "a.example\n", label63 + "a.example",
		long + "a", "\xff.example", "xn--\u00fc.example", "a\u202eb.example", "\u212a\u00a0.example", strings.Repeat("ü.", 2000),
	} {
		if got, err := dns.Name(in); !errors.Is(err, dns.ErrName) || got != "" {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// What comes out is ASCII that reads as itself, and short enough to be asked for.
func FuzzName(f *testing.F) {
	for _, s := range []string{"firma.example", "bücher.example.", "_dmarc.x", "a。b", "192.0.2.1", strings.Repeat("ü", 70), "İ.example", "\u212a.de"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := dns.Name(s)
		if err != nil {
			if !errors.Is(err, dns.ErrName) || name != "" {
				t.Errorf("%q: %q, %v", s, name, err)
			}
			return
		}
		if again, err := dns.Name(name); err != nil || again != name {
			t.Errorf("%q -> %q -> %q, %v", s, name, again, err)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || len(name) > dns.MaxName || name == "" {
			t.Errorf("%q -> %q", s, name)
		}
	})
}

func ExampleName() {
	name, _ := dns.Name("Bücher.Example.")
	fmt.Println(name)
	_, err := dns.Name("192.0.2.1")
	fmt.Println(err)
	// Output:
	// xn--bcher-kva.example
	// not a domain name: "192.0.2.1" ends in a number
}
