package smime_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

var (
	baseline = smime.HeaderProtection{Policy: smime.HCPBaseline}
	readable = smime.HeaderProtection{Policy: smime.HCPNoConfidentiality}
)

// trace is fields that others believe or write; nobody protects them (RFC 9788, 5.2.1, is for who composes a
// message: there are none yet).
const trace = "Received: from a by b\r\nReturn-Path: <x@y.example>\r\nDKIM-Signature: v=1\r\nAuthentication-Results: siegel; dkim=pass\r\n" +
	"X-Siegel-Verdict: valid\r\nX-de-mail-auth-level: high\r\nARC-Seal: i=1\r\nResent-From: x@y.example\r\nX-MS-Exchange-Organization-SCL: -1\r\n" +
	"HP-Outer: Subject: forged\r\nBcc: boss@firma.example\r\n"

const secretive = "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: Der Preis =?utf-8?q?f=C3=BCr?=\r\n Sie\r\n" +
	"Message-ID: <1@firma.example>\r\nKeywords: price\r\nThread-Topic: Der Preis\r\nX-Own: yes\r\n"

// payload is what stands within the layers of a message that was written by Protect.
func payload(t testing.TB, w *world, sent string) string {
	t.Helper()
	o := open(t, sent, w.options())
	inner := delivered(t, o)
	if o.Layers[len(o.Layers)-1].Form == smime.FormOpaque {
		_, body, _ := strings.Cut(inner, "\r\n\r\n")
		v := must(cms.NewVerifier(strings.NewReader(string(decode64(body))), cms.Limits{}))
		return string(must(io.ReadAll(v)))
	}
	_, inner, _ = strings.Cut(inner, "\r\nContent-Type: multipart/signed;")
	_, boundary, _ := strings.Cut(inner, "boundary=\"")
	boundary, _, _ = strings.Cut(boundary, "\"")
	return strings.Split(inner, "--"+boundary+"\r\n")[1]
}

// A signed message says within what its header says, and shows all of it (RFC 9788, 5.2.1).
func TestHeaderProtectionClear(t *testing.T) {
	w := theWorld()
	message := trace + secretive + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nhello\r\n"
	for _, o := range []smime.ProtectOptions{{}, {Opaque: true}, {Headers: readable}} {
		o.Signers = w.alice.signers()
		if o.Headers == (smime.HeaderProtection{}) {
			o.Headers = baseline
		}
		sent := protect(t, message, o)
		if !strings.HasPrefix(sent, trace+secretive+"MIME-Version: 1.0\r\nContent-Type:") {
			t.Errorf("outside: %q", sent)
		}
		want := secretive + "Content-Type: text/plain; charset=us-ascii;\r\n hp=\"clear\"\r\n\r\nhello\r\n"
		if got := payload(t, w, sent); strings.TrimRight(got, "\r\n") != strings.TrimRight(want, "\r\n") {
			t.Errorf("within: %q, want %q", got, want)
		}
		if got := open(t, sent, w.options()); got.Verdict != smime.Valid {
			t.Errorf("%s %+v", got.Verdict, got.Layers)
		}
	}
}

// An encrypted one shows what the policy leaves, and says within what that was.
func TestHeaderProtectionCipher(t *testing.T) {
	w := theWorld()
	body := "hello\r\n"
	message := trace + secretive + "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + body
	shown := "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: [...]\r\nMessage-ID: <1@firma.example>\r\nX-Own: yes\r\n"
	outer := func(fields string) string {
		return "HP-Outer: " + strings.ReplaceAll(strings.TrimSuffix(strings.ReplaceAll(fields, "\r\n Sie", "\x00"), "\r\n"), "\r\n", "\r\nHP-Outer: ") + "\r\n"
	}
	display := "Subject: Der Preis f=C3=BCr Sie\r\n\r\n"
	cases := []struct {
		name    string
		headers smime.HeaderProtection
		outside string
		within  string
	}{
		{"baseline", baseline, shown, secretive + outer(shown) +
			"Content-Type: text/plain;\r\n charset=\"utf-8\";\r\n hp-legacy-display=\"1\";\r\n hp=\"cipher\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + display + body},
		{"without legacy display", smime.HeaderProtection{Policy: smime.HCPBaseline, WithoutLegacyDisplay: true}, shown, secretive + outer(shown) +
			"Content-Type: text/plain;\r\n hp=\"cipher\"\r\n\r\n" + body},
		{"no confidentiality", readable, secretive, secretive + strings.ReplaceAll(outer(secretive), "\x00", "\r\n Sie") +
			"Content-Type: text/plain;\r\n hp=\"cipher\"\r\n\r\n" + body},
	}
	for _, c := range cases {
		for _, opaque := range []bool{false, true} {
			sent := protect(t, message, smime.ProtectOptions{Signers: w.alice.signers(), Opaque: opaque, EncryptTo: to(w.bob), Headers: c.headers})
			if !strings.HasPrefix(sent, trace+c.outside+"MIME-Version: 1.0\r\nContent-Type: application/pkcs7-mime;") {
				t.Errorf("%s: outside %q", c.name, sent)
			}
			got, want := strings.TrimRight(payload(t, w, sent), "\r\n"), strings.TrimRight(c.within, "\r\n")
			if got != want {
				t.Errorf("%s: within\n%q, want\n%q", c.name, got, want)
			}
		}
	}
}

// The obscured Subject is shown in the main text, in its charset and encoding, and nowhere else.
func TestLegacyDisplay(t *testing.T) {
	w := theWorld()
	subject := "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_=26_=E2=82=AC_=3C=C4=80=3E?=\n"
	element := `<div class="header-protection-legacy-display"><pre>Subject: Gr&#252;&#223;e &amp; &#8364; &lt;&#256;&gt;</pre></div>`
	marked := "hp-legacy-display=\"1\""
	cases := []struct {
		name, content string
		has           []string
		n             int // parts with a display
	}{
		{"utf-8", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nf\u00fcr Sie und alle\n", []string{"\n\nSubject: Gr=C3=BC=C3=9Fe & =E2=82=AC <=C4=80>\n\nf=C3=BCr"}, 1},
		{"base64", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nZsO8cg==\n", []string{"U3ViamVjdDogR3LDvMOfZSAmIOKCrCA8xIA+DQoNCmbDvHI=\n"}, 1},
		{"windows-1252", "Content-Type: text/plain; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\nf=FCr\n", []string{"\n\nSubject: Gr=FC=DFe & =80 <?>\n\nf=FCr"}, 1},
		{"ASCII in quoted-printable", "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: quoted-printable\n\nfor\n", []string{"\n\nSubject: Gr??e & ? <?>\n\nfor"}, 1},
		{"html", "Content-Type: text/html; charset=utf-8\n\n<!-- <body> --><style><body></style><BODY a='>'><p>for</BODY>\n", []string{"<BODY a='>'>\n" + element + "\n<p>for"}, 1},
		{"html without a body", "Content-Type: text/html\n\n<p>for\n", nil, 0},
		{"html that hides its body", "Content-Type: text/html\n\n<!-- <body><p>for\n", nil, 0},
		{"utf-16", "Content-Type: text/html; charset=utf-16\nContent-Transfer-Encoding: base64\n\nPGJvZHk+\n", nil, 0},
		{"another type", "Content-Type: text/calendar; charset=utf-8\n\nBEGIN\n", nil, 0},
		{"an encoding nobody knows", "Content-Type: text/plain\nContent-Transfer-Encoding: x-uu\n\nbegin\n", nil, 0},
		{"alternatives", "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\none\n--b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: text/html\n\n<body>two\n--c\nContent-Type: text/html\n\n<body>three\n--c--\n--b--\n",
			[]string{"\nSubject: Gr=C3=BC", element, "<body>three"}, 2},
		{"with an attachment", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\none\n--b\nContent-Type: text/plain; name=x.txt\n\ntwo\n--b--\n", []string{"\nSubject: Gr=C3=BC", "name=x.txt\n\ntwo"}, 1},
		{"an attachment alone", "Content-Type: text/plain; charset=utf-8\nContent-Disposition: attachment\n\none\n", nil, 0},
		{"a part signed elsewhere", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/signed; boundary=c\n\n--c\nContent-Type: text/plain; charset=utf-8\n\none\n--c\n\n--c--\n--b--\n", nil, 0},
	}
	for _, c := range cases {
		message := "From: alice@firma.example\n" + subject + "MIME-Version: 1.0\n" + c.content
		sent := protect(t, message, smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob), Headers: baseline})
		got := strings.ReplaceAll(payload(t, w, sent), "\r\n", "\n")
		for _, want := range c.has {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", c.name, want, got)
			}
		}
		if strings.Count(got, marked) != c.n || strings.Count(got, "Subject: Gr") > c.n {
			t.Errorf("%s: a display in other places:\n%s", c.name, got)
		}
	}
}

// A part where the display has no place, and a Subject that shows nothing, get none.
func TestNoLegacyDisplay(t *testing.T) {
	w := theWorld()
	for _, head := range []string{"", "Subject:\r\n", "Subject: [...]\r\n", "Subject: =?utf-8?q?=20?=\r\n"} {
		sent := protect(t, head+hello, smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob), Headers: baseline})
		if got := payload(t, w, sent); strings.Contains(got, "legacy") || !strings.Contains(got, "\r\n\r\nhello") {
			t.Errorf("%q: %q", head, got)
		}
	}
}

// What is signed already keeps its bytes, and its Subject outside: there is no place to protect it.
func TestHeaderProtectionOfWhatIsSigned(t *testing.T) {
	w := theWorld()
	for _, inner := range []string{signed(t, w.alice, "s", hello), opaque(t, w.alice, hello)} {
		for _, o := range []smime.ProtectOptions{{EncryptTo: to(w.bob)}, {Signers: w.alice.signers()}} {
			o.Headers = baseline
			sent := protect(t, outside+inner, o)
			if !strings.HasPrefix(sent, outside) {
				t.Errorf("outside %q", sent)
			}
			if got := open(t, sent, w.options()); len(o.EncryptTo) > 0 && delivered(t, got) != outside+inner {
				t.Errorf("delivered %q", delivered(t, got))
			} else if len(o.EncryptTo) == 0 && !strings.Contains(sent, inner) {
				t.Errorf("signed %q", sent)
			}
		}
	}
}

func TestHeaderProtectionRefuses(t *testing.T) {
	w := theWorld()
	o := smime.ProtectOptions{Signers: w.alice.signers(), Headers: smime.HeaderProtection{Policy: "hcp_none"}}
	if err := smime.Protect(io.Discard, text(outside+hello), o); !errors.Is(err, smime.ErrOptions) {
		t.Errorf("a policy nobody knows: %v", err)
	}
	o = smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob), Headers: baseline}
	long := "Content-Type: text/" + strings.Repeat("y", 1000) + " (x)\r\n\r\nhello\r\n"
	if err := smime.Protect(io.Discard, text(outside+long), o); !errors.Is(err, smime.ErrMessage) {
		t.Errorf("a Content-Type that cannot take a parameter: %v", err)
	}
	message := outside + "Content-Type: text/html\r\n\r\n<body>hello\r\n"
	for n, failed := 1, true; failed; n++ {
		left := n
		err := smime.Protect(io.Discard, flaky{text(message), &left, 10}, o)
		if failed = left <= 0; failed != errors.Is(err, errDisk) {
			t.Errorf("opening %d fails: %v", n, err)
		}
	}
}
