package protect

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
)

// issuer gives everybody the identity of alice, or its error, and counts.
type issuer struct {
	id    certs.Identity
	err   error
	asked []string
	told  []string // who stays without, and why
}

func (i *issuer) Signing(_ context.Context, from mail.Address) (certs.Identity, error) {
	i.asked = append(i.asked, from.String())
	return i.id, i.err
}

// Who has no certificate gets one where a decision is to sign, and only there; what is in the way decides what becomes of the message.
func TestEnroll(t *testing.T) {
	away := &certs.UnavailableError{Source: "issuer", Err: errors.New("no disk")}
	final := errors.New("the domain is not the issuer's")
	sign, possible := policy.Rule{Name: "sign", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}, policy.Rule{Name: "possible", Settings: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.Never}}
	never := policy.Rule{Name: "never", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}
	both := policy.Rule{Name: "both", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}
	for name, c := range map[string]struct {
		rule  policy.Rule
		from  string
		to    string
		err   error
		asked int
		want  string // signed, plain, refused, or the destination where it is held
	}{
		"required":                   {sign, "", "dora@other.example", nil, 1, "signed"},
		"if possible":                {possible, "", "dora@other.example", nil, 1, "signed"},
		"never":                      {never, "", "dora@other.example", nil, 0, "plain"},
		"refused for another reason": {both, "", "dora@other.example", nil, 0, "refused"},
		"no route":                   {sign, "", "x@nowhere.example", nil, 0, "refused"},
		"inside":                     {possible, "", "eve@firma.example", nil, 0, "plain"},
		"issuer away":                {sign, "", "dora@other.example", away, 1, "protect:issuer"},
		"if possible, issuer away":   {possible, "", "dora@other.example", away, 1, "protect:issuer"},
		"there will be none":         {sign, "", "dora@other.example", final, 1, "refused"},
		"if possible, and it is not": {possible, "", "dora@other.example", final, 1, "plain"},
		"not ours":                   {possible, "new@branch.example", "dora@other.example", nil, 0, "plain"},
		"not authorised":             {possible, "boss@firma.example", "dora@other.example", nil, 0, "plain"},
		"two authors":                {possible, "new@firma.example, b@firma.example", "dora@other.example", nil, 0, "plain"},
		"has one":                    {sign, "alice@firma.example", "dora@other.example", nil, 0, "signed"},
	} {
		t.Run(name, func(t *testing.T) {
			made := &issuer{err: c.err}
			b := newBench(t, func(o *Options) {
				o.Enroller = made
				o.StaysWithout = func(from mail.Address, why error) { made.told = append(made.told, from.String()+": "+why.Error()) }
			}, c.rule)
			made.id = b.finder.ids["alice@firma.example"]
			from := c.from
			if from == "" {
				from = "new@firma.example"
			}
			env := envelope(t, c.to)
			env.MayUse = patterns(t, "new@firma.example", "b@firma.example", "alice@firma.example", "@branch.example")
			adm, err := b.Admit(t.Context(), env, letter("From: "+from+"\r\nTo: x@other.example\r\n\r\nText.\r\n"))
			got := outcome(t, b, adm, err)
			if got != c.want || len(made.asked) != c.asked {
				t.Errorf("%s, want %s; asked for %q; %v", got, c.want, made.asked, err)
			}
			if told := strings.Join(made.told, "\n"); (c.err == final) != (told == "new@firma.example: "+final.Error()) || c.err != final && told != "" {
				t.Errorf("it is told: %q", told)
			}
		})
	}
}

func outcome(t *testing.T, b *bench, adm *Admission, err error) string {
	t.Helper()
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return "refused"
	case err != nil:
		t.Fatal(err)
	}
	defer adm.Release()
	if e := adm.Entries[0]; e.Pending != nil {
		return e.Destinations[0]
	} else if o := b.open(t, e, "bob@partner.example"); o.Verdict == smime.Unsigned {
		return "plain"
	}
	return "signed"
}
