package interop

import (
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smime"
)

// vector reads a file of the public test vectors.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("SIEGEL_TESTDATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "testdata")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the public test vectors are not there: put them into %s or set SIEGEL_TESTDATA", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(data); block != nil && !strings.HasSuffix(name, ".eml") {
		return block.Bytes
	}
	return data
}

// TestPublishedMessages opens every published message as mail, without its keys: each is reported, none is an error and
// none comes out valid, whatever algorithms it has.
func TestPublishedMessages(t *testing.T) {
	content := string(vector(t, "rfc4134/ExContent.bin"))
	for name, want := range map[string]string{ // layers, and the verdict
		"rfc4134/4.1.bin":  "signed:opaque untrusted",
		"rfc4134/4.2.bin":  "signed:opaque untrusted",
		"rfc4134/4.4.bin":  "signed:opaque untrusted",
		"rfc4134/4.5.bin":  "signed:opaque untrusted",
		"rfc4134/4.6.bin":  "signed:opaque untrusted", // and one signer whose key cannot be read
		"rfc4134/4.7.bin":  "signed:opaque untrusted",
		"rfc4134/4.8.eml":  "signed:clear untrusted",
		"rfc4134/4.9.eml":  "signed:opaque untrusted",
		"rfc4134/4.10.bin": "signed:opaque untrusted",
		"rfc4134/4.11.bin": "certificates unsigned",
		"rfc4134/5.1.bin":  "enveloped (closed) unsigned",
		"rfc4134/5.2.bin":  "enveloped (closed) unsigned",
		"rfc4134/5.3.eml":  "enveloped (closed) unsigned",
		"rfc4134/6.0.bin":  " unsigned",
		"rfc4134/7.1.bin":  " unsigned",
		"rfc4134/7.2.bin":  " unsigned",

		"ml-kem-cms/ML-KEM-512.cms":           "authEnveloped (closed) unsigned",
		"ml-dsa-cms/mldsa44-signed-attrs.pem": "signed:opaque broken",
		"ml-dsa-cms/mldsa65-signed-attrs.pem": "signed:opaque broken",
		"ml-dsa-cms/mldsa87-signed-attrs.pem": "signed:opaque broken",
	} {
		data := vector(t, name)
		message := string(data)
		if !strings.HasSuffix(name, ".eml") {
			message = "From: AliceDSS@example.com\r\nMIME-Version: 1.0\r\n" + strings.Replace(pkcs7Entity("", data), " smime-type=;", "", 1)
		}
		opened, err := smime.Open(t.Context(), messageOf(message), smime.OpenOptions{Scratch: func() smime.Buffer { return new(memory) }})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(layersOf(opened), " ") + " " + string(opened.Verdict); got != want {
			t.Errorf("%s: %s, want %s; %q %+v", name, got, want, opened.Reasons, opened.Layers)
		}
		for _, l := range opened.Layers {
			for _, s := range l.Signers {
				if l.Verdict == smime.Untrusted && !slices.Contains(s.Reasons, "the algorithm or the key is too weak") {
					t.Errorf("%s: not weak: %+v", name, s)
				}
			}
		}
		var out strings.Builder
		if _, err := opened.WriteTo(&out); err != nil || out.String() != message && !strings.Contains(out.String(), content) {
			t.Errorf("%s: delivered something else, %v", name, err)
		}
		opened.Close()
	}
}
