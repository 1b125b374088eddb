package snapshot_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// sealed is an archive with these texts in this order.
func (s site) sealed(texts ...[2]string) []byte {
	var out bytes.Buffer
	sealed := must(age.Encrypt(&out, s.id.Recipient()))
	w := tar.NewWriter(sealed)
	for _, text := range texts {
		if err := w.WriteHeader(&tar.Header{Name: text[0], Size: int64(len(text[1])), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			s.Fatal(err)
		}
		must(w.Write([]byte(text[1])))
	}
	if err := errors.Join(w.Close(), sealed.Close()); err != nil {
		s.Fatal(err)
	}
	return out.Bytes()
}

func (s site) about() [2]string {
	return [2]string{"about.json", string(must(json.Marshal(snapshot.About{Format: 1, Key: s.key.Text(), Config: "/x/siegel.yaml", State: "/x"})))}
}

// The manifest takes no more memory than one of the files that are there.
func TestOpenRefusesManifest(t *testing.T) {
	s := newSite(t)
	const one = `{"name":"files/a","size":1,"mode":384,"uid":0,"gid":0,"sha256":"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}`
	two := [][2]string{s.about(), {"files/a", "a"}, {"files/b", "b"}}
	for name, manifest := range map[string]string{
		"too large": "[" + strings.Repeat(" ", 4096) + one + "]", "too many": "[" + one + strings.Repeat(`,{}`, 5) + "]", "one file twice": "[" + one + "," + one + "]",
		"no list": one, "cut off": "[" + one, "another kind": "[1,2]",
	} {
		if _, err := s.open(s.sealed(append(two[:3:3], [2]string{"manifest.json", manifest})...)); !errors.Is(err, snapshot.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, err := s.open(s.sealed(s.about(), two[1], [2]string{"manifest.json", "[" + one + "]"}))
	if err != nil || o.Files != 1 || o.KeyID != snapshot.KeyID(s.key) {
		t.Errorf("%+v, %v", o, err)
	}
}

// A small archive fills no disk: files have no holes in it, as GNU tar makes them.
func TestOpenRefusesHoles(t *testing.T) {
	s := newSite(t)
	about := s.about()
	s.write("in/about.json", about[1], 0o600)
	s.write("in/files/hole", "", 0o600)
	if err := os.Truncate(s.path("in/files/hole"), 1<<40); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tar", "--sparse", "--format=pax", "-cf", "-", "about.json", "files/hole")
	cmd.Dir = s.path("in")
	plain, err := cmd.Output()
	if err != nil || len(plain) > 1<<20 {
		t.Fatalf("%d bytes, %v", len(plain), err)
	}
	var out bytes.Buffer
	sealed := must(age.Encrypt(&out, s.id.Recipient()))
	must(sealed.Write(plain))
	if err := sealed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(out.Bytes()); !errors.Is(err, snapshot.ErrDamaged) || !strings.Contains(err.Error(), "more than a gateway has") {
		t.Errorf("%v", err)
	}
}

// The name of a key is always the same and tells nothing of the key.
func TestKeyID(t *testing.T) {
	key := must(atrest.ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	if id := snapshot.KeyID(key); id != "e38d6fb20f79e671701ae9cc93411a87" || id == snapshot.KeyID(atrest.NewKey()) {
		t.Errorf("%s", id)
	}
}
