package protect

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/internal/x509x"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// decrypted is what the key of who finds in a message, byte for byte.
func (b *bench) decrypted(t *testing.T, content smime.Source, who string) string {
	t.Helper()
	id := b.finder.ids[who]
	_, body, _ := strings.Cut(string(read(t, content)), "\r\n\r\n")
	d, err := cms.NewDecrypter(entity.NewBase64Reader(strings.NewReader(body)), cms.DecryptOptions{Keys: func([]cms.RecipientID) []cms.Key {
		key, _ := b.layerKey(t.Context(), id)
		return []cms.Key{key}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := d.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What a rule says of header and signature is done; the subject is obscured only outside of encrypted mail.
func TestTermsAreKept(t *testing.T) {
	const bob = "bob@partner.example"
	for name, c := range map[string]struct {
		terms          policy.Terms
		encrypt        policy.Level
		subject, inner []string // are in the message as it leaves, and in what is decrypted
		not            string   // is not in the message as it leaves
		signed         string
	}{
		"nothing": {policy.Terms{}, policy.Require, []string{"Subject: planted plans"}, nil, "hp=", "rsa-sha256"},
		"obscured": {policy.Terms{Wish: smime.Wish{Obscure: smime.Yes}}, policy.Require, []string{"Subject: [...]\r\n"},
			[]string{"\r\nSubject: planted plans\r\n", "hp=\"cipher\"", "HP-Outer: Subject: [...]"}, "planted", "rsa-sha256"},
		"visible": {policy.Terms{Wish: smime.Wish{Headers: smime.Yes}}, policy.Require, []string{"Subject: planted plans\r\n"},
			[]string{"hp=\"cipher\"", "HP-Outer: Subject: planted plans"}, "hp=", "rsa-sha256"},
		"signed only": {policy.Terms{Wish: smime.Wish{Obscure: smime.Yes, PSS: smime.Yes}}, policy.Never,
			[]string{"Subject: planted plans", "hp=\"clear\""}, nil, "HP-Outer", "rsapss-sha256"},
		"rfc8551": {policy.Terms{Profile: smime.RFC8551}, policy.Require, []string{"Subject: planted plans", "authEnveloped-data"},
			[]string{"hp=\"cipher\""}, "hp=", "rsa-sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: c.encrypt, Terms: c.terms}})
			adm := b.admit(t, envelope(t, bob), message("Subject: planted plans"))
			wire := string(read(t, adm.Entries[0].Content))
			for _, want := range c.subject {
				if !strings.Contains(wire, want) {
					t.Errorf("%q does not leave:\n%.800s", want, wire)
				}
			}
			if strings.Contains(wire, c.not) {
				t.Errorf("%q leaves:\n%.800s", c.not, wire)
			}
			if got := b.layers(t, adm.Entries[0], bob); !strings.HasSuffix(got, c.signed) {
				t.Errorf("layers %q, want a signature by %s", got, c.signed)
			}
			if c.encrypt == policy.Never {
				return
			}
			inner := b.decrypted(t, adm.Entries[0].Content, bob)
			for _, want := range c.inner {
				if !strings.Contains(inner, want) {
					t.Errorf("%q is not protected:\n%.800s", want, inner)
				}
			}
		})
	}
}

// issued is an identity whose key and certificate OpenSSL makes: democa's library has no such keys. kind is what
// openssl genpkey is asked for.
func issued(t *testing.T, ca *democa.CA, address, usage string, kind ...string) certs.Identity {
	t.Helper()
	dir := t.TempDir()
	openssl := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %q: %v\n%s", args, err, out)
		}
	}
	key, err := democa.KeyPEM(ca.Key())
	if err != nil {
		t.Fatal(err)
	}
	extensions := "keyUsage=critical," + usage + "\nextendedKeyUsage=emailProtection\nsubjectAltName=email:" + address + "\n"
	for name, content := range map[string][]byte{"ca.pem": democa.CertificatePEM(ca.Certificate()), "ca.key": key, "ext": []byte(extensions)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openssl(append([]string{"genpkey", "-out", "new.key", "-algorithm"}, kind...)...)
	openssl("pkey", "-in", "new.key", "-pubout", "-out", "new.pub")
	openssl("req", "-new", "-key", "ca.key", "-subj", "/CN="+address, "-out", "new.csr")
	openssl("x509", "-req", "-in", "new.csr", "-force_pubkey", "new.pub", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30", "-extfile", "ext", "-out", "new.pem")
	id := certs.Identity{Chain: nil}
	if id.Certificate, err = x509x.ParseCertificate(block(t, filepath.Join(dir, "new.pem"))); err != nil {
		t.Fatal(err)
	}
	private, err := x509x.ParsePrivateKey(block(t, filepath.Join(dir, "new.key")))
	if err != nil {
		t.Fatal(err)
	}
	if id.Key, _ = private.(crypto.Signer); id.Key == nil {
		id.Agreement = private
	}
	return id
}

func block(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pem.Decode(text)
	if b == nil {
		t.Fatalf("%s is no PEM", file)
	}
	return b.Bytes
}

// withKeys is ours with alice and bob on keys of another kind.
func withKeys(t *testing.T, change func(*Options), kind []string, usage string, rules ...policy.Rule) *bench {
	t.Helper()
	c, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	ids := maps.Clone(c.ids)
	for _, who := range []string{"alice@firma.example", "bob@partner.example"} {
		ids[who] = issued(t, c.ca, who, usage, kind...)
	}
	return benchOf(t, func() (cast, error) { return cast{ca: c.ca, ids: ids}, nil }, change, rules...)
}

// Keys of every kind that is allowed sign, are encrypted to and decrypt, for mail in both directions.
func TestKeysOfAllKindsBothWays(t *testing.T) {
	const alice, bob = "alice@firma.example", "bob@partner.example"
	software := func(o *Options) { o.SMIME.SoftwareBrainpool = true }
	ec := func(curve string) []string { return []string{"EC", "-pkeyopt", "ec_paramgen_curve:" + curve} }
	for name, c := range map[string]struct {
		kind      []string
		change    func(*Options)
		profile   smime.Profile
		outermost string
		signature string
	}{
		"P-384":            {ec("P-384"), nil, smime.RFC8551, "authEnveloped; aes256-gcm; decrypted", "ecdsa-sha384"},
		"brainpoolP256r1":  {ec("brainpoolP256r1"), software, smime.TR03116, "authEnveloped; aes256-gcm; decrypted", "ecdsa-sha256"},
		"brainpoolP512r1":  {ec("brainpoolP512r1"), software, smime.Compatible, "enveloped; aes256-cbc; decrypted; unauthenticated", "ecdsa-sha512"},
		"RSA for PSS only": {[]string{"RSA-PSS", "-pkeyopt", "rsa_keygen_bits:3072"}, nil, smime.TR03116, "", "rsapss-sha256"},
	} {
		t.Run(name, func(t *testing.T) {
			rule := policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require, Terms: policy.Terms{Profile: c.profile, ToSelf: smime.Yes}}}
			usage := "digitalSignature,keyAgreement"
			if c.outermost == "" {
				rule.Encrypt, usage = policy.Never, "digitalSignature"
			}
			b := withKeys(t, c.change, c.kind, usage, rule)
			adm := b.admit(t, envelope(t, bob), message())
			for _, who := range []string{alice, bob} {
				if got := b.layers(t, adm.Entries[0], who); !strings.HasPrefix(got, c.outermost) || !strings.HasSuffix(got, "signed; clear; valid "+c.signature) {
					t.Errorf("%s finds %q", who, got)
				}
			}
			wire := b.from(t, bob, rule.Encrypt == policy.Require)
			if got := string(b.prepare(t, wire, false)); !strings.Contains(got, "X-Siegel-Verdict: valid") || !strings.Contains(got, "we accept") {
				t.Errorf("from bob:\n%.900s", got)
			}
		})
	}
}

// from is a signed message to alice, encrypted where that is asked for.
func (b *bench) from(t *testing.T, who string, encrypt bool) string {
	t.Helper()
	id := b.finder.ids[who]
	o := smime.ProtectOptions{Signers: []smime.Signer{{Certificate: id.Certificate, Key: id.Key}}, SoftwareBrainpool: true}
	if encrypt {
		o.EncryptTo = []cms.Recipient{{Certificate: b.finder.ids["alice@firma.example"].Certificate}}
	}
	var out bytes.Buffer
	if err := smime.Protect(&out, letter("From: "+who+"\r\nTo: alice@firma.example\r\n\r\nwe accept\r\n"), o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A certificate for X25519 is encrypted to and opened; its key cannot sign.
func TestX25519(t *testing.T) {
	const bob = "bob@partner.example"
	b := withKeys(t, nil, []string{"X25519"}, "keyAgreement",
		policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require, Sign: policy.Never, Terms: policy.Terms{ToSelf: smime.Yes}}})
	adm := b.admit(t, envelope(t, bob), message())
	for _, who := range []string{"alice@firma.example", bob} {
		if got := b.layers(t, adm.Entries[0], who); !strings.HasPrefix(got, "enveloped; aes256-cbc; decrypted; unauthenticated x25519 x25519") {
			t.Errorf("%s finds %q", who, got)
		}
	}
}
