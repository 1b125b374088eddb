package smimetool

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/smime"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

const message = "From: Alice <alice@firma.example>\r\nTo: bob@firma.example\r\nSubject: Offer\r\nDate: Wed, 01 May 2030 12:00:00 +0000\r\n\r\nThe offer is enclosed.\r\n"

// bench is a folder with an authority and two of its users.
type bench struct {
	*testing.T
	dir string
	ca  *democa.CA
	ids map[string]certs.Identity
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newBench(t *testing.T) bench {
	b := bench{t, t.TempDir(), must(democa.NewCA(now)), map[string]certs.Identity{}}
	b.write("ca.pem", democa.CertificatePEM(b.ca.Certificate()))
	for _, who := range []string{"alice", "bob"} {
		id := must(b.ca.Issue(who+"@firma.example", democa.Options{}))
		b.ids[who] = id
		b.write(who+".pem", append(democa.CertificatePEM(id.Certificate), must(democa.KeyPEM(id.Key))...))
	}
	b.write("m.eml", []byte(message))
	return b
}

func (b bench) write(name string, data []byte) string {
	b.Helper()
	path := b.path(name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func (b bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b bench) keys(who string) Keys { return Keys{Key: []string{b.path(who + ".pem")}} }

// run runs a command with in as standard input and proves that nothing stays behind.
func (b bench) run(c interface{ Run(*Tool) error }, in string) (string, error) {
	b.Helper()
	var out bytes.Buffer
	temp := b.TempDir()
	err := c.Run(&Tool{Ctx: b.Context(), In: strings.NewReader(in), Out: &out, Now: func() time.Time { return now }, Temp: temp})
	if left := must(os.ReadDir(temp)); len(left) > 0 {
		b.Errorf("left behind: %v", left)
	}
	return out.String(), err
}

// code is the exit code of an error.
func code(err error) int {
	var coded interface{ ExitCode() int }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.ExitCode()
	}
	return -1
}

// What one command writes the next one reads.
func TestThere(t *testing.T) {
	b := newBench(t)
	to := Recipients{To: []string{b.path("bob.pem")}}
	strength := Strength{Profile: string(smime.Compatible)}
	trust := Trust{CA: []string{b.path("ca.pem")}}
	for name, c := range map[string]interface{ Run(*Tool) error }{
		"sign":             &Sign{Keys: b.keys("alice"), Strength: strength},
		"sign, opaque":     &Sign{Keys: b.keys("alice"), Strength: strength, Opaque: true},
		"sign, by PSS":     &Sign{Keys: b.keys("alice"), Strength: Strength{Profile: string(smime.RFC8551), PSS: true}},
		"sign, headers":    &Sign{Keys: b.keys("alice"), Strength: strength, Headers: true},
		"protect":          &Protect{Keys: b.keys("alice"), Recipients: to, Strength: strength},
		"protect, subject": &Protect{Keys: b.keys("alice"), Recipients: to, Strength: strength, ShowSubject: true, Opaque: true},
		"protect, plain":   &Protect{Keys: b.keys("alice"), Recipients: Recipients{To: to.To, OAEP: true, Algorithm: "aes256-gcm"}, Strength: strength, NoHeaders: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := b
			b.T = t
			out, err := b.run(c, message)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.run(&Verify{Keys: b.keys("bob"), Trust: trust}, out)
			if err != nil || !strings.HasPrefix(got, "verdict: valid\n") {
				t.Errorf("%v\n%s", err, got)
			}
			got, err = b.run(&Verify{Keys: b.keys("bob"), Trust: Trust{CA: trust.CA, At: now.AddDate(5, 0, 0)}}, out)
			if code(err) != exitNot || err.Error() != "" || strings.HasPrefix(got, "verdict: valid\n") {
				t.Errorf("five years later: %v\n%s", err, got)
			}
			if !strings.HasPrefix(name, "protect") {
				return
			}
			plain, err := b.run(&Decrypt{Keys: b.keys("bob")}, out)
			if err != nil || !strings.Contains(plain, "Subject: Offer") || (!strings.Contains(plain, "The offer is enclosed.") && !strings.Contains(name, "subject")) {
				t.Errorf("%v\n%s", err, plain)
			}
			if shown := strings.Contains(out, "Subject: Offer"); shown == (name == "protect") {
				t.Errorf("the Subject shows: %v", shown)
			}
		})
	}
}

// The exit code tells what went wrong, and the text what to do.
func TestFailures(t *testing.T) {
	b := newBench(t)
	ec := must(b.ca.Issue("bob@firma.example", democa.Options{Key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}))
	garbage := b.write("garbage", []byte("no certificate"))
	compatible := Strength{Profile: string(smime.Compatible)}
	encrypted := must(b.run(&Encrypt{Recipients: Recipients{To: []string{b.path("bob.pem")}}, Profile: compatible.Profile}, message))
	for _, c := range []struct {
		name    string
		command interface{ Run(*Tool) error }
		in      string
		code    int
		want    string
	}{
		{"no key", &Sign{Strength: compatible}, message, exitUsage, "name a key with --key"},
		{"no recipient", &Encrypt{Profile: compatible.Profile}, message, exitUsage, "with --to"},
		{"protect without a key", &Protect{Strength: compatible}, message, exitUsage, "or use encrypt"},
		{"protect without a recipient", &Protect{Keys: b.keys("alice"), Strength: compatible}, message, exitUsage, "or use sign --headers"},
		{"another profile", &Sign{Keys: b.keys("alice"), Strength: Strength{Profile: "x"}}, message, exitUsage, `"x" is no profile`},
		{"a key too small", &Sign{Keys: b.keys("alice"), Strength: Strength{Profile: string(smime.TR03116)}}, message, exitUsage, "3072"},
		{"an algorithm that its profile has not", &Encrypt{Recipients: Recipients{To: []string{b.write("ec.pem", democa.CertificatePEM(ec.Certificate))}, Algorithm: "aes256-cbc"}, Profile: string(smime.TR03116)}, message, exitUsage, "does not allow"},
		{"garbage for a key", &Sign{Keys: Keys{Key: []string{garbage}}, Strength: compatible}, message, exitUsage, "damaged"},
		{"garbage for a recipient", &Encrypt{Recipients: Recipients{To: []string{garbage}}, Profile: compatible.Profile}, message, exitUsage, "--to: "},
		{"a password file that is none", &Sign{Keys: Keys{Key: []string{b.path("alice.pem")}, PasswordFile: []string{b.write("long", make([]byte, maxPassword+1))}}, Strength: compatible}, message, exitUsage, "no file with a password"},
		{"a password file that is not there", &Sign{Keys: Keys{Key: []string{b.path("alice.pem")}, PasswordFile: []string{"none"}}, Strength: compatible}, message, exitUsage, "the password cannot be read"},
		{"no message", &Verify{}, "hello", exitUsage, "this is no message"},
		{"nothing", &Verify{}, "", exitUsage, "this is no message"},
		{"a header without end", &Verify{}, "From: x\r\n" + strings.Repeat("a: b\r\n", 100_000), exitUsage, "cannot be read"},
		{"no file", &Verify{Message: Message{File: b.path("none")}}, "", exitUsage, "no such file"},
		{"a folder", &Verify{Message: Message{File: b.dir}}, "", exitUsage, "is a folder"},
		{"no list", &Verify{Trust: Trust{CRL: []string{garbage}}}, message, exitUsage, "--crl: "},
		{"a list that is not there", &Verify{Trust: Trust{CRL: []string{"none"}}}, message, exitUsage, "no such file"},
		{"not encrypted", &Decrypt{Keys: b.keys("bob")}, message, exitNot, "is not encrypted"},
		{"for somebody else", &Decrypt{Keys: b.keys("alice")}, encrypted, exitNot, "cannot be decrypted with these keys"},
		{"decrypt without a key", &Decrypt{}, encrypted, exitUsage, "--key"},
		{"unsigned", &Verify{}, message, exitNot, ""},
	} {
		out, err := b.run(c.command, c.in)
		if code(err) != c.code || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: code %d, %v", c.name, code(err), err)
		}
		if out != "" && c.want != "" {
			t.Errorf("%s: writes %q", c.name, out)
		}
	}
}

// verify and inspect print JSON in any case.
func TestJSON(t *testing.T) {
	b := newBench(t)
	signed := must(b.run(&Sign{Keys: b.keys("alice"), Strength: Strength{Profile: string(smime.Compatible)}}, message))
	for _, c := range []struct {
		in            string
		trust         Trust
		code          int
		verdict, text string
	}{
		{signed, Trust{CA: []string{b.path("ca.pem")}}, 0, "valid", ""},
		{signed, Trust{}, exitNot, "untrusted", ""},
		{message, Trust{}, exitNot, "unsigned", ""},
		{"no message", Trust{}, exitUsage, "unsigned", "this is no message"},
		{signed, Trust{CA: []string{"none"}}, exitUsage, "unsigned", "--ca: "},
	} {
		v := Verify{Trust: c.trust, JSON: true}
		out, err := b.run(&v, c.in)
		var got struct {
			Verdict string            `json:"verdict"`
			Layers  []json.RawMessage `json:"layers"`
			Error   string            `json:"error"`
		}
		if jsonErr := json.Unmarshal([]byte(out), &got); jsonErr != nil || got.Verdict != c.verdict || got.Layers == nil || !strings.Contains(got.Error, c.text) || (got.Error == "") != (c.text == "") {
			t.Errorf("%v: %s", jsonErr, out)
		}
		if code(err) != c.code {
			t.Errorf("%s: code %d", c.verdict, code(err))
		}
		_, err = b.run(&Inspect{v}, c.in)
		if want := c.code == exitUsage; want != (err != nil) {
			t.Errorf("inspect: %v", err)
		}
	}
	if !WantsJSON([]string{"smime", "verify", "--json", "--x"}) || WantsJSON([]string{"smime", "sign", "--json"}) || WantsJSON([]string{"smime"}) || WantsJSON([]string{"smime", "inspect"}) {
		t.Error("WantsJSON")
	}
}

func TestBeginsWithField(t *testing.T) {
	for in, want := range map[string]bool{
		"From: a": true, "X-y:": true, "Subject : a": true, "": false, ":": false, " : a": false, "a b: c": false, "hello": false, "\x30\x82: ": false,
		"From a@b Mon": false, "-----BEGIN CERTIFICATE-----": false, "\nFrom: a": false, "Grü: a": false,
	} {
		if got := beginsWithField([]byte(in)); got != want {
			t.Errorf("%q: %v", in, got)
		}
	}
}

// The line that mbox files have before a message is none of it.
func TestMbox(t *testing.T) {
	b := newBench(t)
	signed := must(b.run(&Sign{Keys: b.keys("alice"), Strength: Strength{Profile: string(smime.Compatible)}}, message))
	trust := Trust{CA: []string{b.path("ca.pem")}}
	const line = "From alice@firma.example Wed May  1 12:00:00 2030\n"
	if out, err := b.run(&Verify{Trust: trust}, line+signed); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := b.run(&Verify{Trust: trust, Message: Message{File: b.write("mbox", []byte(line+signed))}}, ""); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := b.run(&Sign{Keys: b.keys("alice"), Strength: Strength{Profile: string(smime.Compatible)}}, line+message); err != nil || strings.Contains(out, "From alice") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, bad := range []string{line, line + line + signed, "From a", "From a\n\n" + message} {
		if _, err := b.run(&Verify{Trust: trust}, bad); code(err) != exitUsage {
			t.Errorf("%q: %v", bad[:6], err)
		}
	}
}

// Of a file with certificates for both purposes and of authorities the right ones are taken.
func TestChosen(t *testing.T) {
	b := newBench(t)
	ca := b.ca.Certificate()
	sign := must(b.ca.Issue("alice@firma.example", democa.Options{KeyUsage: 1})).Certificate // digitalSignature
	both := b.ids["alice"].Certificate
	file := democa.CertificatePEM
	path := b.write("many.pem", bytes.Join([][]byte{file(ca), file(sign), file(both)}, nil))
	files := must(certificates([]string{path}, "--to"))
	if got := mayEncrypt(files[0]); len(got) != 1 || !got[0].Equal(both) {
		t.Errorf("%d recipients", len(got))
	}
	files = must(certificates([]string{b.write("one.pem", file(sign))}, "--to"))
	if got := mayEncrypt(files[0]); len(got) != 1 || !got[0].Equal(sign) {
		t.Error("what was named is not taken as it is")
	}
	only := must(b.ca.Issue("alice@firma.example", democa.Options{KeyUsage: 4})) // keyEncipherment
	if got := maySign([]certs.Identity{only, b.ids["alice"]}); len(got) != 1 || !got[0].Certificate.Equal(both) {
		t.Errorf("%d sign", len(got))
	}
	if got := maySign([]certs.Identity{only}); len(got) != 1 {
		t.Errorf("%d sign", len(got))
	}
}

// What a message says cannot move the cursor.
func TestPrintText(t *testing.T) {
	r := smime.Report{Verdict: smime.Broken, Reasons: []string{"a\x1b[2J"}, Layers: []smime.Layer{
		{Type: smime.TypeSigned, Form: smime.FormClear, Verdict: smime.Broken, Errant: true, Signers: []smime.SignerVerdict{{Subject: "x\ny", Serial: "1", Verdict: smime.Weak, Reasons: []string{"because"}}}},
		{Type: smime.TypeEnveloped, Recipients: []smime.Recipient{{SubjectKeyID: "ab", Algorithm: "rsa"}}},
		{Type: smime.TypeCompressed},
	}}
	var out bytes.Buffer
	if err := printText(&out, r); err != nil {
		t.Fatal(err)
	}
	want := "verdict: broken\n  a\\x1b[2J\n1. signed (clear): broken, beside other content\n   nobody named: weak\n     certificate x\\ny, issued by , serial 1\n     \n     because\n" +
		"2. encrypted, in a way that cannot be read, without integrity, not decrypted\n   for key identifier ab, by rsa\n3. compressed\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if err := printText(failing{}, r); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

// Write implements io.Writer.
func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
