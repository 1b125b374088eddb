package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

// What users of other gateways write, and ordinary subjects on which it must not fire.
func TestSets(t *testing.T) {
	for _, c := range []struct {
		set            policy.Set
		in, out, flags string
		words          string
	}{
		{set: policy.SetSEPPmail, in: "[confidential] Offer", out: "Offer", flags: "encrypt", words: "tag [confidential]"},
		{set: policy.SetSEPPmail, in: "Offer [Confidential]", out: "Offer", flags: "encrypt", words: "tag [confidential]"},
		{set: policy.SetSEPPmail, in: "[priv] Offer", out: "Offer", flags: "encrypt", words: "tag [priv] (no webmail here, so it asks for encryption)"},
		{set: policy.SetSEPPmail, in: "[emptypw][zip] Offer", out: "Offer", flags: "encrypt", words: "tag [emptypw] (no webmail here, so it asks for encryption); tag [zip] (no ZIP file here, so it asks for encryption)"},
		{set: policy.SetSEPPmail, in: "Offer [sms:+49 170 1234567]", out: "Offer", flags: "encrypt", words: "tag [sms:...] (no text message here, so it asks for encryption)"},
		{set: policy.SetSEPPmail, in: "[SMS:0041791234567] Offer", out: "Offer", flags: "encrypt", words: "tag [sms:...] (no text message here, so it asks for encryption)"},
		{set: policy.SetSEPPmail, in: "[plain] Offer", out: "Offer", flags: "plain", words: "tag [plain]"},
		{set: policy.SetSEPPmail, in: "[noenc][sign] Offer", out: "Offer", flags: "sign+noencrypt", words: "tag [noenc]; tag [sign]"},
		{set: policy.SetSEPPmail, in: "Re: [confidential] Offer", out: "Re: [confidential] Offer"},
		{set: policy.SetSEPPmail, in: "[secure] [signed OK] Offer", out: "[secure] [signed OK] Offer"}, // what it writes itself
		{set: policy.SetSEPPmail, in: "private [smaller] sms: confidential", out: "private [smaller] sms: confidential"},
		{set: policy.SetHornetsecurity, in: "CRYPT Offer", out: "Offer", flags: "encrypt", words: "tag CRYPT"},
		{set: policy.SetHornetsecurity, in: "CRYPT  SIGN Offer", out: "Offer", flags: "sign+encrypt", words: "tag CRYPT; tag SIGN"},
		{set: policy.SetHornetsecurity, in: "NOCRYPT NOSIGN Offer", out: "Offer", flags: "nosign+noencrypt", words: "tag NOCRYPT; tag NOSIGN"},
		{set: policy.SetHornetsecurity, in: "SIGN[1] of 2", out: "SIGN[1] of 2"},
		{set: policy.SetHornetsecurity, in: "CRYPT", out: "", flags: "encrypt", words: "tag CRYPT"},
		{set: policy.SetHornetsecurity, in: "WEBSAFE Offer", out: "Offer", flags: "encrypt", words: "tag WEBSAFE (no webmail here, so it asks for encryption)"},
		{set: policy.SetHornetsecurity, in: "=?iso-8859-1?Q?CRYPT_Gr=FC=DFe?=", out: "=?iso-8859-1?Q?Gr=FC=DFe?=", flags: "encrypt", words: "tag CRYPT"},
		{set: policy.SetHornetsecurity, in: "Sign here", out: "Sign here"},
		{set: policy.SetHornetsecurity, in: "sign here", out: "sign here"},
		{set: policy.SetHornetsecurity, in: "Please SIGN", out: "Please SIGN"},
		{set: policy.SetHornetsecurity, in: "Please SIGN here", out: "Please SIGN here"},
		{set: policy.SetHornetsecurity, in: "SIGNATURE missing", out: "SIGNATURE missing"},
		{set: policy.SetHornetsecurity, in: "SIGN-UP for the course", out: "SIGN-UP for the course"},
		{set: policy.SetHornetsecurity, in: "[SIGN] here", out: "[SIGN] here"},
		{set: policy.SetHornetsecurity, in: "CRYPTO news", out: "CRYPTO news"},
		{set: policy.SetHornetsecurity, in: "Re: CRYPT Offer", out: "Re: CRYPT Offer"},
		{set: policy.SetHornetsecurity, in: "[encrypt] Offer", out: "[encrypt] Offer"},
		{set: policy.SetCipherMail, in: "[encrypt] Offer [sign]", out: "Offer", flags: "sign+encrypt", words: "tag [encrypt]; tag [sign]"},
		{set: policy.SetCipherMail, in: "[plain] Offer", out: "[plain] Offer"},
		{set: policy.SetSiegel, in: "[signieren, unverschlüsselt] Angebot", out: "Angebot", flags: "sign+noencrypt", words: "tag [signieren]; tag [unverschlüsselt]; a signature was asked for and against: asked for"},
		{set: "nobody's", in: "[encrypt] Offer", out: "[encrypt] Offer"},
	} {
		h := header(t, "Subject: "+c.in+"\r\n")
		f := policy.ReadFlags(&h, policy.Vocabulary{Sets: []policy.Set{c.set}})
		if out, _ := h.Get("Subject"); out != c.out || flagsOf(f) != c.flags || strings.Join(f.Words, "; ") != c.words {
			t.Errorf("%s %q: %q %s, words %q; want %q %s", c.set, c.in, out, flagsOf(f), f.Words, c.out, c.flags)
		}
	}
}

// The header fields of a set ask where it is chosen, and are removed; what others read too stays.
func TestSetFields(t *testing.T) {
	for _, c := range []struct{ in, out, flags, words string }{
		{"x-smenc: yes\r\nSubject: x\r\n", "Subject: x\r\n", "encrypt", "X-SMEnc"},
		{"X-SMENC: no\r\n", "", "", ""},
		{"X-SMEnc: of course\r\n", "", "encrypt", "X-SMEnc (not understood, so it counts as yes)"},
		{"x-smwebmail: yes\r\n", "", "encrypt", "X-SMWebmail (no webmail here, so it asks for encryption)"},
		{"x-smplain: YES\r\n", "", "plain", "X-SMPlain"},
		{"x-smplain: of course\r\n", "", "", "X-SMPlain (not understood, so it counts for nothing)"},
		{"x-smplain: yes\r\nx-smenc: yes\r\n", "", "encrypt+nosign", "X-SMPlain; X-SMEnc; encryption was asked for and against: asked for"},
		{"x-smsign: yes\r\n", "", "sign", "X-SMSign"},
		{"Sensitivity: companyconfidential\r\n", "Sensitivity: companyconfidential\r\n", "encrypt", "Sensitivity Company-Confidential"},
		{"Sensitivity: Private\r\n", "Sensitivity: Private\r\n", "encrypt", "Sensitivity Private (no webmail here, so it asks for encryption); Sensitivity Private"},
		{"Sensitivity: Personal\r\n", "Sensitivity: Personal\r\n", "", "Sensitivity Personal"},
		{"X-SM-incoming: yes\r\n", "X-SM-incoming: yes\r\n", "", ""},
	} {
		h := header(t, c.in)
		f := policy.ReadFlags(&h, policy.Vocabulary{Sets: []policy.Set{policy.SetSEPPmail}})
		if got := string(h.Bytes()); got != c.out || flagsOf(f) != c.flags || strings.Join(f.Words, "; ") != c.words {
			t.Errorf("%q: %q %s, words %q; want %q %s %q", c.in, got, flagsOf(f), f.Words, c.out, c.flags, c.words)
		}
		h = header(t, c.in)
		if f := policy.ReadFlags(&h, policy.DefaultVocabulary()); flagsOf(f) != "" || string(h.Bytes()) != c.in {
			t.Errorf("%q without the set: %q, %+v", c.in, h.Bytes(), f)
		}
	}
}

// A set is known by what it holds, so that a configuration can be judged.
func TestSetTags(t *testing.T) {
	for set, want := range map[policy.Set]string{
		policy.SetSEPPmail:       "[confidential] [priv] [emptypw] [sms: [zip] [plain] [sign] [noenc]",
		policy.SetHornetsecurity: "CRYPT NOCRYPT SIGN NOSIGN WEBSAFE",
		policy.SetCipherMail:     "[encrypt] [sign]",
		policy.SetSiegel:         "[encrypt] [verschlüsseln] [verschluesseln] [sign] [signieren] [tls] [plain] [unverschlüsselt] [unverschluesselt] [nosign] [unsigniert] [noencrypt]",
	} {
		if got := strings.Join(set.Tags(), " "); got != want {
			t.Errorf("%s: %s", set, got)
		}
	}
	v := policy.Vocabulary{Sets: []policy.Set{policy.SetHornetsecurity, policy.SetSEPPmail}}
	if want := []string{"X-SMEnc", "X-SMWebmail", "X-SMPlain", "X-SMSign"}; !slices.Equal(v.Fields(), want) {
		t.Errorf("fields %q", v.Fields())
	}
	if got := policy.DefaultVocabulary().Fields(); got != nil {
		t.Errorf("fields %q", got)
	}
}

// Whatever set is chosen, a second reading finds nothing in a subject but what stays.
func FuzzSets(f *testing.F) {
	for _, s := range []string{"[sms:+49] CRYPT SIGN x [zip]", "CRYPT", "NOSIGN [priv]\t[confidential]", "=?utf-8?q?CRYPT_=5Bsms:1=5D?= x", "Re: x [plain] [noenc]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		h, _, err := entity.Read(strings.NewReader("Subject: "+strings.NewReplacer("\r", "", "\n", "").Replace(subject)+"\r\n\r\n"), 1<<20)
		if err != nil {
			return
		}
		v := policy.Vocabulary{Sets: []policy.Set{policy.SetHornetsecurity, policy.SetSEPPmail, policy.SetCipherMail}}
		policy.ReadFlags(&h, v)
		once := string(h.Bytes())
		if again := policy.ReadFlags(&h, v); !again.IsZero() || string(h.Bytes()) != once {
			t.Errorf("%q asks again: %+v", subject, again)
		}
	})
}
