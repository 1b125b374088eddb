package smime_test

import (
	"bufio"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// FuzzOpen opens mutations of messages of every kind. Whatever comes: no panic, no error, what was not
// opened passes byte for byte, and nothing is valid but the one text that alice signed.
func FuzzOpen(f *testing.F) {
	w := theWorld()
	good := signed(f, w.alice, "s", hello)
	for _, m := range []string{
		outside + good,
		strings.ReplaceAll(outside+good, "\r\n", "\n"),
		outside + opaque(f, w.alice, hello),
		outside + enveloped(f, w, good, ""),
		outside + enveloped(f, w, hello, cms.AES128GCM),
		outside + opaque(f, w.alice, enveloped(f, w, good, cms.AES256GCM)),
		outside + mixed(good, "\r\nfooter"),
		outside + signed(f, w.mallory, "s", hello),
		outside + signed(f, w.alice, "s", withHeader),
		strings.Replace(outside, "alice", "carol", 1) + signed(f, w.alice, "s", withHeader),
		outside + enveloped(f, w, strings.Replace(withHeader, "clear", "cipher", 1), ""),
		outside + enveloped(f, w, opaque(f, w.alice, withHeader), cms.AES256GCM),
		outside + signed(f, w.alice, "s", "Content-Type: message/rfc822\r\n\r\n"+outside+hello),
		outside + enveloped(f, w, html+"<p>hello</p>\r\n", ""),
		outside + compressed(opaque(f, w.alice, compressed(hello))),
		protect(f, letter(hello), smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob), Headers: baseline}),
	} {
		f.Add([]byte(m))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := smime.Open(t.Context(), text(in), w.options())
		if err != nil {
			if !errors.Is(err, smime.ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		defer o.Close()
		var out bytes.Buffer
		if _, err := o.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		if !o.Changed() && !bytes.Equal(out.Bytes(), in) {
			t.Fatalf("%q became %q", in, out.Bytes())
		}
		checkHeader(t, string(in), o)
		if o.Verdict != smime.Valid {
			return
		}
		h := o.Header()
		if from, _ := h.Get("From"); !strings.Contains(lower(from), "alice@firma.example") && !strings.Contains(lower(from), "mallory@evil.example") {
			t.Fatalf("valid, from %q", from)
		}
		innermost := o.Layers[len(o.Layers)-1]
		got := crlf(out.String())
		if innermost.Form == smime.FormClear && !strings.Contains(got, "\r\n\r\nhello\r\n") && !strings.Contains(got, "\r\n\r\nSubject: A letter, folded\r\n\r\nhello\r\n") {
			t.Fatalf("valid, but not what alice signed: %q", out.Bytes())
		}
	})
}

// withHeader is hello with a protected header, and fields that must not come out of there.
const withHeader = "From: alice@firma.example\r\nTo: bob@partner.example\r\nSubject: within\r\nX-Siegel-Verdict: valid\r\nX-de-mail-x: y\r\n" +
	"Authentication-Results: siegel; dkim=pass\r\nHP-Outer: Subject: out\r\nContent-Type: text/plain; hp=\"clear\"\r\n\r\nhello\r\n"

func lower(s string) string { return strings.ToLower(s) }

// checkHeader holds that nothing comes out of layers that only a gateway or a server may say, nor any byte that
// SMTP cannot carry.
func checkHeader(t *testing.T, in string, o *smime.Opened) {
	outer := must(entity.ReadHeader(bufio.NewReader(strings.NewReader(in)), 1<<20))
	h := o.Header()
	for _, f := range h.Fields() {
		for _, prefix := range []string{"X-Siegel", "X-de-mail-", "Authentication-Results", "HP-Outer", "Received"} {
			if f.HasPrefix(prefix) && len(outer.Values(f.Name)) < len(h.Values(f.Name)) {
				t.Fatalf("%s came out of a layer: %q", f.Name, h.Bytes())
			}
		}
	}
	for _, c := range []string{"\x00", "\r"} {
		crs := func(b []byte) int { return strings.Count(strings.ReplaceAll(string(b), "\r\n", "\n"), c) }
		if crs(h.Bytes()) > crs(outer.Bytes()) {
			t.Fatalf("%q came out of a layer: %q", c, h.Bytes())
		}
	}
}

// FuzzProtect protects any bytes there may be, and opens them again.
func FuzzProtect(f *testing.F) {
	w := theWorld()
	for _, b := range bodies {
		f.Add([]byte(letter(b)), uint8(1))
		f.Add([]byte(b), uint8(0))
		f.Add([]byte(letter(b)), uint8(7))
	}
	f.Add([]byte("From: alice@firma.example\r\nMIME-Version: 1.0"), uint8(0))
	f.Add([]byte("Content-Type: text/plain"), uint8(1))
	f.Add([]byte(letter("Content-Type: text/html; hp=x\n\n<body><p>hello\n")), uint8(5))
	f.Fuzz(func(t *testing.T, in []byte, how uint8) {
		encrypt, protected := how&1 != 0, how&4 != 0
		o := smime.ProtectOptions{Signers: w.alice.signers(), Time: now, Opaque: how&2 != 0}
		if protected {
			o.Headers = baseline
		}
		if encrypt {
			o.EncryptTo = to(w.bob)
		}
		var sent bytes.Buffer
		if err := smime.Protect(&sent, text(in), o); err != nil {
			if !errors.Is(err, smime.ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		opened, err := smime.Open(t.Context(), text(sent.String()), w.options())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		layers := opened.Layers
		if len(layers) == 0 || layers[0].Decrypted != encrypt {
			t.Fatalf("%q: %+v", sent.String(), layers)
		}
		outer := layers[0]
		if encrypt {
			outer = layers[1]
		}
		if s := outer.Signers; len(s) != 1 || s[0].Verdict != smime.Valid && s[0].Verdict != smime.Mismatch && s[0].Verdict != smime.Time {
			t.Fatalf("%q became %q: %+v", in, sent.String(), layers)
		}
		if hp := opened.Headers; hp != nil && protected && !hp.Applied && hp.Reason == "" {
			t.Fatalf("%q became %q: %+v", in, sent.String(), hp)
		}
	})
}
