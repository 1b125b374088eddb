package smime_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// bodies are contents that programs trip over.
var bodies = map[string]string{
	"plain":      plain,
	"empty":      "\n",
	"no newline": "Content-Type: text/plain\n\nHello",
	"eight bit":  "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\u00fc\u00dfe aus M\u00fcnchen, wie immer \nFrom me to you\n",
	"multipart":  "Content-Type: multipart/mixed;\n boundary=\"x y\"\n\npreamble\n--x y\nContent-Type: text/html\n\n<b>hi</b>\n\n--x y\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--x y--\n",
	"long":       "Content-Type: text/plain\n\n" + strings.Repeat("A line of text that is here many times over.\n", 3000),
}

// OpenSSL and gpgsm find the content that was protected, and its signature right.
func TestOthersReadWhatProtectWrites(t *testing.T) {
	w := theWorld()
	root := w.rootFile(t)
	bobCert, bobKey := w.bob.files(t)
	home := gpgHome(t, w)
	for name, body := range bodies {
		message := letter(body)
		want := openssl7bit(t, body)
		for _, program := range programs(name) {
			verify := func(signed string) {
				t.Helper()
				out, err := tryOpenSSL(signed, program, "-verify", "-purpose", "any", "-CAfile", root, "-crlfeol")
				if err != nil || out != want {
					t.Errorf("%s, %s -verify: %v, got\n%q, want\n%q", name, program, err, out, want)
				}
			}
			verify(protect(t, message, smime.ProtectOptions{Signers: w.alice.signers()}))
			for _, a := range []cms.Algorithm{"", cms.AES128CBC, cms.AES256GCM} {
				if a == cms.AES256GCM && program == "smime" {
					continue // openssl smime knows PKCS #7 only
				}
				decrypt := func(sign []smime.Signer) string {
					t.Helper()
					sent := protect(t, message, smime.ProtectOptions{Signers: sign, EncryptTo: to(w.alice, w.bob), Algorithm: a})
					return openssl(t, sent, program, "-decrypt", "-recip", bobCert, "-inkey", bobKey)
				}
				if got := decrypt(nil); got != crlf(body) {
					t.Errorf("%s, %s -decrypt %s: %q, want %q", name, program, a, got, crlf(body))
				}
				verify(decrypt(w.alice.signers()))
			}
		}
		if name == "plain" || name == "multipart" {
			checkGPGSM(t, home, message, w)
		}
	}
}

// programs are openssl's two; the older one need not see every case.
func programs(name string) []string {
	if name == "plain" {
		return []string{"cms", "smime"}
	}
	return []string{"cms"}
}

// openssl7bit is the content as it is signed: what the cases need done to them is done here by hand.
func openssl7bit(t testing.TB, body string) string {
	t.Helper()
	body = strings.Replace(body, "Content-Transfer-Encoding: 8bit", "Content-Transfer-Encoding: quoted-printable", 1)
	for from, to := range map[string]string{"\u00fc\u00dfe": "=C3=BC=C3=9Fe", "M\u00fcn": "M=C3=BCn", "immer \n": "immer=20\n", "From me": "=46rom me"} {
		body = strings.Replace(body, from, to, 1)
	}
	return crlf(body)
}

// gpgHome is a home of gpgsm that trusts the root and has bob's key.
func gpgHome(t *testing.T, w *world) string {
	t.Helper()
	home := t.TempDir()
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	fingerprint := strings.ToUpper(strings.TrimSpace(strings.Split(openssl(t, "", "x509", "-in", w.rootFile(t), "-noout", "-fingerprint", "-sha1"), "=")[1]))
	os.WriteFile(filepath.Join(home, "trustlist.txt"), []byte(fingerprint+" S relax\n"), 0o600)
	os.WriteFile(filepath.Join(home, "gpg-agent.conf"), []byte("allow-loopback-pinentry\ns2k-count 65536\n"), 0o600)
	p12 := filepath.Join(home, "bob.p12")
	os.WriteFile(p12, must(pkcs12.LegacyDES.Encode(w.bob.key, w.bob.cert, []*x509.Certificate{w.root}, "x")), 0o600)
	gpgsm(t, home, "", "--import", w.rootFile(t))
	out, err := gpgsm(t, home, "x\n", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", p12)
	if err != nil {
		t.Fatalf("gpgsm takes no key: %v\n%s", err, out)
	}
	return home
}

func gpgsm(t testing.TB, home, stdin string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("gpgsm", append([]string{"--homedir", home, "--batch", "--disable-crl-checks", "--disable-dirmngr", "--disable-policy-checks", "--status-fd", "2"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, status strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &status
	err := cmd.Run()
	return out.String() + "\x00" + status.String(), err
}

// checkGPGSM verifies a clear signature and decrypts with gpgsm, which knows no MIME: the parts are cut out
// here.
func checkGPGSM(t *testing.T, home, message string, w *world) {
	t.Helper()
	signed := protect(t, message, smime.ProtectOptions{Signers: w.alice.signers()})
	content, signature := clearParts(t, signed)
	out, _ := gpgsm(t, home, "", "--assume-base64", "--verify", temp(t, signature), temp(t, content))
	if !strings.Contains(out, "GOODSIG") || !strings.Contains(out, "TRUST_FULLY") {
		t.Errorf("gpgsm finds no good signature of a trusted signer: %s", out)
	}
	sent := protect(t, message, smime.ProtectOptions{Signers: w.alice.signers(), EncryptTo: to(w.bob)})
	_, body, _ := strings.Cut(sent, "\r\n\r\n")
	out, err := gpgsm(t, home, "x\n", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--assume-base64", "--decrypt", temp(t, body))
	plain, _, _ := strings.Cut(out, "\x00")
	if err != nil || !strings.Contains(plain, content) {
		t.Errorf("gpgsm decrypts %q (%v): %s", plain, err, out)
	}
}

// clearParts takes a multipart/signed that Protect wrote apart, without the code under test.
func clearParts(t testing.TB, message string) (content, signature string) {
	t.Helper()
	_, rest, _ := strings.Cut(message, "boundary=\"")
	boundary, rest, _ := strings.Cut(rest, "\"")
	parts := strings.Split(rest, "--"+boundary)
	if len(parts) != 4 {
		t.Fatalf("%d parts", len(parts))
	}
	_, signature, _ = strings.Cut(parts[2], "\r\n\r\n")
	return strings.TrimSuffix(strings.TrimPrefix(parts[1], "\r\n"), "\r\n"), signature
}

// What OpenSSL writes, Open reads; OpenSSL writes files with LF.
func TestOpenReadsWhatOpenSSLWrites(t *testing.T) {
	w := theWorld()
	aliceCert, aliceKey := w.alice.files(t)
	bobCert, _ := w.bob.files(t)
	fields := []string{"-from", "alice@firma.example", "-to", "bob@partner.example", "-subject", "Test"}
	sign := func(program, in string, more ...string) string {
		return openssl(t, in, append(append([]string{program, "-sign", "-signer", aliceCert, "-inkey", aliceKey}, fields...), more...)...)
	}
	encrypt := func(program, in string, more ...string) string {
		return openssl(t, in, append(append(append([]string{program, "-encrypt"}, fields...), more...), bobCert)...)
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			for _, program := range programs(name) {
				for _, in := range []string{body, crlf(body)} {
					check := func(message string, verdict smime.Verdict, want, content string) {
						t.Helper()
						o := openNow(t, w, message)
						expect(t, o, verdict, want)
						if got := delivered(t, o); content == "" && got != message {
							t.Errorf("%s: a message without an open envelope is changed", program)
						} else if content != "" && content != "*" && !strings.HasSuffix(got, "\r\n"+content) {
							t.Errorf("%s: delivered is %q, want content %q", program, got, content)
						}
					}
					check(sign(program, in), smime.Valid, "signed:clear:valid", "")
					check(crlf(sign(program, in)), smime.Valid, "signed:clear:valid", "")
					check(sign(program, in, "-md", "sha512"), smime.Valid, "signed:clear:valid", "")
					check(sign(program, in, "-nodetach"), smime.Valid, "signed:opaque:valid", "")
					check(sign(program, in, "-nodetach", "-stream"), smime.Valid, "signed:opaque:valid", "")
					check(encrypt(program, in, "-aes256"), smime.Unsigned, "enveloped:open", crlf(in))
					check(encrypt(program, in, "-aes128", "-stream"), smime.Unsigned, "enveloped:open", crlf(in))
					both := encrypt(program, sign(program, in), "-aes256")
					check(both, smime.Valid, "enveloped:open signed:clear:valid", "*")
					opaque := encrypt(program, sign(program, in, "-nodetach"), "-aes256")
					check(opaque, smime.Valid, "enveloped:open signed:opaque:valid", "*")
				}
			}
			check := func(message string) {
				t.Helper()
				o := openNow(t, w, message)
				expect(t, o, smime.Unsigned, "authEnveloped:open")
				if l := o.Layers[0]; !l.Authenticated || l.Algorithm != "aes256-gcm" {
					t.Errorf("%+v", l)
				}
			}
			check(encrypt("cms", body, "-aes-256-gcm"))
			check(encrypt("cms", body, "-aes-256-gcm", "-keyid"))
			if name == "plain" {
				expect(t, openNow(t, w, sign("cms", body, "-keyid")), smime.Valid, "signed:clear:valid")
			}
		})
	}
}

// openNow opens with the time of the clock, since OpenSSL signs with that.
func openNow(t testing.TB, w *world, message string) *smime.Opened {
	t.Helper()
	o := w.options()
	o.Now = time.Now()
	return open(t, message, o)
}

// vector reads a public test vector.
func vector(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SIEGEL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "testdata")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the public test vectors are not here (%s); set SIEGEL_TESTDATA to their folder", dir)
	}
	return string(must(os.ReadFile(filepath.Join(dir, name))))
}

// RFC 4134 has DSA with SHA-1 and RC2 or triple DES: nothing of it proves or opens anything today, and
// nothing of it harms.
func TestRFC4134(t *testing.T) {
	for name, want := range map[string]string{
		"4.8.eml": "signed:clear",
		"4.9.eml": "signed:opaque",
		"5.3.eml": "enveloped",
	} {
		message := vector(t, "rfc4134/"+name)
		o := openNow(t, theWorld(), message)
		if !strings.HasPrefix(layers(o.Report), want) || o.Verdict == smime.Valid || delivered(t, o) != message {
			t.Errorf("%s: %s, %s", name, o.Verdict, layers(o.Report))
		}
		if name != "5.3.eml" {
			s := o.Layers[0].Signers
			if len(s) != 1 || s[0].Address != "AliceDSS@example.com" {
				t.Errorf("%s: signers %+v", name, s)
			}
			continue
		}
		if r := o.Layers[0].Recipients; o.Verdict != smime.Unsigned || len(r) != 1 || r[0].Issuer != "CN=CarlRSA" {
			t.Errorf("%s: %s, recipients %+v", name, o.Verdict, r)
		}
	}
}

// The keys of RFC 9216 sign and encrypt, here and with openssl.
func TestRFC9216(t *testing.T) {
	alice, bob := pemPerson(t, "alice.sign"), pemPerson(t, "bob.encrypt")
	message := strings.NewReplacer("alice@firma.example", "alice@smime.example", "bob@partner.example", "bob@smime.example").Replace(letter(plain))
	w := &world{root: parsePEM(t, vector(t, "rfc9216/ca.rsa.crt"))}
	o := smime.OpenOptions{Keys: keys(bob), Judge: w.judge, Scratch: scratch, Now: now}
	sent := protect(t, message, smime.ProtectOptions{Signers: alice.signers(), EncryptTo: to(bob)})
	opened := open(t, sent, o)
	expect(t, opened, smime.Valid, "enveloped:open signed:clear:valid")
	if s := opened.Layers[1].Signers[0]; s.Address != "alice@smime.example" || s.Algorithm != "rsa-sha256" || s.SignedAt != now {
		t.Errorf("signer %+v", s)
	}
	signed := protect(t, message, smime.ProtectOptions{Signers: alice.signers()})
	root := filepath.Join(t.TempDir(), "root")
	writePEM(t, root, "CERTIFICATE", w.root.Raw)
	openssl(t, signed, "cms", "-verify", "-CAfile", root)
}

// pemPerson reads a certificate and key of RFC 9216.
func pemPerson(t testing.TB, name string) person {
	t.Helper()
	block, _ := pem.Decode([]byte(vector(t, "rfc9216/"+name+".key")))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes))
	return person{cert: parsePEM(t, vector(t, "rfc9216/"+name+".crt")), key: key.(crypto.Signer)}
}

func parsePEM(t testing.TB, s string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(s))
	return must(x509.ParseCertificate(block.Bytes))
}
