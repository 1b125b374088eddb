package audit

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// fixedKey is the same in every run, so that the corpus stays genuine.
func fixedKey(t testing.TB) atrest.Key {
	key, err := atrest.ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	return key.Derive(purpose)
}

// FuzzLine: what is taken for an entry is exactly what would be written for it.
func FuzzLine(f *testing.F) {
	key := fixedKey(f)
	text, _, err := newLine(key, start(), admin.Act{Time: time.Unix(1, 5), Who: "root", What: "drop <\u2028>", Subject: []string{"0a", "0b"}, Detail: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"seq":1,"mac":"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLine(text)
		if err != nil {
			return
		}
		raw, err := json.Marshal(l.body)
		if err != nil || !bytes.Equal(raw, l.raw) {
			t.Fatalf("%q is read as %q", text, raw)
		}
		if got := append(append(append(raw[:len(raw)-1:len(raw)-1], macField...), l.mac...), `"}`...); !bytes.Equal(got, text) {
			t.Fatalf("%q is written as %q", text, got)
		}
		if l.genuine(key) {
			if _, err := l.open(key); err != nil {
				t.Fatalf("a genuine entry does not open: %v", err)
			}
		}
	})
}

// FuzzHead: nothing but what was written under the key is believed.
func FuzzHead(f *testing.F) {
	key := fixedKey(f)
	raw, err := json.Marshal(head{Seq: 5, Last: none})
	if err != nil {
		f.Fatal(err)
	}
	good, _ := sign(key, raw)
	f.Add(good)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if h, err := parseHead(key, text); err == nil && !bytes.Equal(text, good) {
			t.Fatalf("%q is believed: %+v", text, h)
		}
	})
}
