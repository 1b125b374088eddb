package configs

import (
	"crypto/tls"
	"slices"
)

// listenerTLS reads the certificates of a listener, and holds them against its profile.
func (k *checker) listenerTLS(l *Listener, dotted string) {
	t := &l.TLS
	t.policy = k.profile(dotted+".profile", t.Profile)
	some := t.Certificate != "" || len(t.Certificates) > 0
	switch {
	case t.Mode == TLSNone && some:
		k.warn(dotted+".mode", "the certificate is not used with mode none; write starttls or implicit")
	case t.Mode == TLSNone && t.Required && l.Role != RoleSubmission:
		k.fail(dotted+".required", "TLS cannot be required with mode none; give a certificate and its key")
	case t.Mode != TLSNone && !some && !k.broken[dotted+".certificate"] && !k.broken[dotted+".certificates"]:
		k.fail(dotted+".certificate", "%s needs a certificate; give certificate and key", t.Mode)
	}
	if t.Certificate == "" && t.Key != "" {
		k.fail(dotted+".certificate", "there is a key but no certificate; give both")
	}
	t.pairs = nil
	if t.Certificate != "" {
		k.listenerPair(l, t.Certificate, t.Key, dotted+".")
	}
	for i, c := range t.Certificates {
		k.listenerPair(l, c.Certificate, c.Key, entryKey(dotted+".certificates", "", i)+".")
	}
	k.names(l, dotted)
	if t.Mode != TLSNone && len(t.pairs) > 0 && t.policy.Name != "" {
		k.listenerPolicy(t, dotted)
	}
}

// listenerPair loads one certificate of a listener, whose keys in the configuration begin with prefix.
func (k *checker) listenerPair(l *Listener, certificate, key Path, prefix string) {
	pair := k.pair(certificate, key, prefix)
	if pair == nil {
		return
	}
	k.validity(pair.Leaf, prefix+"certificate")
	if why := l.TLS.policy.KeyTooSmall(pair.Leaf); why != "" && l.TLS.Mode != TLSNone && l.TLS.policy.Name != "" {
		k.fail(prefix+"certificate", "this certificate has %s (profile %s)", why, shorten(l.TLS.policy.Name))
	}
	l.TLS.pairs = append(l.TLS.pairs, ListenerPair{*pair, certificate.String(), key.String()})
}

// names warns of a listener for the internet none of whose certificates bears the name of the gateway.
func (k *checker) names(l *Listener, dotted string) {
	bears := func(p ListenerPair) bool { return p.Leaf.VerifyHostname(k.Hostname) == nil }
	if l.Role != RoleExternal || k.Hostname == "" || len(l.TLS.pairs) == 0 || slices.ContainsFunc(l.TLS.pairs, bears) {
		return
	}
	at := dotted + ".certificate"
	if l.TLS.Certificate == "" {
		at = dotted + ".certificates"
	}
	k.warn(at, "this certificate does not name %s; servers that look will not believe it", shorten(k.Hostname))
}

// listenerPolicy holds that the profile can be spoken on the listener, with its certificates.
func (k *checker) listenerPolicy(t *ListenerTLS, dotted string) {
	var all []tls.Certificate
	for _, p := range t.pairs {
		all = append(all, p.Certificate)
	}
	for _, f := range t.policy.JudgeListener(all) {
		if f.Broken {
			k.fail(dotted+"."+f.Part, "%s", f.Text)
		} else {
			k.warn(dotted+"."+f.Part, "%s", f.Text)
		}
	}
}
