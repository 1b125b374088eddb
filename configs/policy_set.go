package configs

import (
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// Set returns the rules and levels as package policy has them.
func (p Policy) Set() policy.Config {
	s := policy.Config{Company: p.Default.settings(p.Algorithm), Senders: entries(p.Senders), Recipients: entries(p.Recipients)}
	for _, r := range p.Rules {
		s.Rules = append(s.Rules, r.rule())
	}
	return s
}

func (r Rule) rule() policy.Rule {
	out := policy.Rule{
		Name: r.Name, Direction: r.Direction, From: r.From, Groups: r.FromGroups, To: r.To, ToGroups: r.ToGroups, Kinds: r.Kinds,
		Listeners: r.Listener, Subject: policy.Field{Contains: r.SubjectContains, Matches: r.SubjectMatches},
		SizeOver: int64(r.SizeOver), SizeUnder: int64(r.SizeUnder), ContentTypes: r.ContentTypes, Flags: r.Flags, Labels: r.Labels,
		DryRun: r.DryRun, Settings: settingsOf(r.Protection, r.Handling),
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, policy.Field{Name: h.Name, Contains: h.Contains, Matches: h.Matches})
	}
	out.Quarantine, out.Where, out.Lines = r.Quarantine, r.where, r.lines
	return out
}

func entries(levels []PolicyLevel) []policy.Entry {
	var out []policy.Entry
	for _, l := range levels {
		e := policy.Entry{For: l.For, Groups: l.Groups, Settings: settingsOf(l.Protection, l.Handling)}
		e.Where, e.Lines = l.where, l.lines
		out = append(out, e)
	}
	return out
}

// settings are those of the company.
func (d PolicyDefault) settings(a Algorithm) policy.Settings {
	s := settingsOf(Protection{
		Sign: d.Sign, Encrypt: d.Encrypt, Profile: d.Profile, Algorithm: a, OAEP: d.OAEP, Signature: d.Signature, HeaderProtection: d.HeaderProtection,
		Subject: d.Subject, Form: d.Form, EncryptToSelf: d.EncryptToSelf, OnMissing: d.OnMissing,
	}, d.Handling)
	s.Where, s.Lines = d.where, d.lines
	return s
}

// settingsOf are the keys that rules and levels have in common.
func settingsOf(p Protection, h Handling) policy.Settings {
	s := policy.Settings{
		Sign: p.Sign, Encrypt: p.Encrypt, TLS: h.TLS, DeMail: h.DeMail, DeMailOptions: DeMailOptions(h.DeMailOptions), Decrypt: h.Decrypt.Answer(),
		OnInvalid: h.OnInvalid, OnUnsigned: h.OnUnsigned, OnUnopened: h.OnUnopened, MarkSubject: h.MarkSubject.Answer(),
		MaxSize: int64(h.MaxSize), Archive: h.Archive, Notify: h.Notify,
		Terms: policy.Terms{
			Profile: p.Profile,
			Wish: smime.Wish{
				Algorithm: p.Algorithm, OAEP: p.OAEP.Answer(), PSS: answer(p.Signature == SignPSS, p.Signature == SignPKCS1), Headers: p.HeaderProtection.Answer(),
				Obscure: answer(p.Subject == SubjectObscured, p.Subject == SubjectVisible),
			},
			Opaque: answer(p.Form == FormOpaque, p.Form == FormClear), ToSelf: p.EncryptToSelf.Answer(), Missing: p.OnMissing,
		},
	}
	for _, key := range h.Enforce {
		s.Enforce = append(s.Enforce, policy.Key(key))
	}
	return s
}

func answer(yes, no bool) smime.Answer {
	switch {
	case yes:
		return smime.Yes
	case no:
		return smime.No
	}
	return smime.NotSaid
}

// placePolicy notes where in the file each rule and level stands, and each of its keys.
func placePolicy(c *Config) {
	p := &c.Policy
	place := func(dotted string) (string, map[policy.Key]string) {
		lines := map[policy.Key]string{}
		for _, key := range policy.Keys() {
			if at, ok := c.origins[dotted+"."+string(key)]; ok && at != (Origin{}) {
				lines[key] = at.String()
			}
		}
		return nearest(c.origins, dotted).String(), lines
	}
	p.Default.where, p.Default.lines = place("policy.default")
	if at, ok := c.origins["policy.algorithm"]; ok && at != (Origin{}) {
		p.Default.lines[policy.KeyAlgorithm] = at.String()
	}
	for i := range p.Rules {
		p.Rules[i].where, p.Rules[i].lines = place(entryKey("policy.rules", p.Rules[i].Name, i))
	}
	for _, list := range []struct {
		name   string
		levels []PolicyLevel
	}{{"policy.senders", p.Senders}, {"policy.recipients", p.Recipients}} {
		for i := range list.levels {
			list.levels[i].where, list.levels[i].lines = place(entryKey(list.name, "", i))
		}
	}
}
