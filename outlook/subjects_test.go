package outlook_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

// table is subjects as the gateway reads them by some words.
type table struct {
	Tags    addin.Tags           `json:"tags"`
	Options []addin.DeMailOption `json:"options"`
	Cases   []subject            `json:"cases"`
}

// subject is one, with what it asks for, and what stays of it.
type subject struct {
	Subject string   `json:"subject"`
	Asks    []string `json:"asks"`    // in the order encrypt, sign, tls, plain
	Options []string `json:"options"` // of De-Mail
	Rest    string   `json:"rest"`
}

// optionNames are the options of De-Mail as the API names them.
var optionNames = []struct {
	name string
	only demail.Options
}{
	{"sent", demail.Options{Dispatch: true}}, {"received", demail.Options{Receipt: true}}, {"collected", demail.Options{Retrieve: true}},
	{"confirmed", demail.Options{Authoritative: true}}, {"personal", demail.Options{Private: true}},
}

// The page reads a subject as [policy.ReadFlags] does: the gateway makes the table, and the page's own code is held to it.
func TestSubjectsAsTheGatewayReads(t *testing.T) {
	usual := table{
		Tags: addin.Tags{Sign: []string{"[sign]"}, Encrypt: []string{"[encrypt]"}, Plain: []string{"[plain]"}, TLS: []string{"[tls]"}},
		Options: []addin.DeMailOption{
			{Name: "sent", Tag: "[Versandbestätigung]", Words: []string{"[Delivery confirmation]", "[Versandbestaetigung]"}}, {Name: "received", Tag: "[Receipt confirmation]"}, {Name: "personal", Tag: "[Persönlich]"},
		},
	}
	odd := table{
		Tags: addin.Tags{
			Sign: []string{"eLs!:", "SIGN", "[sehr  WICHTIG]"}, Encrypt: []string{"", "CRYPT", "[verschlüsseln]", "[a.b*c]"}, Plain: []string{"offen", "[ohne]"},
			TLS: []string{"[ΣΊΣΥΦΟΣ]", "[İ]", "{tls}"},
		},
		Options: []addin.DeMailOption{{Name: "collected", Tag: "[Abhol bestätigung]"}, {Name: "confirmed", Tag: "Absenderbestätigt"}, {Name: "sent"}},
	}
	random := rand.New(rand.NewPCG(1, 2)) // always the same subjects
	for _, all := range []*table{&usual, &odd} {
		for _, s := range subjects {
			all.add(t, s)
		}
		for range 2000 {
			var b strings.Builder
			for range random.IntN(9) {
				b.WriteString(pieces[random.IntN(len(pieces))])
			}
			all.add(t, b.String())
		}
	}
	text, err := json.Marshal([]table{usual, odd})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "table.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "subjects.test.mjs", "TABLE="+file)
}

// add has the gateway read a subject.
func (a *table) add(t *testing.T, text string) {
	t.Helper()
	v := policy.Vocabulary{Sign: a.Tags.Sign, Encrypt: a.Tags.Encrypt, Plain: a.Tags.Plain, TLS: a.Tags.TLS}
	for _, o := range a.Options {
		for _, known := range optionNames {
			for _, word := range append([]string{o.Tag}, o.Words...) {
				if known.name == o.Name && word != "" {
					v.DeMail = append(v.DeMail, policy.DeMailWord{Word: word, Options: known.only})
				}
			}
		}
	}
	var h entity.Header
	h.Append(entity.Field{Name: "Subject", Raw: []byte("Subject: " + text + "\r\n")})
	f := policy.ReadFlags(&h, v)
	rest, _ := h.Get("Subject")
	out := subject{Subject: text, Asks: []string{}, Options: []string{}, Rest: strings.Trim(rest, " \t")}
	for _, w := range []struct {
		set  bool
		name string
	}{{f.Encrypt, "encrypt"}, {f.Sign, "sign"}, {f.TLS == mail.TLSVerified, "tls"}, {f.Plain, "plain"}} {
		if w.set {
			out.Asks = append(out.Asks, w.name)
		}
	}
	for _, known := range optionNames {
		if f.DeMail.Options.Or(known.only) == f.DeMail.Options {
			out.Options = append(out.Options, known.name)
		}
	}
	a.Cases = append(a.Cases, out)
}

// subjects are those in which the rules show.
var subjects = []string{
	"", " ", "Offer", "[encrypt]", "[encrypt] Offer", "Offer [Encrypt]  [SIGN] ", "Re: [encrypt] Offer", "[sign]Offer", "\t[tls]\tOffer", "[plain] Offer", "Offer [plain]",
	// several in one bracket
	"[sign, encrypt] Offer", "[ sign ,encrypt, ] Offer", "Offer [plain,tls]", "[sign, nothing] Offer", "[,] Offer", "[] Offer", "[[sign]] Offer", "[sign;tls] Offer",
	"[delivery confirmation] Offer", "Offer [VERSANDBESTAETIGUNG, sign]", "[sign, Persönlich] Offer", "[Persönlich, Foo] Offer", "Offer [Foo, versand bestätigung]", "[RECEIPT  CONFIRMATION] Offer", "[receiptconfirmation] x", "[Perso\u0308nlich] x", "[Persönlich][Foo] x",
	"[" + strings.Repeat("sign,", 15) + "sign] 16 words", "[" + strings.Repeat("sign,", 16) + "sign] 17 words", "[sign" + strings.Repeat(" ", 250) + "] 256 bytes", "[sign" + strings.Repeat(" ", 251) + "] 257 bytes",
	"256 bytes [sign" + strings.Repeat(" ", 250) + "]", "257 bytes [sign" + strings.Repeat(" ", 251) + "]",
	// at the end of an answer
	"Re: Offer [plain]", "AW: Offer [plain] [encrypt]", "Re[2]: Offer [plain, tls]", "WG : Offer [ohne]", "[plain] Re: Offer", "[tls] Re: Offer [plain]", "Továbbítás: x [plain]", "ΑΠ: x [plain]", "απ: x offen",
	"Rest: Offer [plain]", "\u00a0Re: Offer [plain]", " \t Re: Offer [plain]", "Offer Re: x [plain]", "ant: x [plain]", "i: x [plain]", "\u0130: x [plain]",
	// for and against
	"[plain] [encrypt] Offer", "[encrypt] Offer [plain]", "[plain][sign] x", "[plain, tls] x",
	// as words of their own
	"CRYPT it", "cryptic", "decrypt", "x crypt", "ELS!:Offer", "x els!:", "els!:offen", "offener Brief", "offen", "Brief offen", "Brief,offen", "SIGN", "ſign x", "\u017Fign", "x\u00a0crypt", "crypt\u00a0x", "1crypt 2",
	"[ohne] offen CRYPT", "crypt offen", "offencrypt", "[a.b*c] x", "[axbc] x", "{TLS} x", "[σίσυφος] x", "[ σίσυφοσ ] x", "[i] x", "[\u0130] x", "[ \u0130 ] x", "[ sehr wichtig ] x", "[SEHR\u2003WICHTIG] x", "[sehr\u0085wichtig] x",
	"absenderbestätigt", "[ABSENDER BESTÄTIGT] x", "[\ufeffsign] x", "\u3000[sign] x", "[Abholbestätigung , ohne] x", "x [Abholbestätigung, Foo] [ohne]",
	// what stood before a tag at the end stands alone then
	"crypt[sign]", "offen eLs!:", "SIGN[tls]", "crypt[ohne]", "\U0001F600[sign]", "[sign]\U0001F600", "x\U0001F600crypt",
}

// pieces make the other subjects.
var pieces = []string{
	"[encrypt]", "[Sign]", "[TLS]", "[plain]", "[sign", "]", "[", ",", ", ", " ", "  ", "\t", "Re: ", "AW:", "Fwd [1] :", "Angebot", "Grüße", "x", "1", "€", ".", "[plain, tls]", "[ sign ,encrypt]", "[Persönlich, sign]",
	"[Versandbestätigung", "Persönlich", "Receipt confirmation", "[Foo]", "Foo", "SIGN", "crypt", "offen", "[ohne]", "els!:", "[verschlüsseln]", "{tls}", "ohne", "[Abholbestätigung]", "\u00a0", "ß", "\U0001F600",
}
