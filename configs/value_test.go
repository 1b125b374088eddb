package configs

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	good := map[string]Size{
		"0": 0, "17": 17, "17 B": 17, "1kB": 1000, "1 KB": 1000, "1 KiB": 1024, "50 MB": 50_000_000,
		"50mb": 50_000_000, "48 MiB": 48 << 20, "1 GB": 1e9, "2 GiB": 2 << 30,
	}
	for text, want := range good {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "+1", "1.5 MB", "1 MBit", "50 megabytes", "9223372036854775808", "9999999999 GiB", " 1"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "5d": 120 * time.Hour,
		"250ms": 250 * time.Millisecond, "1d1h1m1s1ms": 25*time.Hour + time.Minute + time.Second + time.Millisecond,
	}
	for text, want := range good {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "m", "-5m", "5 m", "1y", "1.5h", "9999999999s", "999999999d", "5M", "5m "} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

// TestFormats holds that what is shown can be read again and is the same.
func TestFormats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := Size(rapid.Int64Range(0, math.MaxInt64).Draw(t, "size"))
		if got, err := ParseSize(size.String()); err != nil || got != size {
			t.Fatalf("%d shows as %q, which reads as %d, %v", size, size, got, err)
		}
		d := time.Duration(rapid.Int64Range(0, int64(1000*24*time.Hour/time.Millisecond)).Draw(t, "ms")) * time.Millisecond
		if got, err := ParseDuration(FormatDuration(d)); err != nil || got != d {
			t.Fatalf("%v shows as %q, which reads as %v, %v", d, FormatDuration(d), got, err)
		}
	})
}

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.5": "10.0.0.5/32", "10.0.0.0/24": "10.0.0.0/24", "2001:db8::25": "2001:db8::25/128",
		"2001:db8::/64": "2001:db8::/64", "::ffff:10.0.0.5": "10.0.0.5/32",
	} {
		if got, err := parseNetwork(text); err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("parseNetwork(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10.0.0.1/24", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "exchange", "10.0.0"} {
		if got, err := parseNetwork(text); err == nil {
			t.Errorf("parseNetwork(%q) = %v, want an error", text, got)
		}
	}
}

func TestParsePattern(t *testing.T) {
	inside, deep, outside := mail.Address{Local: "a", Domain: "firma.example"}, mail.Address{Local: "a", Domain: "x.firma.example"}, mail.Address{Local: "a", Domain: "b.example"}
	for _, c := range []struct {
		text                  string
		inside, deep, outside bool
	}{
		{"firma.example", true, false, false},
		{"@Firma.Example", true, false, false},
		{"*.firma.example", false, true, false},
		{"@*.firma.example", false, true, false},
		{"*", true, true, true},
		{"a@firma.example", true, false, false},
		{"<>", false, false, false},
	} {
		p, err := parsePattern(c.text, false)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if p.Match(inside) != c.inside || p.Match(deep) != c.deep || p.Match(outside) != c.outside {
			t.Errorf("%s matches %v %v %v", c.text, p.Match(inside), p.Match(deep), p.Match(outside))
		}
	}
	for _, text := range []string{"", "a@firma.example", "<>", "a@*.firma.example"} {
		if p, err := parsePattern(text, true); err == nil {
			t.Errorf("%q is taken as the domain %v", text, p)
		}
	}
}

func TestNearestWord(t *testing.T) {
	words := []string{"hostname", "domains", "listeners", "to", "from", "tls"}
	for text, want := range map[string]string{
		"hostnmae": "hostname", "HOSTNAME": "hostname", "domain": "domains", "listner": "listeners", "form": "from",
		"tsl": "tls", "colour": "", "": "", strings.Repeat("x", 100): "",
	} {
		if got := nearestWord(text, words); got != want {
			t.Errorf("nearestWord(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestDistance compares the distance with its plain recursive definition.
func TestDistance(t *testing.T) {
	var plain func(a, b string) int
	plain = func(a, b string) int {
		if a == "" || b == "" {
			return len(a) + len(b)
		}
		cost := 1
		if a[len(a)-1] == b[len(b)-1] {
			cost = 0
		}
		cutA, cutB := a[:len(a)-1], b[:len(b)-1]
		best := min(plain(cutA, b)+1, plain(a, cutB)+1, plain(cutA, cutB)+cost)
		if len(a) > 1 && len(b) > 1 && a[len(a)-1] == b[len(b)-2] && a[len(a)-2] == b[len(b)-1] {
			best = min(best, plain(a[:len(a)-2], b[:len(b)-2])+1)
		}
		return best
	}
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := distance(a, b, 100), plain(a, b); got != want {
			t.Fatalf("distance(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

func TestHasCapability(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tsiegel\nCapEff:\t0000000000000400\n": true,
		"Name:\tsiegel\nCapEff:\t0000000000000000\n": false,
		"CapEff:\t000001ffffffffff\nX: 1\n":          true,
		"CapEff:\tnone\n":                            true, // not known
		"":                                           true,
	} {
		if got := hasCapability(status, capNetBindService); got != want {
			t.Errorf("hasCapability(%q) = %v", status, got)
		}
	}
	if !processCanBind(0) || !processCanBind(60000) {
		t.Error("this process may open high ports")
	}
}
