package smime_test

import (
	"math/rand/v2"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// What a wrong key makes of CBC has a right padding one time in 256. It is not shown, and looks like any other
// envelope that stays closed.
func TestNoiseStaysClosed(t *testing.T) {
	w := theWorld()
	none := w.options()
	none.Keys = nil
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{300, 600, 5000} {
		for range 200 {
			noise := make([]byte, size)
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			message := outside + enveloped(t, w, string(noise), cms.AES256CBC)
			o := open(t, message, w.options())
			if o.Changed() || o.Layers[0].Decrypted || delivered(t, o) != message {
				t.Fatalf("%d bytes of noise came out: %q", size, noise)
			}
			if closed := open(t, message, none); closed.Layers[0].Decrypted != o.Layers[0].Decrypted || closed.Verdict != o.Verdict {
				t.Errorf("%+v, without a key %+v", o.Report, closed.Report)
			}
		}
	}
}

// What programs write is no noise, with a header and without; nor is anything whose integrity is guarded.
func TestTextIsNoNoise(t *testing.T) {
	w := theWorld()
	for _, inner := range []string{
		"no header\r\n", "\r\nan empty header\r\n", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$\x1b(B\r\n",
		"Gr\xfc\xdfe\r\n", "", "Content-Transfer-Encoding: binary\r\n\r\n\x00\x01\x02\x03\x04", "\xef\xbb\xbfbyte order\r\n",
	} {
		if o := open(t, outside+enveloped(t, w, inner, cms.AES256CBC), w.options()); !o.Layers[0].Decrypted {
			t.Errorf("%q stayed closed", inner)
		}
	}
	o := open(t, outside+enveloped(t, w, "\x00\x01\x02\x03", cms.AES256GCM), w.options())
	expect(t, o, smime.Unsigned, "authEnveloped:open")
}
