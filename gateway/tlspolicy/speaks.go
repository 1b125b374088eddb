package tlspolicy

import (
	"crypto/tls"
	"slices"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/legacy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// SpeaksSuite returns what speaks a cipher suite here; empty: nothing does. Broken suites that crypto/tls still knows (RC4, 3DES) are
// among them: a profile must name them.
func SpeaksSuite(id uint16) Engine {
	switch {
	case speaksCryptoTLS(id):
		return CryptoTLS
	case speaksUTLS(id):
		return UTLS
	}
	return ""
}

func speaksCryptoTLS(id uint16) bool {
	is := func(s *tls.CipherSuite) bool { return s.ID == id }
	return slices.ContainsFunc(tls.CipherSuites(), is) || slices.ContainsFunc(tls.InsecureCipherSuites(), is)
}

func speaksUTLS(id uint16) bool { return slices.Contains(legacy.Suites(), id) }

// Speaks lists the cipher suites that this build speaks, in the order of their numbers.
func Speaks() []uint16 {
	var all []uint16
	for _, s := range tlsnames.Suites() {
		if SpeaksSuite(s.ID) != "" {
			all = append(all, s.ID)
		}
	}
	return all
}

// SpeaksGroups lists the groups that crypto/tls speaks, in its order of preference, which no configuration changes.
func SpeaksGroups() []tls.CurveID {
	return []tls.CurveID{
		tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
	}
}

// SpeaksGroup reports whether crypto/tls speaks a group.
func SpeaksGroup(g tls.CurveID) bool { return slices.Contains(SpeaksGroups(), g) }
