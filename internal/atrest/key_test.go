package atrest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/atrest"
)

func TestKeyText(t *testing.T) {
	k := atrest.NewKey()
	again, err := atrest.ParseKey(k.Text() + "\n")
	if err != nil || again.Text() != k.Text() {
		t.Fatalf("round trip: %v", err)
	}
	sealed, err := k.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, nil); err != nil || string(plain) != "x" {
		t.Errorf("the read key does not open what the made key sealed: %v", err)
	}
}

func TestKeyFromOpenSSL(t *testing.T) {
	out, err := exec.Command("openssl", "rand", "-base64", "32").Output()
	if err != nil {
		t.Fatalf("openssl, which the error text of ErrKey names: %v", err)
	}
	if _, err := atrest.ParseKey(string(out)); err != nil {
		t.Errorf("%q: %v", out, err)
	}
}

func TestBadKeys(t *testing.T) {
	good := atrest.NewKey().Text()
	for name, text := range map[string]string{
		"empty": "", "short": good[:40], "long": good + good, "31 bytes": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
		"two lines": good[:20] + "\n" + good[20:], "carriage return": good[:20] + "\r\n" + good[20:],
		"not base64": strings.Repeat("!", 44), "trailing bits": good[:42] + "9=", "hex": strings.Repeat("ab", 32),
	} {
		_, err := atrest.ParseKey(text)
		if !errors.Is(err, atrest.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && len(text) > 30 && strings.Contains(err.Error(), text[:20]) {
			t.Errorf("%s: the error repeats the text", name)
		}
	}
}

func TestZeroKey(t *testing.T) {
	var k atrest.Key
	_, e1 := k.Seal(nil, nil)
	_, e2 := k.Open(make([]byte, 50), nil)
	_, e3 := k.Writer(&bytes.Buffer{}, nil)
	_, e4 := k.Reader(&bytes.Buffer{}, nil)
	_, e5 := atrest.NewSpool(t.TempDir(), k, 0)
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if !errors.Is(err, atrest.ErrKey) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if !k.IsZero() || k.Text() != "" || k.MAC(nil) != nil || !k.Derive("x").IsZero() {
		t.Error("the zero key gives something")
	}
}

func TestKeyNeverPrints(t *testing.T) {
	k := atrest.NewKey()
	raw := fmt.Sprintf("%x", mustDecode(t, k.Text()))
	type outer struct {
		key  atrest.Key
		list []atrest.Key
	}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" ", k)
		fmt.Fprintf(&out, verb+" ", outer{k, []atrest.Key{k}})
	}
	j, err := json.Marshal(map[string]any{"k": k})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	if s := out.String(); strings.Contains(s, k.Text()) || strings.Contains(s, raw) || strings.Contains(s, raw[:16]) {
		t.Errorf("printed: %s", s)
	}
	if k.String() != "<secret>" || fmt.Sprint(k) != "<secret>" {
		t.Error("a key does not print as <secret>")
	}
}

func TestDerivedKeysDiffer(t *testing.T) {
	k := atrest.NewKey()
	a, b := k.Derive("a"), k.Derive("b")
	if a.Text() == b.Text() || a.Text() == k.Text() || a.Text() != k.Derive("a").Text() {
		t.Error("Derive does not give one key for each purpose")
	}
	if !bytes.Equal(k.MAC([]byte("v")), k.MAC([]byte("v"))) || bytes.Equal(k.MAC([]byte("v")), a.MAC([]byte("v"))) {
		t.Error("MAC does not depend on key and value alone")
	}
}

func TestSeal(t *testing.T) {
	k := atrest.NewKey()
	for _, size := range []int{0, 1, 100, 4096, 200000} {
		plain := make([]byte, size)
		rand.Read(plain)
		sealed, err := k.Seal(plain, []byte("a"))
		if err != nil || len(sealed) != size+40 {
			t.Fatalf("%d bytes sealed to %d: %v", size, len(sealed), err)
		}
		opened, err := k.Open(sealed, []byte("a"))
		if err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if again, _ := k.Seal(plain, []byte("a")); bytes.Equal(again, sealed) {
			t.Error("sealing twice gives the same bytes")
		}
	}
}

func TestSealedIsBoundToItsPlace(t *testing.T) {
	k := atrest.NewKey()
	sealed, err := k.Seal([]byte("plain"), []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(sealed, []byte("b")); !errors.Is(err, atrest.ErrAltered) {
		t.Errorf("other associated data: %v", err)
	}
	if _, err := atrest.NewKey().Open(sealed, []byte("a")); !errors.Is(err, atrest.ErrAltered) {
		t.Errorf("other key: %v", err)
	}
	for i := range sealed {
		if _, err := k.Open(sealed[:i], []byte("a")); !errors.Is(err, atrest.ErrAltered) {
			t.Errorf("cut to %d: %v", i, err)
		}
		altered := bytes.Clone(sealed)
		altered[i] ^= 0x10
		if _, err := k.Open(altered, []byte("a")); !errors.Is(err, atrest.ErrAltered) {
			t.Errorf("byte %d altered: %v", i, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	f.Add(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := atrest.ParseKey(text)
		if err != nil {
			if !errors.Is(err, atrest.ErrKey) || !k.IsZero() {
				t.Fatalf("%v", err)
			}
			return
		}
		if k.Text() != strings.TrimSpace(text) {
			t.Fatalf("%q reads as %q", text, k.Text())
		}
	})
}

func FuzzOpen(f *testing.F) {
	k, err := atrest.ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 40), []byte("a"))
	f.Fuzz(func(t *testing.T, sealed, associated []byte) {
		if _, err := k.Open(sealed, associated); !errors.Is(err, atrest.ErrAltered) {
			t.Fatalf("opened what was never sealed: %v", err)
		}
	})
}

func ExampleKey_Seal() {
	key := atrest.NewKey()
	sealed, _ := key.Seal([]byte("alice@firma.example"), []byte("message 1"))
	_, err := key.Open(sealed, []byte("message 2"))
	fmt.Println(err)
	plain, _ := key.Open(sealed, []byte("message 1"))
	fmt.Println(string(plain))
	// Output:
	// atrest: the data was altered, cut short, or written under another key
	// alice@firma.example
}
