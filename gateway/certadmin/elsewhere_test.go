package certadmin_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/certadmin"
)

// Of a key in a vault it is said at the import what mail its certificate will not open; of one that only signs, nothing.
func TestImportKeyInVault(t *testing.T) {
	s := newStand(t)
	elliptic := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for _, c := range []struct {
		who, key string
		o        democa.Options
		want     string // in the one note; empty: there is none
	}{
		{"both@firma.example", "vault:main:both", democa.Options{}, "not that under PKCS #1 v1.5"},
		{"encrypts@firma.example", "vault:main:encrypts", democa.Options{KeyUsage: x509.KeyUsageKeyEncipherment}, "delivered as it came"},
		{"elliptic@firma.example", "vault:main:elliptic", democa.Options{Key: elliptic}, "never opened"},
		{"signs@firma.example", "vault:main:signs", democa.Options{KeyUsage: x509.KeyUsageDigitalSignature}, ""},
		{"here@firma.example", "", democa.Options{}, ""},
	} {
		id := must(s.ca.Issue(c.who, c.o))
		s.vault[c.key] = id.Key
		q := certadmin.Import{Items: []certadmin.Item{{Certificate: id.Certificate.Raw, Key: c.key}, {Certificate: s.ca.Certificate().Raw, Trust: "anchor"}}}
		done, err := ask[certadmin.Imported](s, "import", q)
		text := strings.Join(done.Notes, "\n")
		if err != nil || !strings.Contains(text, c.want) || (c.want == "") != (len(done.Notes) == 0) || len(done.Notes) > 1 {
			t.Errorf("%s: %q, %v", c.who, text, err)
		}
		if c.want != "" && !strings.HasPrefix(text, print(id.Certificate)[:16]) {
			t.Errorf("%s: the note names no certificate: %q", c.who, text)
		}
	}
}

// What keeps a key from being used is said as it is: only a vault that cannot be asked is not available.
func TestImportOfWrongKey(t *testing.T) {
	s := newStand(t)
	alice, bob := must(s.ca.Issue("alice@firma.example", democa.Options{})), must(s.ca.Issue("bob@firma.example", democa.Options{}))
	s.vault["vault:main:bob"] = bob.Key
	for key, want := range map[string]string{
		"vault:main:bob":    "nothing was imported: the key vault:main:bob is not that of the certificate of CN=alice@firma.example",
		"vault:main:absent": "nothing was imported: the key vault:main:absent is not that of the certificate of CN=alice@firma.example",
		"vault:other:alice": "nothing was imported: the configuration has no vault:other; add it, or import the key",
		"vault:main:away":   "vault:main is not available: it is sealed",
		"alice":             "names no key that lies elsewhere; expected vault:NAME:KEY",
	} {
		_, err := ask[certadmin.Imported](s, "import", certadmin.Import{Items: []certadmin.Item{{Certificate: alice.Certificate.Raw, Key: key}}})
		s.refused(err, want)
		if key != "vault:main:away" && strings.Contains(err.Error(), "not available") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if listed := must(ask[certadmin.Listed](s, "list", certadmin.List{Limit: 10})); len(listed.Certificates) != 0 {
		t.Errorf("%d certificates are kept", len(listed.Certificates))
	}
}
