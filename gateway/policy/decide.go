package policy

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// Decide returns one decision for each recipient of in, in their order. A user's flags raise what leaves the company, and lower defaults where the user may write
// under the single From address; what stays inside (Internal) they leave to the rules, since the company's server hands such a copy over as it is. A message
// from outside to a recipient who is not local is refused: nobody relays.
func (p *Policy) Decide(in Input) []Decision {
	w := p.walk(&in, true)
	decisions := make([]Decision, len(in.Recipients))
	for i := range in.Recipients {
		decisions[i] = w.decide(&in.Recipients[i])
	}
	return decisions
}

func (w *walk) decide(r *Recipient) Decision {
	d := Decision{Recipient: r.Address, Direction: direction(w.in.Internal, r.Local), SignRule: ByDefault, EncRule: ByDefault}
	if d.Direction == mail.Incoming && !r.Local {
		d.Refusal = refuseRelay(r.Address)
		return d
	}
	layers := w.layers(d.Direction, r)
	o := w.settle(d.Direction, layers, r, false)
	d.fill(&o)
	if w.in.Explain {
		d.Sources = o.sources(layers)
	}
	if slices.ContainsFunc(layers, func(m match) bool { return m.dry }) {
		otherwise := w.settle(d.Direction, layers, r, true)
		d.Dry = otherwise.differs(&o)
	}
	d.judge(w.in, r)
	return d
}

// fill takes over what was settled.
func (d *Decision) fill(o *outcome) {
	d.Settings, d.Terms, d.TLS, d.Lowered = o.Settings, o.Terms, o.TLS, o.lowered
	d.Levels = o.levels()
	if d.Direction == mail.Incoming {
		return
	}
	d.SignRule, d.EncRule, d.ProRule = o.names[atSign], o.names[atEncrypt], o.names[atProfile]
	if d.TLS != mail.TLSAsRouted {
		d.TLSRule = o.names[atTLS]
	}
	d.AskRule = o.names[atMissing]
}

// judge says what is done, and what is refused.
func (d *Decision) judge(in *Input, r *Recipient) {
	missing := d.AskRule
	d.AskRule = ""
	if d.Settings.MaxSize > 0 && in.Size > d.Settings.MaxSize {
		d.Refusal = refuseTooLarge(d, in.Size)
	}
	if d.Direction == mail.Incoming {
		return
	}
	d.Sign = d.Levels.Sign == Require || d.Levels.Sign == IfPossible && in.CanSign
	d.Encrypt = d.Levels.Encrypt == Require || d.Levels.Encrypt == IfPossible && r.CanEncrypt
	ask := false
	if d.Encrypt && !r.CanEncrypt {
		ask = d.without(r)
	}
	switch {
	case d.Refusal != nil:
	case d.Encrypt && !r.CanEncrypt && !ask:
		by := d.EncRule
		if missing == ByFlag { // without which it would be sent
			by = ByFlag
		}
		d.Refusal = refuseUnencrypted(*r, by)
	case d.Sign && !in.CanSign:
		d.Refusal = refuseUnsigned(in, r.Address, d.SignRule)
	case d.Encrypt && r.Unfit.ID != "":
		d.Refusal = refuse(texts.EncryptImpossible, r.Address, r.Unfit, d.EncRule)
	case d.Sign && r.UnfitSigner.ID != "":
		d.Refusal = refuse(texts.SignImpossible, r.Address, r.UnfitSigner, d.SignRule)
	}
	if d.Ask = ask && d.Refusal == nil; d.Ask || d.Missed != "" {
		d.AskRule = missing
	}
	if d.Missed == SendTLS && d.TLS == mail.TLSAsRouted && !r.DeMail {
		d.TLS, d.TLSRule = mail.TLSRequired, missing
	}
}

// lower spares each pattern the folding of case, where it is plain.
func lower(a mail.Address) mail.Address {
	if a.IsASCII() {
		a.Local = strings.ToLower(a.Local)
	}
	return a
}

// Terms returns how mail to each recipient of in is protected, in their order. It does not depend on certificates.
func (p *Policy) Terms(in Input) []Terms {
	w := p.walk(&in, true)
	out := make([]Terms, len(in.Recipients))
	for i := range in.Recipients {
		r := &in.Recipients[i]
		if d := direction(in.Internal, r.Local); d != mail.Incoming {
			o := w.settle(d, w.layers(d, r), r, false)
			out[i] = o.Terms
		}
	}
	return out
}

// levels are those that bind later.
func (o *outcome) levels() Levels {
	return Levels{Sign: o.Sign, Encrypt: o.Encrypt, Profile: o.Terms.Profile, TLS: o.TLS, Missing: o.Terms.Missing}
}

// factoryTerms are how mail is protected where nobody says how.
func factoryTerms() Terms { return Terms{Profile: smime.Compatible, Missing: Refuse} }

const yes = smime.Yes
