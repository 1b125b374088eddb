package smime_test

import (
	"bytes"
	"compress/zlib"
	"encoding/asn1"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// compressed is an entity that holds another one compressed (RFC 3274).
func compressed(inner string) string {
	type algorithm struct{ ID asn1.ObjectIdentifier }
	type content struct {
		ID      asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
	type data struct {
		Version   int
		Algorithm algorithm
		Content   content
	}
	type info struct {
		ID   asn1.ObjectIdentifier
		Data data `asn1:"explicit,tag:0"`
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	io.WriteString(z, inner)
	z.Close()
	der := must(asn1.Marshal(info{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 9}, data{
		0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 3, 8}}, content{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, packed.Bytes()},
	}}))
	return "Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(der)
}

// Compressed layers stand anywhere. What is in one is delivered where no signature is around it.
func TestCompressed(t *testing.T) {
	w := theWorld()
	good := signed(t, w.alice, "s", hello)
	bomb := hello + strings.Repeat("\r\n", 4<<20)
	cases := []struct {
		name, message string
		verdict       smime.Verdict
		layers        string
		delivered     string // empty: as it came
	}{
		{"alone", compressed(hello), smime.Unsigned, "compressed", hello},
		{"twice", compressed(compressed(hello)), smime.Unsigned, "compressed compressed", hello},
		{"around a signature", compressed(good), smime.Valid, "compressed signed:clear:valid", good},
		{"within a signature", signed(t, w.alice, "s", compressed(hello)), smime.Valid, "signed:clear:valid compressed", ""},
		{"within an opaque signature", opaque(t, w.alice, compressed(hello)), smime.Valid, "signed:opaque:valid compressed", ""},
		{"around an envelope", compressed(enveloped(t, w, good, "")), smime.Valid, "compressed enveloped:open signed:clear:valid", good},
		{"within an envelope", enveloped(t, w, compressed(hello), ""), smime.Unsigned, "enveloped:open compressed", hello},
		{"within an envelope, HTML that is not whole", enveloped(t, w, compressed(html+"<img '"), ""), smime.Unsigned, "enveloped", ""},
		{"signed, compressed, encrypted, signed", signed(t, w.alice, "x", enveloped(t, w, compressed(good), cms.AES256GCM)), smime.Valid, "signed:clear:valid authEnveloped:open compressed signed:clear:valid", good},
		{"beside other content", mixed("\r\nhello", compressed(good)), smime.Unsigned, "compressed:errant", ""},
		{"a bomb", compressed(bomb), smime.Unsigned, "compressed", ""},
		{"a bomb within a signature", signed(t, w.alice, "s", compressed(bomb)), smime.Valid, "signed:clear:valid compressed", ""},
		{"a header over the limit", compressed("X: " + strings.Repeat("abcdefghijklmnopqrstuvwxyz", 20000)), smime.Unsigned, "compressed", ""},
		{"header protection that nothing protects", compressed("Subject: within\r\nContent-Type: text/plain; hp=cipher\r\n\r\nhello\r\n"), smime.Unsigned, "compressed", "Content-Type: text/plain; hp=cipher\r\n\r\nhello\r\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, outside+c.message, w.options())
			expect(t, o, c.verdict, c.layers)
			want := c.delivered
			if want == "" {
				want = c.message
			}
			if got := delivered(t, o); got != outside+want || o.Changed() != (c.delivered != "") {
				t.Errorf("Changed is %v, delivered %.500q", o.Changed(), got)
			}
			last := o.Layers[len(o.Layers)-1]
			if unopened := strings.Contains(c.name, "bomb") || strings.Contains(c.name, "beside") || strings.Contains(c.name, "limit"); last.Type == smime.TypeCompressed && last.Opened == unopened {
				t.Errorf("Opened is %v", last.Opened)
			}
		})
	}
	o := w.options()
	o.Scratch = nil
	if got := open(t, outside+compressed(hello), o); got.Changed() || got.Layers[0].Opened {
		t.Error("opened without scratch")
	}
	o.Scratch = func() smime.Buffer { return &full{room: 10} }
	if _, err := smime.Open(t.Context(), text(outside+compressed(hello)), o); !errors.Is(err, errDisk) {
		t.Errorf("scratch is full: %v", err)
	}
}

// What a message expands to counts once, however many layers hold it.
func TestBombInStages(t *testing.T) {
	w := theWorld()
	big := hello + strings.Repeat("many words that are all alike\r\n", 20000)
	staged := compressed(opaque(t, w.alice, big))
	o := w.options()
	if got := open(t, outside+staged, o); len(got.Layers) != 2 || got.Layers[1].Verdict != smime.Valid {
		t.Fatalf("%+v", got.Layers)
	}
	o.Limits.CMS.Expanded = 1 << 20 // room for one of the two
	got := open(t, outside+staged, o)
	if len(got.Layers) != 2 || !got.Layers[0].Opened || got.Layers[1].Verdict != smime.Broken {
		t.Errorf("%+v", got.Layers)
	}
}
