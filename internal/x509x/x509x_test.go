package x509x_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// certificate has openssl make a self-signed certificate.
func certificate(t testing.TB, keyArgs ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"req", "-x509", "-nodes", "-keyout", filepath.Join(dir, "key"), "-out", filepath.Join(dir, "cert"),
		"-subj", "/C=DE/O=Firma/CN=Zoë/emailAddress=a@firma.example", "-utf8", "-set_serial", "0x1234567890abcdef01", "-days", "30"}, keyArgs...)
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "cert"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return block.Bytes
}

func TestParseKinds(t *testing.T) {
	for _, c := range []struct {
		want    string
		refused bool // by crypto/x509
		args    []string
	}{
		{"RSA", false, []string{"-newkey", "rsa:2048"}},
		{"RSASSA-PSS", false, []string{"-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"}},
		{"EC on P-256", false, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}},
		{"EC on brainpoolP256r1", true, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}},
		{"EC on brainpoolP512r1", true, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP512r1"}},
		{"EC on secp256k1", true, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"}},
		{"EC on a curve of its own", true, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"}},
		{"Ed25519", false, []string{"-newkey", "ed25519"}},
		{"Ed448", false, []string{"-newkey", "ed448"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			der := certificate(t, c.args...)
			if _, err := x509.ParseCertificate(der); (err != nil) != c.refused {
				t.Errorf("crypto/x509 says %v", err)
			}
			info, err := x509x.Parse(der)
			if err != nil {
				t.Fatal(err)
			}
			serial, _ := new(big.Int).SetString("1234567890abcdef01", 16)
			if info.KeyAlgorithm != c.want || info.Serial.Cmp(serial) != 0 || !strings.Contains(info.Subject, "CN=Zoë,O=Firma,C=DE") || info.Issuer != info.Subject {
				t.Errorf("got %+v", info)
			}
			if !bytes.Equal(info.RawSubject, info.RawIssuer) || len(info.RawSubject) == 0 {
				t.Errorf("raw names %x, %x", info.RawSubject, info.RawIssuer)
			}
			cmd := exec.Command("openssl", "x509", "-inform", "DER", "-noout", "-ext", "subjectKeyIdentifier")
			cmd.Stdin = bytes.NewReader(der)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			shown := strings.ReplaceAll(string(out), ":", "")
			if id := strings.ToUpper(hex.EncodeToString(info.SubjectKeyID)); id == "" || !strings.Contains(shown, id) {
				t.Errorf("subject key identifier %s, openssl says %s", id, out)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	der := certificate(t, "-newkey", "ed25519")
	for _, bad := range [][]byte{nil, {}, []byte("text"), der[:len(der)-1], append(bytes.Clone(der), 0), {0x30, 0}, {0x30, 2, 0x30, 0}} {
		if info, err := x509x.Parse(bad); !errors.Is(err, x509x.ErrMalformed) {
			t.Errorf("%x: %+v, %v", bad, info, err)
		}
	}
}

// What crypto/x509 reads, Parse reads the same; only that one looks for extensions in version 3 alone.
func FuzzParse(f *testing.F) {
	f.Add(certificate(f, "-newkey", "ed25519"))
	f.Add(certificate(f, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		info, err := x509x.Parse(der)
		c, xerr := x509.ParseCertificate(der)
		if xerr != nil {
			return
		}
		if err != nil {
			t.Fatalf("crypto/x509 reads it: %v", err)
		}
		if info.Serial.Cmp(c.SerialNumber) != 0 || !bytes.Equal(info.RawSubject, c.RawSubject) || (c.Version == 3 && !bytes.Equal(info.SubjectKeyID, c.SubjectKeyId)) {
			t.Fatalf("differs from crypto/x509: %+v", info)
		}
	})
}

func ExampleParse() {
	_, err := x509x.Parse([]byte("not a certificate"))
	fmt.Println(err)
	// Output: x509x: not a certificate
}
