package tlspolicy

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/legacy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// Finding is what an administrator should know of a profile.
type Finding struct {
	// Broken is set where no connection can come about, or where the profile contradicts itself.
	Broken bool
	// Part is what it is about: versions, suites, groups.
	Part string
	Text string // with what follows from it
}

// Judge says what of a profile cannot be held, and what follows.
func (p Profile) Judge() []Finding {
	var all []Finding
	for _, judge := range []func() []Finding{p.judgeVersions, p.judgeSuites, p.judgeTLS13, p.judgeGroups} {
		all = append(all, judge()...)
	}
	return all
}

// judgeVersions holds that each version has a suite.
func (p Profile) judgeVersions() []Finding {
	var all []Finding
	for _, v := range p.Versions() {
		if !slices.ContainsFunc(p.Suites, func(id uint16) bool { return fits(id, v) }) {
			all = append(all, Finding{true, "versions", "there is no cipher suite for " + tlsnames.VersionName(v) + "; list one, or leave that version out"})
		}
		if v < tls.VersionTLS12 {
			all = append(all, Finding{false, "versions", tlsnames.VersionName(v) + " is broken (RFC 8996); whoever stands on the way may read or change what goes over it"})
		}
	}
	return all
}

func (p Profile) judgeSuites() []Finding {
	var all []Finding
	engine := p.Engine()
	if engine == "" {
		return []Finding{{true, "suites", "this build speaks none of these cipher suites in these versions; siegel tls list shows what it speaks"}}
	}
	var silent []string
	for _, id := range p.Suites {
		name := tlsnames.SuiteName(id)
		s, _ := tlsnames.LookupSuite(id)
		speaks := SpeaksSuite(id)
		switch {
		case s.Signal() || s.Name == "":
			all = append(all, Finding{true, "suites", name + " is no cipher suite; remove it"})
		case !p.Allows(id):
			all = append(all, Finding{true, "suites", name + " is not in any version of the profile; remove it, or add the version"})
		case speaks == "":
			silent = append(silent, name)
		case speaks == UTLS && engine == CryptoTLS:
			all = append(all, Finding{false, "suites", name + " is spoken only for a profile that has no suite of crypto/tls: here it is not offered; a partner that has nothing else needs a profile of its own with it alone"})
		case speaks == UTLS:
			all = append(all, Finding{false, "suites", name + " is spoken by utls, and only to others, not on listeners: without Encrypt-then-MAC, and not in constant time; use this profile for the one partner that needs it"})
		case broken(id):
			all = append(all, Finding{false, "suites", name + " is broken, or gives away all connections with the server's key; use it for partners that have nothing else"})
		}
	}
	return append(all, notSpoken("suites", silent)...)
}

// notSpoken says what follows for names of which this build knows no more than the name.
func notSpoken(part string, names []string) []Finding {
	switch len(names) {
	case 0:
		return nil
	case 1:
		return []Finding{{false, part, names[0] + " is not spoken by this build: it is never offered, and a partner that has nothing else cannot be reached"}}
	}
	last := len(names) - 1
	return []Finding{{false, part, strings.Join(names[:last], ", ") + " and " + names[last] +
		" are not spoken by this build: they are never offered, and a partner that has nothing else cannot be reached"}}
}

// broken reports whether crypto/tls holds a suite for insecure, but those with AES in CBC, which it does for its own sake.
func broken(id uint16) bool {
	name := tlsnames.SuiteName(id)
	return slices.ContainsFunc(tls.InsecureCipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id }) &&
		!(strings.HasPrefix(name, "TLS_ECDHE_") && strings.Contains(name, "_AES_"))
}

// judgeTLS13 says what crypto/tls offers whatever the profile says.
func (p Profile) judgeTLS13() []Finding {
	if p.allowsAll13() || p.Engine() != CryptoTLS || len(p.offered(func(id uint16) bool { return speaksCryptoTLS(id) && fits(id, tls.VersionTLS13) })) == 0 {
		return nil
	}
	var missing []string
	for _, id := range suites(tls13Suites) {
		if !p.Allows(id) {
			missing = append(missing, tlsnames.SuiteName(id))
		}
	}
	text := "crypto/tls offers all its cipher suites of TLS1.3, " + strings.Join(missing, " and ") + " too: "
	if p.leavesOut13() {
		text += "since the first that it offers is among these, servers are connected to by TLS1.2"
	} else {
		text += "a server that chooses it is refused after the handshake"
	}
	return []Finding{{false, "suites", text + "; with clients that prefer it TLS1.2 is spoken where the profile has it"}}
}

func (p Profile) judgeGroups() []Finding {
	var all []Finding
	speaks, engine := SpeaksGroup, p.Engine()
	if engine == UTLS {
		speaks = func(g tls.CurveID) bool { return slices.Contains(legacy.Groups(), g) }
	}
	left, silent := 0, []string(nil)
	for _, id := range p.Groups {
		g, _ := tlsnames.LookupGroup(uint16(id))
		name := tlsnames.GroupName(uint16(id))
		switch {
		case !speaks(id):
			silent = append(silent, name)
		case g.TLS13 && p.MaxVersion < tls.VersionTLS13:
			all = append(all, Finding{false, "groups", name + " is of TLS1.3, which the profile does not have; remove it"})
		default:
			left++
		}
	}
	all = append(all, notSpoken("groups", silent)...)
	if left == 0 && slices.ContainsFunc(p.offered(func(id uint16) bool { return SpeaksSuite(id) == engine }), needsGroup) {
		all = append(all, Finding{true, "groups", "this build speaks none of these groups in these versions; siegel tls list shows what it speaks"})
	}
	return all
}

// needsGroup reports whether a suite agrees on its key by a group.
func needsGroup(id uint16) bool {
	s, _ := tlsnames.LookupSuite(id)
	return s.TLS13() || strings.HasPrefix(s.KeyExchange(), "ECDHE")
}

// JudgeListener says what of a profile a listener with these certificates cannot hold, besides the size of their keys (KeyTooSmall).
func (p Profile) JudgeListener(certificates []tls.Certificate) []Finding {
	if p.Engine() == UTLS {
		return []Finding{{true, "profile", "the cipher suites of the profile " + p.Name + " are spoken by utls, and that only to others; give the listener another profile"}}
	}
	kinds, all13 := p.authentications()
	switch {
	case len(kinds) == 0 || serves(kinds, certificates):
		return nil
	case all13:
		return []Finding{{false, "certificate", "the profile " + p.Name + " has cipher suites of TLS1.2 for certificates with " + strings.Join(kinds, " or ") +
			" keys only, and this one has another: TLS1.3 alone is spoken here"}}
	}
	return []Finding{{true, "certificate", "the profile " + p.Name + " has cipher suites for certificates with " + strings.Join(kinds, " or ") +
		" keys only, and this one has another; every handshake would fail"}}
}

// authentications lists the kinds of keys for which the profile has suites before TLS 1.3, and whether it has some of TLS 1.3, which go with all.
func (p Profile) authentications() (kinds []string, all13 bool) {
	for _, id := range p.offered(speaksCryptoTLS) {
		s, _ := tlsnames.LookupSuite(id)
		switch kind := s.Authentication(); {
		case s.TLS13():
			all13 = true
		case !slices.Contains(kinds, kind):
			kinds = append(kinds, kind)
		}
	}
	return kinds, all13
}

// serves reports whether one of the certificates, if there are any that could be read, has a key of one of the kinds.
func serves(kinds []string, certificates []tls.Certificate) bool {
	known := false
	for _, c := range certificates {
		if c.Leaf == nil {
			continue
		}
		known = true
		kind := c.Leaf.PublicKeyAlgorithm.String() // RSA, ECDSA, Ed25519, which goes with ECDSA suites (RFC 8422, 2.1)
		if slices.Contains(kinds, kind) || kind == "Ed25519" && slices.Contains(kinds, "ECDSA") {
			return true
		}
	}
	return !known
}
