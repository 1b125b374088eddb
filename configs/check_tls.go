package configs

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// tls makes the profiles, and says what of them cannot be held. It comes before all that refers to a profile.
func (k *checker) tls() {
	t := &k.Config.TLS
	t.resolved, t.remarked = map[string]tlspolicy.Profile{}, map[string]bool{}
	for _, name := range tlspolicy.Builtins() {
		t.resolved[name], _ = tlspolicy.Builtin(name)
	}
	unique := k.unique("profiles")
	waiting := map[int]bool{}
	for i := range t.Profiles {
		p := &t.Profiles[i]
		dotted := entryKey("tls.profiles", p.Name, i)
		if why := badName(p.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(p.Name, dotted)
		if _, builtin := tlspolicy.Builtin(p.Name); builtin {
			k.fail(dotted+".name", "this is the name of a built-in profile; choose another, and inherit from it")
			continue
		}
		waiting[i] = true
	}
	k.inherit(waiting)
	if p := k.profile("tls.default", t.Default); p.Engine() == tlspolicy.UTLS {
		k.fail("tls.default", "the cipher suites of the profile %s are spoken by utls: no listener, directory or web server could be spoken with; name it where it is needed", shorten(p.Name))
	}
}

// inherit makes the profiles that wait for nothing, until those are left that go round in a circle or hang from nothing.
func (k *checker) inherit(waiting map[int]bool) {
	t := &k.Config.TLS
	for progress := true; progress; {
		progress = false
		for i := range t.Profiles {
			base, known := t.resolved[strings.ToLower(t.Profiles[i].Inherit)]
			if !waiting[i] || !known {
				continue
			}
			delete(waiting, i)
			progress = true
			k.tlsProfile(&t.Profiles[i], base, entryKey("tls.profiles", t.Profiles[i].Name, i))
		}
	}
	for i := range t.Profiles {
		if !waiting[i] {
			continue
		}
		p := &t.Profiles[i]
		dotted := entryKey("tls.profiles", p.Name, i)
		k.broken[dotted] = k.broken[dotted] || k.broken[dotted+".inherit"]
		named := func(other TLSProfile) bool { return strings.EqualFold(other.Name, p.Inherit) }
		if slices.ContainsFunc(t.Profiles, named) {
			k.fail(dotted+".inherit", "this goes round in a circle, or hangs from a profile with an error; begin with a built-in profile")
		} else {
			k.fail(dotted+".inherit", "there is no profile %s%s", shorten(p.Inherit), didYouMean(p.Inherit, k.profileNames()))
		}
	}
}

// profileNames lists all that can be referred to.
func (k *checker) profileNames() []string {
	names := tlspolicy.Builtins()
	for _, p := range k.Config.TLS.Profiles {
		names = append(names, p.Name)
	}
	return names
}

// tlsProfile makes a profile from the one it inherits from.
func (k *checker) tlsProfile(c *TLSProfile, p tlspolicy.Profile, dotted string) {
	p.Name = c.Name
	fine := k.tlsVersions(c, &p, dotted+".versions")
	var bad bool
	if c.Suites != nil {
		p.Suites, bad = parsed(k, dotted+".suites", c.Suites, tlsnames.ParseSuite, suiteNames())
		fine = fine && !bad
	}
	if c.Groups != nil {
		var groups []uint16
		groups, bad = parsed(k, dotted+".groups", c.Groups, tlsnames.ParseGroup, groupNames())
		fine = fine && !bad
		p.Groups = nil
		for _, g := range groups {
			p.Groups = append(p.Groups, tls.CurveID(g))
		}
	}
	if c.Versions != nil {
		p = narrowed(p, c.Suites == nil, c.Groups == nil)
	}
	if c.MinRSA > 0 {
		p.MinRSA = c.MinRSA
	}
	if c.MinEC > 0 {
		p.MinEC = c.MinEC
	}
	p.Resumption = c.Resumption.Or(p.Resumption)
	switch c.ClientCertificate {
	case "required":
		p.ClientCertificate = tlspolicy.ClientRequired
	case "optional":
		p.ClientCertificate = tlspolicy.ClientOptional
	}
	k.Config.TLS.resolved[strings.ToLower(c.Name)] = p
	if !fine {
		return
	}
	for _, f := range p.Judge() {
		at := dotted
		if given := map[string]bool{"versions": c.Versions != nil, "suites": c.Suites != nil, "groups": c.Groups != nil}; given[f.Part] {
			at += "." + f.Part
		}
		if f.Broken {
			k.fail(at, "%s", f.Text)
		} else {
			k.warn(at, "%s", f.Text)
		}
	}
}

// narrowed is a profile without those of its inherited suites and groups that are of versions which it does not have.
func narrowed(p tlspolicy.Profile, suites, groups bool) tlspolicy.Profile {
	if suites {
		p.Suites = slices.DeleteFunc(slices.Clone(p.Suites), func(id uint16) bool { return !p.Allows(id) })
	}
	if groups && p.MaxVersion < tls.VersionTLS13 {
		p.Groups = slices.DeleteFunc(slices.Clone(p.Groups), func(id tls.CurveID) bool {
			g, _ := tlsnames.LookupGroup(uint16(id))
			return g.TLS13
		})
	}
	return p
}

// tlsVersions reads the versions, which must be a range.
func (k *checker) tlsVersions(c *TLSProfile, p *tlspolicy.Profile, dotted string) (fine bool) {
	if c.Versions == nil {
		return true
	}
	versions, bad := parsed(k, dotted, c.Versions, tlsnames.ParseVersion, []string{"TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"})
	if bad || len(versions) == 0 {
		if !bad {
			k.fail(dotted, "list a version, as in [TLS1.2, TLS1.3]")
		}
		return false
	}
	p.MinVersion, p.MaxVersion = slices.Min(versions), slices.Max(versions)
	if p.MinVersion < tlsnames.TLS10 {
		k.fail(dotted, "SSL is not spoken, by this program as by any that is sound; begin with TLS1.2")
		return false
	}
	for v := p.MinVersion; v <= p.MaxVersion; v++ {
		if !slices.Contains(versions, v) {
			k.fail(dotted, "%s is missing between the others: versions are negotiated as a range", tlsnames.VersionName(v))
			return false
		}
	}
	return true
}

// parsed reads a list of names.
func parsed(k *checker, dotted string, names []string, parse func(string) (uint16, error), known []string) (ids []uint16, bad bool) {
	for i, name := range names {
		id, err := parse(strings.TrimSpace(name))
		if err != nil {
			k.failMember(dotted, i, "nothing in TLS has the name %s%s", shorten(name), didYouMean(name, known))
			bad = true
			continue
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, bad
}

// profile returns the profile that a key names, or the default one; where there is none, that is an error at the key, and the zero profile
// stands for it, with which no handshake succeeds.
func (k *checker) profile(dotted, name string) tlspolicy.Profile {
	p, ok := k.Config.TLS.Profile(name)
	named := func(c TLSProfile) bool { return strings.EqualFold(c.Name, name) } // its own error is said there
	if !ok && name != "" && !slices.ContainsFunc(k.Config.TLS.Profiles, named) {
		k.fail(dotted, "there is no profile %s%s", shorten(name), didYouMean(name, k.profileNames()))
	}
	if name != "" {
		k.remarks(dotted, p)
	}
	return p
}

// remarks says at its first use what of a built-in profile cannot be held.
func (k *checker) remarks(dotted string, p tlspolicy.Profile) {
	if _, builtin := tlspolicy.Builtin(p.Name); !builtin || k.Config.TLS.remarked[p.Name] {
		return
	}
	k.Config.TLS.remarked[p.Name] = true
	for _, f := range p.Judge() {
		k.warn(dotted, "%s: %s", p.Name, f.Text)
	}
}

// suiteNames are those of the suites that this build speaks, for who misspells one.
func suiteNames() []string {
	var names []string
	for _, id := range tlspolicy.Speaks() {
		s, _ := tlsnames.LookupSuite(id)
		names = append(names, s.Name)
		if s.OpenSSL != "" && s.OpenSSL != s.Name {
			names = append(names, s.OpenSSL)
		}
	}
	return names
}

func groupNames() []string {
	var names []string
	for _, g := range tlsnames.Groups() {
		names = append(names, g.Name)
	}
	return names
}

// clientPolicy is profile for a connection whose handshake a library makes: crypto/tls alone speaks there. shows is set where the gateway has
// a certificate to show.
func (k *checker) clientPolicy(dotted, name string, shows bool) tlspolicy.Profile {
	p := k.profile(dotted, name)
	switch {
	case p.Name == "":
	case p.Engine() == tlspolicy.UTLS:
		k.fail(dotted, "the cipher suites of the profile %s are spoken by utls, which routes and De-Mail have and this connection has not; name another profile", shorten(p.Name))
	case p.ClientCertificate == tlspolicy.ClientRequired && !shows:
		k.fail(dotted, "the profile %s wants a client certificate to be shown, and there is none; give one, or name another profile", shorten(p.Name))
	case p.ClientCertificate == tlspolicy.ClientRequired:
		k.warn(dotted, "whether the server asks for the client certificate cannot be told on this connection; that it is there is all that is checked")
	}
	return p
}
