package tlsnames_test

import (
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// What crypto/tls names, this package names alike.
func TestAsCryptoTLS(t *testing.T) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if got := tlsnames.SuiteName(s.ID); got != s.Name {
			t.Errorf("0x%04X: %s, crypto/tls: %s", s.ID, got, s.Name)
		}
		mine, _ := tlsnames.LookupSuite(s.ID)
		only12 := len(s.SupportedVersions) == 1 && s.SupportedVersions[0] == tls.VersionTLS12
		only13 := len(s.SupportedVersions) == 1 && s.SupportedVersions[0] == tls.VersionTLS13
		if mine.TLS12() != only12 || mine.TLS13() != only13 {
			t.Errorf("%s: TLS 1.2 %v, 1.3 %v; crypto/tls has it in %x", s.Name, mine.TLS12(), mine.TLS13(), s.SupportedVersions)
		}
	}
	for _, g := range []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521, tls.X25519, tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024} {
		name := strings.Replace(g.String(), "CurveP", "P-", 1)
		if got := tlsnames.GroupName(uint16(g)); got != name {
			t.Errorf("%d: %s, crypto/tls: %s", g, got, name)
		}
	}
}

// The numbers and both names agree with those of OpenSSL, for all that it speaks.
func TestAsOpenSSL(t *testing.T) {
	out, err := exec.Command("openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is missing; scripts/install-tools test installs it")
	}
	lines := regexp.MustCompile(`(?m)^\s*0x(..),0x(..) - (\S+)\s+- (\S+)`).FindAllStringSubmatch(string(out), -1)
	if len(lines) < 60 {
		t.Fatalf("only %d suites in\n%s", len(lines), out)
	}
	for _, m := range lines {
		id, err := strconv.ParseUint(m[1]+m[2], 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got := tlsnames.SuiteName(uint16(id)); got != m[3] {
			t.Errorf("0x%04X: %s, OpenSSL: %s", id, got, m[3])
		}
		for _, name := range m[3:] {
			if got, err := tlsnames.ParseSuite(name); err != nil || got != uint16(id) {
				t.Errorf("%s: 0x%04X, %v; want 0x%04X", name, got, err, id)
			}
		}
	}
}

// Each name leads to its number and back; no name stands for two.
func TestRoundTrip(t *testing.T) {
	seen := map[string]uint16{}
	last := -1
	for _, s := range tlsnames.Suites() {
		if int(s.ID) <= last {
			t.Errorf("%s: not in the order of the numbers", s.Name)
		}
		last = int(s.ID)
		for _, name := range []string{s.Name, s.OpenSSL, strings.ToLower(s.Name)} {
			if name == "" {
				continue
			}
			if other, twice := seen[name]; twice && other != s.ID {
				t.Errorf("%s stands for two", name)
			}
			seen[name] = s.ID
			if id, err := tlsnames.ParseSuite(name); err != nil || id != s.ID {
				t.Errorf("%s: 0x%04X, %v; want 0x%04X", name, id, err, s.ID)
			}
		}
	}
	for _, g := range tlsnames.Groups() {
		for _, name := range []string{g.Name, g.IANA, strings.ToUpper(g.Name)} {
			if id, err := tlsnames.ParseGroup(name); err != nil || id != g.ID {
				t.Errorf("%s: %d, %v; want %d", name, id, err, g.ID)
			}
		}
	}
	for _, id := range tlsnames.Schemes() {
		if got, err := tlsnames.ParseScheme(tlsnames.SchemeName(id)); err != nil || got != id {
			t.Errorf("0x%04X: 0x%04X, %v", id, got, err)
		}
	}
	for _, a := range tlsnames.Alerts() {
		if tlsnames.AlertName(a.Code) != a.Name || !strings.HasSuffix(tlsnames.AlertSentence(a.Code), ".") {
			t.Errorf("%+v", a)
		}
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]uint16{
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384": 0xC028,
		"ECDHE-RSA-AES256-SHA384":               0xC028,
		"0xc028":                                0xC028,
		"EDH-RSA-DES-CBC3-SHA":                  0x0016,
		"TLS_AES_128_GCM_SHA256":                0x1301,
	} {
		if got, err := tlsnames.ParseSuite(name); err != nil || got != want {
			t.Errorf("suite %s: 0x%04X, %v; want 0x%04X", name, got, err, want)
		}
	}
	for name, want := range map[string]uint16{"P-256": 23, "p-521": 25, "secp521r1": 25, "prime256v1": 23, "x25519": 29, "X25519MLKEM768": 4588, "0x11EC": 4588, "brainpoolP384r1": 27} {
		if got, err := tlsnames.ParseGroup(name); err != nil || got != want {
			t.Errorf("group %s: %d, %v; want %d", name, got, err, want)
		}
	}
	for name, want := range map[string]uint16{"TLS1.2": 0x303, "TLSv1.3": 0x304, "TLS 1.0": 0x301, "1.1": 0x302, "sslv3": 0x300, "TLSv1": 0x301} {
		if got, err := tlsnames.ParseVersion(name); err != nil || got != want {
			t.Errorf("version %s: %x, %v; want %x", name, got, err, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, name := range []string{"", "HIGH", "TLS_", "0x", "0xC02", "0xC0G8", "0xC0\x188", "-", strings.Repeat("A", 1000)} {
		for what, parse := range map[string]func(string) (uint16, error){
			"suite": tlsnames.ParseSuite, "group": tlsnames.ParseGroup, "version": tlsnames.ParseVersion, "scheme": tlsnames.ParseScheme,
		} {
			if id, err := parse(name); !errors.Is(err, tlsnames.ErrUnknown) {
				t.Errorf("%s %q: %x, %v", what, name, id, err)
			} else if len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
	}
	if got := tlsnames.SuiteName(0x0A0A) + tlsnames.GroupName(0x2A2A) + tlsnames.VersionName(0x7F1C) + tlsnames.SchemeName(1) + tlsnames.AlertName(200); got != "0x0A0A0x2A2A0x7F1C0x0001alert_200" {
		t.Error(got)
	}
}

// What a suite says of itself.
func TestSuite(t *testing.T) {
	for _, c := range []struct {
		name, kx, auth string
		fs, aead, t12  bool
	}{
		{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ECDHE_RSA", "RSA", true, false, true},
		{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE_ECDSA", "ECDSA", true, true, true},
		{"TLS_RSA_WITH_AES_128_CBC_SHA", "RSA", "RSA", false, false, false},
		{"TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "DHE_DSS", "DSS", true, false, false},
		{"TLS_ECDH_RSA_WITH_AES_128_CBC_SHA", "ECDH_RSA", "ECDSA", false, false, false},
		{"TLS_DH_anon_WITH_AES_128_CBC_SHA", "DH_anon", "", false, false, false},
		{"TLS_CHACHA20_POLY1305_SHA256", "", "", true, true, false},
		{"TLS_FALLBACK_SCSV", "", "", false, false, false},
	} {
		id, err := tlsnames.ParseSuite(c.name)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := tlsnames.LookupSuite(id)
		if s.KeyExchange() != c.kx || s.Authentication() != c.auth || s.ForwardSecret() != c.fs || s.AEAD() != c.aead || s.TLS12() != c.t12 {
			t.Errorf("%s: %q %q %v %v %v", c.name, s.KeyExchange(), s.Authentication(), s.ForwardSecret(), s.AEAD(), s.TLS12())
		}
	}
	if s, _ := tlsnames.LookupSuite(0x5600); !s.Signal() {
		t.Error("TLS_FALLBACK_SCSV passes for a suite")
	}
}

// What was handed out is the caller's.
func TestCopies(t *testing.T) {
	tlsnames.Suites()[0].Name, tlsnames.Groups()[0].Name, tlsnames.Alerts()[0].Name = "", "", ""
	if tlsnames.Suites()[0].Name == "" || tlsnames.Groups()[0].Name == "" || tlsnames.Alerts()[0].Name == "" {
		t.Error("a caller changed the table")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-SHA384", "0xC028", "P-256", "TLS 1.2", "rsa_pss_rsae_sha256", "0xC0\x188"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, c := range []struct {
			parse func(string) (uint16, error)
			name  func(uint16) string
		}{
			{tlsnames.ParseSuite, tlsnames.SuiteName}, {tlsnames.ParseGroup, tlsnames.GroupName},
			{tlsnames.ParseVersion, tlsnames.VersionName}, {tlsnames.ParseScheme, tlsnames.SchemeName},
		} {
			id, err := c.parse(name)
			if err != nil {
				if !errors.Is(err, tlsnames.ErrUnknown) {
					t.Fatal(err)
				}
				continue
			}
			if again, err := c.parse(c.name(id)); err != nil || again != id {
				t.Fatalf("%q is 0x%04X, whose name %q is 0x%04X, %v", name, id, c.name(id), again, err)
			}
		}
	})
}
