package policy_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime/entity"
)

func header(t testing.TB, text string) entity.Header {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text+"\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func flagsOf(f policy.Flags) string {
	var s []string
	if f.Sign {
		s = append(s, "sign")
	}
	if f.Encrypt {
		s = append(s, "encrypt")
	}
	if f.TLS != "" {
		s = append(s, string(f.TLS))
	}
	for _, w := range []struct {
		set  bool
		text string
	}{
		{f.TrySign, "trysign"}, {f.TryEncrypt, "tryencrypt"}, {f.Plain, "plain"}, {f.NoSign && !f.Plain, "nosign"}, {f.NoEncrypt && !f.Plain, "noencrypt"},
	} {
		if w.set {
			s = append(s, w.text)
		}
	}
	return strings.Join(s, "+")
}

func TestReadFlagsSubject(t *testing.T) {
	for _, c := range []struct{ name, in, out, flags string }{
		{"at the beginning", " [encrypt] Offer", " Offer", "encrypt"},
		{"at the end", " Offer [encrypt]", " Offer", "encrypt"},
		{"at both ends", " [sign] Offer [encrypt]", " Offer", "sign+encrypt"},
		{"several at one end", " [sign][Encrypt]  [SIGN] Offer", " Offer", "sign+encrypt"},
		{"no blank after the colon", "[encrypt]Offer", "Offer", "encrypt"},
		{"alone", " [encrypt]", " ", "encrypt"},
		{"alone after a fold", "\r\n [encrypt]\r\n [sign]", " ", "sign+encrypt"},
		{"the blanks inside stay", " [sign]  a   b \t c  ", " a   b \t c  ", "sign"},
		{"in the middle", " My [encrypt] Offer", " My [encrypt] Offer", ""},
		{"in a quoted subject", " Re: [encrypt] Offer", " Re: [encrypt] Offer", ""},
		{"in a quoted German subject", " AW: WG: [sign] Angebot", " AW: WG: [sign] Angebot", ""},
		{"at the end of a reply", " Re: Offer [encrypt]", " Re: Offer", "encrypt"},
		{"before a reply prefix", " [encrypt] Re: [sign] Offer", " Re: [sign] Offer", "encrypt"},
		{"not quite a tag", " [encrypted] Offer (sign)", " [encrypted] Offer (sign)", ""},
		{"folded", " [encrypt]\r\n Offer\r\n of today", " Offer\r\n of today", "encrypt"},
		{"folded before the first word", "\r\n [encrypt] Offer", "\r\n Offer", "encrypt"},
		{"folded at the end", " Offer\r\n\t[sign]\r\n [encrypt]", " Offer", "sign+encrypt"},
		{"raw UTF-8", " [encrypt] Grüße für Zoë", " Grüße für Zoë", "encrypt"},
		{"raw Latin-1", " [encrypt] Gr\xfc\xdfe", " Gr\xfc\xdfe", "encrypt"},
		{"a word of its own", " =?utf-8?Q?[encrypt]?= =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "encrypt"},
		{"plain before a word", " [encrypt] =?utf-8?q?Gr=C3=BC=c3=9Fe?=", " =?utf-8?q?Gr=C3=BC=c3=9Fe?=", "encrypt"},
		{"inside a Q word", " =?UTF-8?Q?[encrypt]_Gr=C3=BC=c3=9Fe?= x", " =?UTF-8?Q?Gr=C3=BC=c3=9Fe?= x", "encrypt"},
		{"escaped inside a Q word", " =?utf-8?Q?=5Bencrypt=5D=20Gr=C3=BC=C3=9Fe?=", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "encrypt"},
		{"inside a Q word at its end", " =?utf-8?Q?Gr=C3=BC=C3=9Fe_[sign]?=", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "sign"},
		{"inside a B word", " =?utf-8?B?W2VuY3J5cHRdIEdyw7zDn2U=?=", " =?utf-8?B?R3LDvMOfZQ==?=", "encrypt"},
		{"B word without padding", " =?utf-8?B?W2VuY3J5cHRdIEdyw7zDn2U?=", " =?utf-8?B?R3LDvMOfZQ==?=", "encrypt"},
		{"split over words", " =?utf-8?Q?[enc?=\r\n =?utf-8?B?cnlwdF0gR3LDvMOfZQ==?= x", " =?utf-8?B?R3LDvMOfZQ==?= x", "encrypt"},
		{"split over three words of two charsets", " =?utf-8?Q?=5B?= =?iso-8859-1?Q?encr?= =?utf-8?Q?ypt]_H=C3=A4?=", " =?utf-8?Q?H=C3=A4?=", "encrypt"},
		{"split at the end", " =?iso-8859-1?Q?H=E4_[si?= =?iso-8859-1?Q?gn]?=", " =?iso-8859-1?Q?H=E4?=", "sign"},
		{"Latin-1 word", " =?iso-8859-1?Q?[encrypt]_Gr=FC=DFe?=", " =?iso-8859-1?Q?Gr=FC=DFe?=", "encrypt"},
		{"Windows B word with a language", " =?windows-1252*de?B?W3NpZ25dIICAgA==?=", " =?windows-1252*de?B?gICA?=", "sign"},
		{"ISO-2022-JP becomes UTF-8", " =?iso-2022-jp?B?W2VuY3J5cHRdIBskQkZ8GyhC?=", " =?utf-8?B?5pel?=", "encrypt"},
		{"charset nobody knows", " =?x-none?Q?[encrypt]_Gr=FC=DFe?=", " =?x-none?Q?Gr=FC=DFe?=", "encrypt"},
		{"a word with blanks", " =?utf-8?Q?[encrypt] H=C3=A4?=", " =?utf-8?Q?H=C3=A4?=", "encrypt"},
		{"the blank between words means nothing", " =?utf-8?Q?[encrypt]?=\r\n =?utf-8?Q?a?= =?utf-8?Q?b?= [sign]", " =?utf-8?Q?a?= =?utf-8?Q?b?=", "sign+encrypt"},
		{"quoted in a word", " =?utf-8?Q?Re=3A_[encrypt]_Gr=C3=BC=C3=9Fe?=", " =?utf-8?Q?Re=3A_[encrypt]_Gr=C3=BC=C3=9Fe?=", ""},
		{"bad base64 is text", " =?utf-8?B?W2V*?= [sign]", " =?utf-8?B?W2V*?=", "sign"},
		{"bad Q is text", " [sign] =?utf-8?Q?=zz=C3=A4_[encrypt]?=", " =?utf-8?Q?=zz=C3=A4?=", "sign+encrypt"},
		{"plain", " [plain] Offer", " Offer", "plain"},
		{"German plain", " =?utf-8?Q?[unverschl=C3=BCsselt]_Gr=C3=BC=C3=9Fe?=", " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "plain"},
		{"without one of them", " [noencrypt] Offer [nosign]", " Offer", "nosign+noencrypt"},
		{"German", " [Verschlüsseln] [signieren] Angebot", " Angebot", "sign+encrypt"},
		{"nothing", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			const before, after = "From: a@firma.example\r\n", "X-Other: [encrypt]\r\n"
			h := header(t, before+"Subject:"+c.in+"\r\n"+after)
			f := policy.ReadFlags(&h, policy.DefaultVocabulary())
			if got, want := string(h.Bytes()), before+"Subject:"+c.out+"\r\n"+after; got != want || flagsOf(f) != c.flags {
				t.Errorf("got  %q %s\nwant %q %s", got, flagsOf(f), want, c.flags)
			}
		})
	}
}

func TestReadFlagsVocabulary(t *testing.T) {
	v := policy.Vocabulary{Encrypt: []string{"", "CRYPT", "[verschlüsseln]"}, Sign: []string{"eLs!:"}}
	for _, c := range []struct{ in, out, flags string }{
		{" CRYPT Offer", " Offer", "encrypt"},
		{" Crypto news", " Crypto news", ""},
		{" News of decrypt", " News of decrypt", ""},
		{" News: crypt", " News:", "encrypt"},
		{" crypt", " ", "encrypt"},
		{" ELS!:Offer", " Offer", "sign"},
		{" [VERSCHLÜSSELN] Angebot", " Angebot", "encrypt"},
		{" =?utf-8?Q?[verschl=C3=BCsseln]_=C3=84?=", " =?utf-8?Q?=C3=84?=", "encrypt"},
		{" =?iso-8859-1?B?W1ZlcnNjaGz8c3NlbG5dIMQ=?=", " =?iso-8859-1?B?xA==?=", "encrypt"},
		{" [encrypt] Offer", " [encrypt] Offer", ""},
	} {
		h := header(t, "Subject:"+c.in+"\r\n")
		f := policy.ReadFlags(&h, v)
		if got := string(h.Bytes()); got != "Subject:"+c.out+"\r\n" || flagsOf(f) != c.flags {
			t.Errorf("%q: got %q %s, want %q %s", c.in, got, flagsOf(f), c.out, c.flags)
		}
	}
}

func TestReadFlagsHeaders(t *testing.T) {
	for _, c := range []struct{ in, out, flags string }{
		{"X-Siegel-Sign: yes\r\nTo: b@x.example\r\nx-siegel-encrypt: YES\r\n", "To: b@x.example\r\n", "sign+encrypt"},
		{"X-Siegel-Sign: no\r\nX-Siegel-Encrypt: 0\r\n", "", ""},
		{"X-Siegel-Sign:\r\nX-Siegel-Encrypt: please\r\n", "", "encrypt"},
		{"X-SIEGEL-Encrypt : yes\r\n", "", "encrypt"},
		{"X-Siegel-Verdict: valid\r\nX-Siegel-: x\r\nX-Siegel: kept\r\n", "X-Siegel: kept\r\n", ""},
		{"Subject: a\r\nSUBJECT: [encrypt] b\r\n", "Subject: a\r\nSUBJECT: b\r\n", "encrypt"},
		{"Thread-Topic: [encrypt] Offer\r\n", "Thread-Topic: Offer\r\n", ""},
		{"Subject: [sign]", "Subject: \r\n", "sign"},
		{"Subject: [TLS] Offer [sign]\r\n", "Subject: Offer\r\n", "sign+verified"},
		{"Subject: Re: [tls] Offer\r\n", "Subject: Re: [tls] Offer\r\n", ""},
		{"X-Siegel-TLS: verified\r\nX-Siegel-Encrypt: yes\r\n", "", "encrypt+verified"},
		{"x-siegel-tls: Required\r\n", "", "required"},
		{"X-Siegel-TLS: required\r\nX-Siegel-TLS: yes\r\n", "", "verified"},
		{"X-Siegel-TLS: no\r\nX-Siegel-TLS:\r\nX-Siegel-TLSX: yes\r\n", "", ""},
		{"X-Siegel-TLS: none\r\n", "", "verified"},
		{"TLS-Required: No\r\n", "TLS-Required: No\r\n", ""},
	} {
		h := header(t, c.in)
		f := policy.ReadFlags(&h, policy.DefaultVocabulary())
		if got := string(h.Bytes()); got != c.out || flagsOf(f) != c.flags {
			t.Errorf("%q: got %q %s, want %q %s", c.in, got, flagsOf(f), c.out, c.flags)
		}
	}
}

// A header that asks for nothing is not touched, and a copy of one that asks is not changed.
func TestReadFlagsLeavesAlone(t *testing.T) {
	h := header(t, "Subject: [sign] a\r\nX-Siegel-Encrypt: yes\r\n")
	kept, before := h, string(h.Bytes())
	policy.ReadFlags(&h, policy.DefaultVocabulary())
	if got := string(kept.Bytes()); got != before {
		t.Errorf("the copy became %q", got)
	}
}

// decode reads a subject with the standard library's decoder.
func decode(t *rapid.T, value string) string {
	d := mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		if charset != "windows-1252" {
			return nil, errors.New(charset)
		}
		return charmap.Windows1252.NewDecoder().Reader(r), nil
	}}
	s, err := d.DecodeHeader(value)
	if err != nil {
		t.Fatalf("%q: %v", value, err)
	}
	return s
}

// tag is one or several tags in brackets, at the beginning or end of a text.
var (
	tagWords = `(sign|signieren|encrypt|verschlüsseln|tls|plain|unverschlüsselt|nosign|noencrypt)`
	inside   = `\[[\s,]*` + tagWords + `(\s*,[\s,]*` + tagWords + `)*[\s,]*\]`
	atFront  = regexp.MustCompile(`(?i)^` + inside)
	atBack   = regexp.MustCompile(`(?i)` + inside + `$`)
	reply    = regexp.MustCompile(`(?i)^(re|aw|wg|fwd)\s*:`)
	tagWord  = regexp.MustCompile(`(?i)` + tagWords)
)

// strip takes tags off both ends of a decoded subject, written as a user would explain it.
func strip(s string) (string, policy.Flags) {
	asked := map[string]bool{}
	take := func(tag string, lowers bool) {
		for _, w := range tagWord.FindAllString(tag, -1) {
			w = strings.ToLower(w)
			if lowers || !slices.Contains([]string{"plain", "unverschlüsselt", "nosign", "noencrypt"}, w) {
				asked[w] = true
			}
		}
	}
	s = strings.TrimSpace(s)
	for tag := atFront.FindString(s); tag != ""; tag = atFront.FindString(s) {
		take(tag, true)
		s = strings.TrimSpace(s[len(tag):])
	}
	lowers := !reply.MatchString(s)
	for tag := atBack.FindString(s); tag != ""; tag = atBack.FindString(s) {
		take(tag, lowers)
		s = strings.TrimSpace(s[:len(s)-len(tag)])
	}
	f := policy.Flags{Sign: asked["sign"] || asked["signieren"], Encrypt: asked["encrypt"] || asked["verschlüsseln"]}
	if asked["tls"] {
		f.TLS = mail.TLSVerified
	}
	plain := asked["plain"] || asked["unverschlüsselt"]
	f.NoSign, f.NoEncrypt = !f.Sign && (plain || asked["nosign"]), !f.Encrypt && (plain || asked["noencrypt"])
	f.Plain = plain && f.NoSign && f.NoEncrypt
	return s, f
}

// drawSubject draws a text with tags and writes it in one of the many ways of a header.
func drawSubject(t *rapid.T) string {
	part := rapid.SampledFrom([]string{
		"[encrypt]", "[Sign]", "[TLS]", "[sign", "Re: ", " ", "  ", "Angebot", "Grüße", "?", "=", "_", "€", "x", "]", ",",
		"[Verschlüsseln]", "[UNVERSCHLÜSSELT]", "[plain]", "[nosign, TLS]", "[ noencrypt ]", "WG: [signieren]",
	})
	text := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "text"), "")
	var b strings.Builder
	word := false // the last thing written is an encoded word
	for i, runes := 0, []rune(text); i < len(runes); {
		n := rapid.IntRange(1, 12).Draw(t, "run")
		piece := string(runes[i:min(i+n, len(runes))])
		i += n
		how := rapid.IntRange(0, 5).Draw(t, "how")
		w := encode(how, piece)
		if w != piece && b.Len() > 0 {
			b.WriteString(rapid.SampledFrom([]string{" ", "\r\n ", " \t"}).Draw(t, "gap"))
		} else if word {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		word = w != piece
	}
	return b.String()
}

func encode(how int, s string) string {
	if windows, err := charmap.Windows1252.NewEncoder().String(s); how == 5 && err == nil {
		return fmt.Sprintf("=?Windows-1252?Q?%s?=", quoteQ(windows))
	}
	latin, err := charmap.ISO8859_1.NewEncoder().String(s)
	switch {
	case how == 0:
		return strings.ReplaceAll(s, "=?", "= ?")
	case how == 1 || err != nil:
		return fmt.Sprintf("=?utf-8?Q?%s?=", quoteQ(s))
	case how == 2:
		return "=?UTF-8?b?" + strings.TrimSuffix(strings.TrimPrefix(mime.BEncoding.Encode("utf-8", "ü"+s), "=?utf-8?b?"), "?=") + "?="
	case how == 3:
		return fmt.Sprintf("=?iso-8859-1?q?%s?=", quoteQ(latin))
	}
	return fmt.Sprintf("=?us-ascii?Q?%s?=", quoteQ(strings.Map(func(r rune) rune { return r & 0x7f }, s)))
}

func quoteQ(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			b.WriteByte('_')
		case c < ' ' || c > '~' || strings.IndexByte("?=_", c) >= 0:
			fmt.Fprintf(&b, "=%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// In whatever way a subject is written, what is left is what an independent decoder reads without the tags.
func propReadFlags(t *rapid.T) {
	subject := drawSubject(t)
	h, _, err := entity.Read(strings.NewReader("Subject: "+subject+"\r\nTo: b@x.example\r\n\r\n"), 0)
	if err != nil || h.Len() != 2 {
		t.Skip("no header")
	}
	before, _ := h.Get("Subject")
	want, flags := strip(decode(t, before))
	got := policy.ReadFlags(&h, policy.DefaultVocabulary())
	after, _ := h.Get("Subject")
	if flagsOf(got) != flagsOf(flags) {
		t.Fatalf("%q: flags %q, want %q", subject, flagsOf(got), flagsOf(flags))
	}
	if left := strings.TrimSpace(decode(t, after)); left != want {
		t.Fatalf("%q became %q: %q, want %q", before, after, left, want)
	}
	if got.IsZero() && after != before {
		t.Fatalf("%q became %q without a tag", before, after)
	}
}

func TestReadFlagsKeepsTheRest(t *testing.T) { rapid.Check(t, propReadFlags) }
func FuzzReadFlagsKeepsTheRest(f *testing.F) { f.Fuzz(rapid.MakeFuzz(propReadFlags)) }

// FuzzReadFlags gives it any header: other fields stay, a second reading finds nothing, and no line of
// blanks comes out.
func FuzzReadFlags(f *testing.F) {
	for _, s := range []string{
		"Subject: [encrypt] a\r\nTo: b\r\n", "Subject: =?utf-8?Q?[enc?=\r\n =?utf-8?B?cnlwdF0gR3LDvMOfZQ==?=\r\n",
		"Subject:\r\n [sign]\r\n \r\nX-Siegel-Sign: yes\r\n", "subject: =?iso-2022-jp?B?W2VuY3J5cHRdIBskQkZ8GyhC?=\n",
		"Subject: =?a?Q?[sign]?==?a?Q?[sign]?=[sign]", "Subject: \x80[sign]\xff [ENCRYPT]\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, _, err := entity.Read(bytes.NewReader(in), 0)
		if err != nil {
			return
		}
		var others, left []string
		for _, field := range h.Fields() {
			if !field.Is("Subject") && !field.Is("Thread-Topic") && !field.HasPrefix("X-Siegel-") {
				others = append(others, strings.TrimRight(string(field.Raw), "\r\n"))
			}
		}
		policy.ReadFlags(&h, policy.DefaultVocabulary())
		for _, field := range h.Fields() {
			if field.Is("Subject") || field.Is("Thread-Topic") {
				continue
			}
			left = append(left, strings.TrimRight(string(field.Raw), "\r\n"))
		}
		if strings.Join(left, "\n") != strings.Join(others, "\n") {
			t.Fatalf("other fields were %q, are %q", others, left)
		}
		once := string(h.Bytes())
		if again := policy.ReadFlags(&h, policy.DefaultVocabulary()); !again.IsZero() || string(h.Bytes()) != once {
			t.Fatalf("%q asks again %+v: %q", once, again, h.Bytes())
		}
	})
}

func BenchmarkReadFlags(b *testing.B) {
	whole := header(b, "From: a@firma.example\r\nTo: b@x.example\r\nSubject: =?utf-8?Q?[encrypt]_Gr=C3=BC=C3=9Fe?= an alle\r\nX-Siegel-Sign: yes\r\n")
	v := policy.DefaultVocabulary()
	for b.Loop() {
		h := whole
		policy.ReadFlags(&h, v)
	}
}

func ExampleReadFlags() {
	h, _, _ := entity.Read(strings.NewReader("Subject: [encrypt] =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\n"), 0)
	f := policy.ReadFlags(&h, policy.DefaultVocabulary())
	fmt.Printf("encrypt=%t %s", f.Encrypt, h.Bytes())
	// Output: encrypt=true Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
}
