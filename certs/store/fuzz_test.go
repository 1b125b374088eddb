package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs"
)

// What was sealed is read whatever it is; what is read is written so that it reads the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"der":"MAA=","source":"import"}`))
	f.Add([]byte(`{"trust":"anchor","scope":["firma.example"],"serves":["*.firma.example"]}`))
	f.Add([]byte(`{"trust":"blind"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, c, err := decodeBody(text); err == nil && (c == nil || len(c.Raw) != len(b.DER)) {
			t.Errorf("a certificate of %d bytes out of %d", len(c.Raw), len(b.DER))
		}
		said, err := decodeStatement(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := decodeStatement(again); err != nil || second.Trust != said.Trust || len(second.Scope) != len(said.Scope) {
			t.Errorf("%s reads as %+v, %v", again, second, err)
		}
	})
}

// An entry of a scope covers what it says, and its form is one.
func FuzzScope(f *testing.F) {
	for _, s := range []string{"firma.example", "*.Firma.example", "@firma.example", "alice@firma.example", "bücher.example", "*.", "a@b@c", "..", "x@*.y"} {
		f.Add(s, "alice@firma.example")
	}
	f.Fuzz(func(t *testing.T, entry, address string) {
		all, err := ParseScope([]string{entry})
		if err != nil {
			return
		}
		if again, err := ParseScope(all); err != nil || len(again) != 1 || again[0] != all[0] {
			t.Errorf("%q is %q is %q, %v", entry, all, again, err)
		}
		key := certs.AddressKey(address)
		if key == "" || !covers(all, key) {
			return
		}
		domain := strings.TrimPrefix(all[0], "*")
		if key != all[0] && !strings.HasSuffix(key, "@"+domain) && !(domain != all[0] && strings.HasSuffix(key, domain)) {
			t.Errorf("%q covers %q", all, key)
		}
		if !strings.Contains(all[0], "@") && !containsString(servers(key), all[0]) {
			t.Errorf("%q covers %q, which looks for %q", all, key, servers(key))
		}
	})
}

func containsString(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return len(all) >= maxLabels
}

func TestReferences(t *testing.T) {
	for ref, want := range map[KeyRef]string{
		"vault:main:alice": "vault:main", "vault:main:a:b:3": "vault:main", "vault:main": "", "vault::x": "", ":main:x": "", "vault:main:": "", "": "",
		KeyRef("vault:main:" + strings.Repeat("x", 600)): "",
	} {
		if got, err := ref.source(); got != want || (err == nil) != (want != "") {
			t.Errorf("%.40q: %q, %v", ref, got, err)
		}
	}
}
