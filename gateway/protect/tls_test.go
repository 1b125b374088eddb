package protect

import (
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// What a message demands of the hops is kept with it, for those who leave; the request itself does not leave.
func TestAdmitTLS(t *testing.T) {
	b := newBench(t, nil)
	for field, want := range map[string]mail.TLSLevel{
		"X-Siegel-TLS: verified": mail.TLSVerified, "X-Siegel-TLS: required": mail.TLSRequired, "Subject: [tls] Offer": mail.TLSVerified, "Subject: Re: [tls]x": "",
	} {
		adm := b.admit(t, envelope(t, "bob@partner.example", "carl@firma.example"), message(field))
		got := map[string]mail.TLSLevel{}
		for _, e := range adm.Entries {
			for _, r := range e.Envelope.Recipients {
				got[r.Address.String()] = e.Envelope.TLS
			}
			if text := string(read(t, e.Content)); strings.Contains(text, "X-Siegel-TLS") || strings.Contains(text, "[tls] ") {
				t.Errorf("%q leaves: %s", field, text)
			}
		}
		if len(got) != 2 || got["bob@partner.example"] != want || got["carl@firma.example"] != "" {
			t.Errorf("%q: %v", field, got)
		}
	}
}

// Where the way does without TLS, the message is refused at once, by whatever it is demanded.
func TestAdmitWithoutTLS(t *testing.T) {
	plain := func(o *Options) { o.WithoutTLS = func(to mail.Address) bool { return to.Domain == "partner.example" } }
	b := newBench(t, plain)
	_, err := b.Admit(t.Context(), envelope(t, "bob@partner.example", "bob@other.example"), message("X-Siegel-TLS: required"))
	var refused *Refused
	if !errors.As(err, &refused) || len(refused.Recipients) != 1 || !strings.Contains(refused.Reasons[0], "bob@partner.example") || refused.Said[0].ID != texts.TLSImpossible {
		t.Errorf("%v", err)
	}
	b.admit(t, envelope(t, "bob@partner.example"), message())
	b = newBench(t, plain, policy.Rule{Name: "bank", Settings: policy.Settings{TLS: mail.TLSVerified}})
	if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), message()); !errors.As(err, &refused) || !strings.Contains(refused.Reasons[0], "\"bank\"") {
		t.Errorf("%v", err)
	}
}

// Recipients with unlike demands do not share a variant.
func TestGroupTLS(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "bank", To: patterns(t, "@other.example"), Settings: policy.Settings{TLS: mail.TLSVerified}})
	adm := b.admit(t, envelope(t, "bob@partner.example", "bob@other.example"), message())
	if len(adm.Entries) != 2 || adm.Entries[0].Envelope.TLS != "" || adm.Entries[1].Envelope.TLS != mail.TLSVerified {
		t.Errorf("%d entries", len(adm.Entries))
	}
}
