package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// The kinds of layers, as a report names them.
const (
	layerClear  = "signed:clear"
	layerOpaque = "signed:opaque"
	layerCBC    = "enveloped"
	layerGCM    = "authEnveloped"
	layerZip    = "compressed" // which we read and do not write, and BouncyCastle alone has
)

// sequences are all ways to wrap up to n times in these kinds, the innermost layer first.
func sequences(n int, kinds ...string) [][]string {
	all, last := [][]string{}, [][]string{nil}
	for range n {
		var next [][]string
		for _, s := range last {
			for _, kind := range kinds {
				next = append(next, append(append([]string{}, s...), kind))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}

// The cases that layers are made with.
func signLayer(form string) signCase {
	return signCase{schemes: signSchemes[:1], hash: crypto.SHA256, form: form}
}

func sealLayer(kind string) sealCase {
	algorithm := "aes256-cbc"
	if kind == layerGCM {
		algorithm = "aes256-gcm"
	}
	return sealCase{transports: transports()[:1], algorithm: algorithm, form: streamed}
}

// letterHead is the outer header of every message.
const letterHead = "From: rsa@interop.example\r\nTo: rsa@interop.example\r\nSubject: layers\r\nMIME-Version: 1.0\r\n"

const letterBody = "Content-Type: text/plain; charset=us-ascii\r\n\r\nSehr geehrte Damen und Herren,\r\nanbei der Vertrag.\r\n"

// wrap has a peer put a layer around a MIME entity.
func wrap(p peer, entity, kind string) (string, error) {
	switch kind {
	case layerClear:
		der, err := p.sign(signLayer(detached), []byte(entity))
		return "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=\"=-layer" + fmt.Sprint(len(entity)) + "\"\r\n\r\n" +
			"--=-layer" + fmt.Sprint(len(entity)) + "\r\n" + entity + "\r\n--=-layer" + fmt.Sprint(len(entity)) +
			"\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(der) +
			"\r\n--=-layer" + fmt.Sprint(len(entity)) + "--\r\n", err
	case layerOpaque:
		der, err := p.sign(signLayer(opaque), []byte(entity))
		return pkcs7Entity("signed-data", der), err
	case layerZip:
		der, err := p.(*bouncyCastle).compress([]byte(entity))
		return pkcs7Entity("compressed-data", der), err
	}
	der, err := p.encrypt(sealLayer(kind), []byte(entity))
	return pkcs7Entity(map[string]string{layerCBC: "enveloped-data", layerGCM: "authEnveloped-data"}[kind], der), err
}

// pkcs7Entity is a CMS structure as a MIME entity.
func pkcs7Entity(kind string, der []byte) string {
	return "Content-Type: application/pkcs7-mime; smime-type=" + kind + "; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines(der)
}

// lines is base64 as mail has it.
func lines(data []byte) string {
	var out strings.Builder
	for s := base64.StdEncoding.EncodeToString(data); s != ""; {
		n := min(76, len(s))
		out.WriteString(s[:n] + "\r\n")
		s = s[n:]
	}
	return out.String()
}

// memory is a message, or scratch, in memory.
type memory struct{ bytes.Buffer }

func (m *memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.Bytes())), nil }
func (m *memory) Size() int64                  { return int64(m.Len()) }
func (m *memory) Close() error                 { return nil }

func messageOf(s string) *memory {
	m := new(memory)
	m.WriteString(s)
	return m
}

// openOptions trusts the root and has the key of rsa.
func (w *world) openOptions() smime.OpenOptions {
	return smime.OpenOptions{
		Keys: func([]cms.RecipientID) []cms.Key {
			key, _ := keyOf(w.people["rsa"])
			return []cms.Key{key}
		},
		Judge: func(_ context.Context, leaf *x509.Certificate, _ []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
			roots := x509.NewCertPool()
			roots.AddCert(w.root.cert)
			_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
			if err != nil {
				return smime.Untrusted, []string{err.Error()}
			}
			return smime.Valid, nil
		},
		Scratch: func() smime.Buffer { return new(memory) },
	}
}

// layersOf are the layers of a report in short, the innermost first.
func layersOf(o *smime.Opened) []string {
	var all []string
	for _, l := range o.Layers {
		s := l.Type
		if l.Type == smime.TypeSigned {
			s += ":" + l.Form
		} else if l.Type == smime.TypeCompressed && !l.Opened || l.Type != smime.TypeCompressed && l.Type != smime.TypeCertificates && !l.Decrypted {
			s += " (closed)"
		}
		all = append([]string{s}, all...)
	}
	return all
}

// TestLayersOfOthers opens what OpenSSL and BouncyCastle wrapped in turns, in every order.
func TestLayersOfOthers(t *testing.T) {
	w := getWorld(t)
	java := newBouncyCastle(t, w).(*bouncyCastle)
	makers := []peer{newOpenSSL(t, w), java}
	all := append(sequences(3, layerClear, layerOpaque, layerCBC, layerGCM), sequences(2, layerClear, layerOpaque, layerGCM, layerZip)...)
	for i, sequence := range all {
		entity, innermost := letterBody, letterBody
		signed, encrypted := false, false
		for j, kind := range sequence {
			var err error
			maker := makers[(i+j)%2]
			if kind == layerZip {
				maker = java
			}
			if entity, err = wrap(maker, entity, kind); err != nil {
				t.Fatalf("%q: %v", sequence, err)
			}
			signature := kind == layerClear || kind == layerOpaque
			if signed = signed || signature; !encrypted && signature {
				innermost = entity // signatures within the innermost envelope stay
			}
			encrypted = encrypted || !signature
		}
		opened, err := smime.Open(t.Context(), messageOf(letterHead+entity), w.openOptions())
		if err != nil {
			t.Fatal(err)
		}
		want := smime.Unsigned
		inner := slices.IndexFunc(sequence, func(kind string) bool { return kind != layerZip }) // what is compressed is still what was signed
		if inner >= 0 && (sequence[inner] == layerClear || sequence[inner] == layerOpaque) {
			want = smime.Valid
		} else if signed {
			want = smime.Partial // who signs an envelope need not know what is in it
		}
		if got := layersOf(opened); opened.Verdict != want || strings.Join(got, " ") != strings.Join(sequence, " ") {
			t.Errorf("%q: %s, layers %q, reasons %q", sequence, opened.Verdict, got, opened.Reasons)
		}
		if zipped := slices.Index(sequence, layerZip); !encrypted || zipped >= 0 && zipped+1 < len(sequence) && strings.HasPrefix(sequence[zipped+1], "signed") {
			innermost = entity // what is signed stays, compressed or not
		}
		var delivered strings.Builder
		opened.WriteTo(&delivered)
		if _, body, _ := strings.Cut(innermost, "\r\n\r\n"); !strings.HasSuffix(delivered.String(), "\r\n\r\n"+body) {
			t.Errorf("%q: delivered\n%s", sequence, delivered.String())
		}
		opened.Close()
	}
}

// unwrap has a peer open the outermost layer of an entity, which must be of a kind, and returns what is within.
func unwrap(w *world, p peer, entity, kind string) (string, error) {
	head, body, _ := strings.Cut(entity, "\r\n\r\n")
	_, params, err := mime.ParseMediaType(field(head, "Content-Type"))
	if err != nil {
		return "", err
	}
	if kind == layerClear {
		parts := strings.Split("\r\n"+body, "\r\n--"+params["boundary"])
		if len(parts) != 4 {
			return "", fmt.Errorf("%d parts", len(parts)-2)
		}
		content := strings.TrimPrefix(parts[1], "\r\n")
		_, signature, _ := strings.Cut(parts[2], "\r\n\r\n")
		der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(signature, "\r\n", ""))
		return content, errors.Join(err, p.verify(signLayer(detached), der, []byte(content)))
	}
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", ""))
	if err != nil {
		return "", err
	}
	if kind == layerOpaque {
		content, err := contentOf(der)
		return content, errors.Join(err, p.verify(signLayer(opaque), der, []byte(content)))
	}
	content, err := decrypted(w, der)
	return content, errors.Join(err, p.decrypt(sealLayer(kind), w.people["rsa"], der, []byte(content)))
}

// contentOf is what a SignedData holds, as openssl says.
func contentOf(der []byte) (string, error) {
	out, err := run(der, "openssl", "cms", "-verify", "-noverify", "-binary", "-inform", "DER")
	return string(out), err
}

// decrypted is what an envelope holds, as openssl says.
func decrypted(w *world, der []byte) (string, error) {
	p := w.people["rsa"]
	out, err := run(der, "openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", p.file("crt"), "-inkey", p.file("key"))
	return string(out), err
}

// field is the value of a header field, unfolded.
func field(head, name string) string {
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head)
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// TestOurLayers has OpenSSL and BouncyCastle open what we wrapped, layer by layer, in every order.
func TestOurLayers(t *testing.T) {
	w := getWorld(t)
	readers := []peer{newOpenSSL(t, w), newBouncyCastle(t, w)}
	p := w.people["rsa"]
	for i, sequence := range sequences(3, layerClear, layerOpaque, layerCBC, layerGCM) {
		message := letterHead + letterBody
		for _, kind := range sequence {
			o := smime.ProtectOptions{Time: time.Now()}
			switch kind {
			case layerClear, layerOpaque:
				o.Signers, o.Opaque = []smime.Signer{{Certificate: p.cert, Key: p.key.(crypto.Signer)}}, kind == layerOpaque
			default:
				o.EncryptTo, o.Algorithm = []cms.Recipient{{Certificate: p.cert}}, cms.Algorithm(sealLayer(kind).algorithm)
			}
			var out bytes.Buffer
			if err := smime.Protect(&out, messageOf(message), o); err != nil {
				t.Fatalf("%q: %v", sequence, err)
			}
			message = out.String()
		}
		for j := len(sequence) - 1; j >= 0; j-- {
			var err error
			if message, err = unwrap(w, readers[(i+j)%2], message, sequence[j]); err != nil {
				t.Fatalf("%q: layer %d by %s: %v", sequence, j, readers[(i+j)%2].name(), err)
			}
		}
		if message != letterBody {
			t.Errorf("%q: %q", sequence, message)
		}
	}
}
