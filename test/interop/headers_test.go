package interop

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// sampleWorld has the keys of RFC 9216: alice, who signs, and bob, who decrypts.
type sampleWorld struct {
	root       *x509.Certificate
	alice, bob person
}

func samples(t testing.TB) sampleWorld {
	t.Helper()
	dir := t.TempDir()
	get := func(name string) person {
		t.Helper()
		base := filepath.Join(dir, name)
		for _, kind := range []string{"crt", "key"} {
			der := vector(t, "rfc9216/"+name+"."+kind)
			if _, err := run(der, "openssl", map[string]string{"crt": "x509", "key": "pkey"}[kind], "-inform", "DER", "-out", base+"."+kind); err != nil {
				t.Fatal(err)
			}
		}
		p, err := load(name, base)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	root, err := x509.ParseCertificate(vector(t, "rfc9216/ca.rsa.crt"))
	if err != nil {
		t.Fatal(err)
	}
	return sampleWorld{root, get("alice.sign"), get("bob.encrypt")}
}

func (w sampleWorld) options() smime.OpenOptions {
	return smime.OpenOptions{
		Keys: func([]cms.RecipientID) []cms.Key {
			return []cms.Key{{Certificate: w.bob.cert, Decrypter: w.bob.key.(*rsa.PrivateKey)}}
		},
		Judge: func(_ context.Context, leaf *x509.Certificate, _ []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
			roots := x509.NewCertPool()
			roots.AddCert(w.root)
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}); err != nil {
				return smime.Untrusted, []string{err.Error()}
			}
			return smime.Valid, nil
		},
		Scratch: func() smime.Buffer { return new(memory) },
	}
}

// sign has openssl sign an entity, clear or opaque, and returns it as an entity.
func (w sampleWorld) sign(t testing.TB, entity string, clear bool) string {
	t.Helper()
	args := []string{"cms", "-sign", "-binary", "-outform", "DER", "-signer", w.alice.file("crt"), "-inkey", w.alice.file("key"), "-md", "sha256"}
	if !clear {
		args = append(args, "-nodetach")
	}
	der, err := run([]byte(entity), "openssl", args...)
	if err != nil {
		t.Fatal(err)
	}
	if !clear {
		return pkcs7Entity("signed-data", der)
	}
	return "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=\"179\"; micalg=\"sha-256\"\r\n\r\n--179\r\n" + entity +
		"\r\n--179\r\nContent-Transfer-Encoding: base64\r\nContent-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n\r\n" + lines(der) + "\r\n--179--\r\n"
}

func (w sampleWorld) encrypt(t testing.TB, entity string) string {
	t.Helper()
	der, err := run([]byte(entity), "openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", w.bob.file("crt"))
	if err != nil {
		t.Fatal(err)
	}
	return pkcs7Entity("authEnveloped-data", der)
}

// The fields of the messages, as their author wrote them.
var fieldsOutside = "Date: " + time.Now().Format(time.RFC1123Z) + "\r\nFrom: Alice <alice@smime.example>\r\nTo: Bob <bob@smime.example>\r\n"

const (
	fieldsID     = "Message-ID: <smime-signed-enc@example>\r\n"
	fieldsSecret = "Subject: Der Vertrag\r\n"
	mainText     = "Bob,\r\n\r\nanbei der Vertrag.\r\n\r\nAlice\r\n"
)

// outerOf writes HP-Outer for fields (RFC 9788, 2.2).
func outerOf(fields string) string {
	var out strings.Builder
	for l := range strings.Lines(fields) {
		out.WriteString("HP-Outer: " + l)
	}
	return out.String()
}

// sampleCase is a message with header protection, built from the text of RFC 9788.
type sampleCase struct {
	payload  string // what is signed
	outside  string // the header that shows
	clear    bool   // multipart/signed
	encrypt  bool
	subject  string // that is delivered
	expected string // form, whether applied, and the differences
}

func sampleCases() map[string]sampleCase {
	protected := fieldsSecret + fieldsID + fieldsOutside
	cipher := "Content-Type: text/plain; charset=\"us-ascii\"; hp=\"cipher\"\r\n"
	obscured := "Subject: [...]\r\n" + fieldsID + fieldsOutside
	return map[string]sampleCase{
		"signed, multipart": {
			payload: "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n" + protected + "Content-Type: text/plain; charset=\"us-ascii\"; hp=\"clear\"\r\n\r\n" + mainText,
			outside: protected, clear: true, subject: "Der Vertrag", expected: "clear applied",
		},
		"signed, opaque": {
			payload: protected + "Content-Type: text/plain; charset=\"us-ascii\"; hp=\"clear\"\r\n\r\n" + mainText,
			outside: protected, subject: "Der Vertrag", expected: "clear applied",
		},
		"signed, the Subject changed on the way": {
			payload: protected + "Content-Type: text/plain; charset=\"us-ascii\"; hp=\"clear\"\r\n\r\n" + mainText,
			outside: strings.Replace(protected, "Der Vertrag", "[list] Der Vertrag", 1), clear: true, subject: "Der Vertrag", expected: "clear applied Subject:altered",
		},
		"signed and encrypted, hcp_baseline": {
			payload: protected + outerOf(obscured) + cipher + "\r\n" + mainText,
			outside: obscured, encrypt: true, subject: "Der Vertrag", expected: "cipher applied Subject:obscured",
		},
		"signed and encrypted, multipart within": {
			payload: protected + outerOf(obscured) + cipher + "\r\n" + mainText,
			outside: obscured, clear: true, encrypt: true, subject: "Der Vertrag", expected: "cipher applied Subject:obscured",
		},
		"signed and encrypted, hcp_no_confidentiality": {
			payload: protected + outerOf(protected) + cipher + "\r\n" + mainText,
			outside: protected, encrypt: true, subject: "Der Vertrag", expected: "cipher applied",
		},
		"encrypted, legacy display": {
			payload: protected + outerOf(obscured) + "Content-Type: text/plain; charset=\"us-ascii\"; hp-legacy-display=\"1\"; hp=\"cipher\"\r\n\r\nSubject: Der Vertrag\r\n\r\n" + mainText,
			outside: obscured, encrypt: true, subject: "Der Vertrag", expected: "cipher applied Subject:obscured",
		},
		"no header protection": {
			payload: "Content-Type: text/plain; charset=\"us-ascii\"\r\n\r\n" + mainText,
			outside: protected, clear: true, subject: "Der Vertrag", expected: "",
		},
		"the older form, a message within": {
			payload: "Content-Type: message/rfc822\r\n\r\n" + protected + "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" + mainText,
			outside: "Subject: ...\r\n" + fieldsID + fieldsOutside, clear: true, subject: "Der Vertrag", expected: "message applied Subject:altered",
		},
	}
}

// TestHeaderProtectionOfOthers opens messages with protected header fields that openssl signed and encrypted.
func TestHeaderProtectionOfOthers(t *testing.T) {
	w := samples(t)
	for name, c := range sampleCases() {
		entity := w.sign(t, c.payload, c.clear)
		if c.encrypt {
			entity = w.encrypt(t, entity)
		}
		opened, err := smime.Open(t.Context(), messageOf(c.outside+"MIME-Version: 1.0\r\n"+entity), w.options())
		if err != nil {
			t.Fatal(err)
		}
		form := ""
		if h := opened.Headers; h != nil {
			form = h.Form
			if h.Applied {
				form += " applied"
			}
			for _, d := range h.Differences {
				form += " " + d.Field + ":" + d.Kind
			}
		}
		var out strings.Builder
		opened.WriteTo(&out)
		head, _, _ := strings.Cut(out.String(), "\r\n\r\n")
		if opened.Verdict != smime.Valid || form != c.expected || field(head, "Subject") != c.subject || c.clear && !strings.Contains(out.String(), "anbei der Vertrag") {
			t.Errorf("%s: %s, %q, want %q; %q; delivered\n%s", name, opened.Verdict, form, c.expected, opened.Reasons, out.String())
		}
		opened.Close()
	}
}

// TestOurHeaderProtection takes apart what we write with openssl, and looks for what RFC 9788 wants where (5.2.1).
func TestOurHeaderProtection(t *testing.T) {
	w := samples(t)
	protected := fieldsSecret + fieldsID + fieldsOutside
	message := protected + "Keywords: geheim\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + mainText
	for name, c := range map[string]struct {
		policy  smime.HeaderPolicy
		encrypt bool
		subject string // outside
		kind    string
	}{
		"signed":                          {smime.HCPBaseline, false, "Der Vertrag", "clear"},
		"encrypted":                       {smime.HCPBaseline, true, "[...]", "cipher"},
		"encrypted, nothing confidential": {smime.HCPNoConfidentiality, true, "Der Vertrag", "cipher"},
	} {
		o := smime.ProtectOptions{Time: time.Now(), Opaque: true, Headers: smime.HeaderProtection{Policy: c.policy},
			Signers: []smime.Signer{{Certificate: w.alice.cert, Key: w.alice.key.(crypto.Signer)}}}
		if c.encrypt {
			o.EncryptTo = []cms.Recipient{{Certificate: w.bob.cert}}
		}
		var out strings.Builder
		if err := smime.Protect(&out, messageOf(message), o); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "message")
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		outside, _, _ := strings.Cut(out.String(), "\r\n\r\n")
		inside := out.String()
		if c.encrypt {
			plain, err := run(nil, "openssl", "cms", "-decrypt", "-in", file, "-recip", w.bob.file("crt"), "-inkey", w.bob.file("key"))
			if err != nil {
				t.Fatal(err)
			}
			inside = string(plain)
		}
		payload, err := run([]byte(inside), "openssl", "cms", "-verify", "-noverify")
		if err != nil {
			t.Fatal(err)
		}
		head, text, _ := strings.Cut(string(payload), "\r\n\r\n")
		if got := field(outside, "Subject"); got != c.subject {
			t.Errorf("%s: outside the Subject is %q", name, got)
		}
		if got := field(head, "Content-Type"); !strings.Contains(got, "hp="+c.kind) && !strings.Contains(got, "hp=\""+c.kind+"\"") {
			t.Errorf("%s: Content-Type: %s", name, got)
		}
		for _, f := range []string{"Subject", "From", "To", "Date", "Message-ID", "Keywords"} {
			if field(head, f) != field(message, f) {
				t.Errorf("%s: within, %s is %q", name, f, field(head, f))
			}
			copied := "HP-Outer: " + f + ": " + field(outside, f)
			if has := strings.Contains(strings.ReplaceAll(head, "\r\n ", " "), copied); has != (c.encrypt && field(outside, f) != "") {
				t.Errorf("%s: %q within: %v", name, copied, has)
			}
		}
		if hidden := field(outside, "Keywords") == ""; hidden != (c.policy == smime.HCPBaseline && c.encrypt) {
			t.Errorf("%s: Keywords outside: %v", name, !hidden)
		}
		if !strings.HasSuffix(text, mainText) {
			t.Errorf("%s: the text is %q", name, text)
		}
	}
}
