package smime_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
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
		if o.Verdict != smime.Valid {
			return
		}
		innermost := o.Layers[len(o.Layers)-1]
		if innermost.Form == smime.FormClear && !strings.Contains(crlf(out.String()), "\r\n"+strings.TrimSuffix(hello, "\r\n")) {
			t.Fatalf("valid, but not what alice signed: %q", out.Bytes())
		}
	})
}

// FuzzProtect protects any bytes there may be, and opens them again.
func FuzzProtect(f *testing.F) {
	w := theWorld()
	for _, b := range bodies {
		f.Add([]byte(letter(b)), true)
		f.Add([]byte(b), false)
	}
	f.Add([]byte("From: alice@firma.example\r\nMIME-Version: 1.0"), false)
	f.Add([]byte("Content-Type: text/plain"), true)
	f.Fuzz(func(t *testing.T, in []byte, encrypt bool) {
		o := smime.ProtectOptions{Signers: w.alice.signers(), Time: now}
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
	})
}
