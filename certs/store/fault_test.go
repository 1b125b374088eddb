package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Whatever was altered in a table is damage, which is told and stops everything; nothing is skipped.
func TestDamageOfEachTable(t *testing.T) {
	const alice = "alice@firma.example"
	find := func(b *bench, s *store.Store) error {
		_, err := s.Recipient(b.t.Context(), alice, b.now)
		return err
	}
	sign := func(b *bench, s *store.Store) error {
		_, err := s.Signing(b.t.Context(), alice, b.now)
		return err
	}
	list := func(b *bench, s *store.Store) (err error) {
		for _, err = range s.All(b.t.Context(), store.Filter{}) {
		}
		return err
	}
	reference := func(b *bench, s *store.Store) error {
		_, err := s.ByAddress(b.t.Context(), "bob@firma.example")
		return err
	}
	for name, c := range map[string]struct {
		statement string
		use       func(*bench, *store.Store) error
	}{
		"certificate does not open":      {`UPDATE certificate SET body = zeroblob(length(body))`, find},
		"certificate cut short":          {`UPDATE certificate SET body = substr(body, 1, 30)`, list},
		"certificates exchanged":         {`CREATE TABLE x AS SELECT number, body FROM certificate; UPDATE certificate SET body = (SELECT body FROM x WHERE x.number <> certificate.number LIMIT 1); DROP TABLE x`, find},
		"trusted by another hand":        {`UPDATE certificate SET trust = 2 WHERE trust = 0`, find},
		"anchor no more":                 {`UPDATE certificate SET trust = 0 WHERE trust = 1`, find},
		"statement does not open":        {`UPDATE certificate SET said = zeroblob(length(said))`, find},
		"statements exchanged":           {`CREATE TABLE x AS SELECT number, said FROM certificate; UPDATE certificate SET said = (SELECT said FROM x WHERE x.number <> certificate.number LIMIT 1); DROP TABLE x`, find},
		"serves by another hand":         {`UPDATE certificate SET serves = 1`, find},
		"other times":                    {`UPDATE certificate SET ends = ends + 1`, find},
		"another age":                    {`UPDATE certificate SET added = added - 1`, find},
		"another key":                    {`UPDATE certificate SET public = zeroblob(32)`, find},
		"no authority":                   {`UPDATE certificate SET ca = 1 - ca`, list},
		"a name of somebody else":        {`UPDATE certificate_name SET number = (SELECT max(number) FROM certificate)`, find},
		"private key does not open":      {`UPDATE private_key SET body = zeroblob(length(body))`, sign},
		"private key of another kind":    {`UPDATE private_key SET kind = 1`, find},
		"private keys exchanged":         {`CREATE TABLE x AS SELECT public, body FROM private_key; UPDATE private_key SET body = (SELECT body FROM x WHERE x.public <> private_key.public LIMIT 1); DROP TABLE x`, sign},
		"private key of another age":     {`UPDATE private_key SET added = added + 1`, sign},
		"private key cut short":          {`UPDATE private_key SET body = substr(body, 1, 5)`, sign},
		"key elsewhere under other name": {`UPDATE private_key SET body = zeroblob(60) WHERE kind = 1`, reference},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.open()
			bob, carol := issue(cas().below, "bob@firma.example", democa.Options{}), issue(cas().below, "carol@firma.example", democa.Options{})
			b.add(s, store.ByPath, issue(cas().below, alice, democa.Options{}), carol, bob.Certificate, cas().below)
			b.add(s, store.Anchor, cas().one)
			if _, err := s.Add(t.Context(), store.Addition{Source: "vault main", References: []store.Reference{{Public: bob.Certificate.PublicKey, Key: "vault:main:bob"}}}); err != nil {
				t.Fatal(err)
			}
			if err := find(b, s); err != nil {
				t.Fatal(err)
			}
			s.Close()
			b.sql(c.statement)
			s = b.open()
			if err := s.Check(); err != nil {
				t.Fatalf("before it is read: %v", err)
			}
			if err := c.use(b, s); !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("it says %v", err)
			}
			_, addErr := s.Add(t.Context(), store.Addition{Source: "import"})
			_, decryptErr := s.Decryption(t.Context(), ids(bob))
			r := s.Judge().Validate(t.Context(), bob.Certificate, nil, certs.Sign, "", b.now)
			for what, err := range map[string]error{"Check": s.Check(), "find": find(b, s), "sign": sign(b, s), "All": list(b, s), "Add": addErr, "Decryption": decryptErr, "Validate": r.Away} {
				if !errors.Is(err, store.ErrDamaged) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// Under another key nothing opens and nothing is written.
func TestWrongKeyOfCertificates(t *testing.T) {
	b := newBench(t)
	s := b.open()
	b.add(s, store.Anchor, cas().one)
	s.Close()
	before, right := b.read(), b.o.Key
	b.o.Key = atrest.NewKey()
	s = b.open()
	if _, err := s.Add(t.Context(), store.Addition{Source: "import", Certificates: []*x509.Certificate{cas().two.Certificate()}}); !errors.Is(err, store.ErrWrongKey) {
		t.Error(err)
	}
	if _, err := s.Recipient(t.Context(), "alice@firma.example", b.now); !errors.Is(err, store.ErrWrongKey) {
		t.Error(err)
	}
	s.Close()
	if !bytes.Equal(before, b.read()) {
		t.Error("the file was changed")
	}
	b.o.Key = right
	if all := records(t, b.open(), store.Filter{}); len(all) != 1 {
		t.Errorf("%d certificates", len(all))
	}
}

// Nothing in the files names people, says where certificates came from or what they are trusted for, or holds a certificate or a key.
func TestCertificatesNotInClear(t *testing.T) {
	b := newBench(t)
	s := b.open()
	id := issue(cas().below, "planted@partner.example", democa.Options{})
	if _, err := s.Add(t.Context(), store.Addition{
		Source: "directory planted", Certificates: []*x509.Certificate{id.Certificate}, Trust: store.Trusted, Scope: []string{"planted.example"},
		Serves: []string{"planted.example"}, References: []store.Reference{{Public: cas().two.Certificate().PublicKey, Key: "vault:planted:key"}},
	}); err != nil {
		t.Fatal(err)
	}
	b.add(s, store.ByPath, id)
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	digest := store.FingerprintOf(id.Certificate)
	secrets := [][]byte{[]byte("planted"), []byte("partner.example"), id.Certificate.Raw[20:60], id.Certificate.SerialNumber.Bytes(), id.Certificate.SubjectKeyId, digest[:], key[40:68]}
	names, err := filepath.Glob(filepath.Join(b.o.Dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, secret := range secrets {
			if bytes.Contains(raw, secret) {
				t.Errorf("%s holds secret %d in clear", filepath.Base(name), i)
			}
		}
	}
}

const (
	killedDir = "SIEGEL_TEST_KILLED_DIR"
	killedKey = "SIEGEL_TEST_KILLED_KEY"
)

// TestMain runs the tests, or is the process that TestKillDuringAdd kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		killed(dir)
	}
	os.Exit(m.Run())
}

// killed adds certificates and says which it has, until the process is killed.
func killed(dir string) {
	ctx := context.Background()
	s := must(store.Open(ctx, store.Options{Dir: dir, Key: must(atrest.ParseKey(os.Getenv(killedKey)))}))
	ca := must(democa.NewCA(day))
	for i := 0; ; i++ {
		a := store.Addition{Source: "import"}
		for j := range 3 {
			id := issue(ca, fmt.Sprintf("user%d.%d.%d@firma.example", os.Getpid(), i, j), democa.Options{})
			a.Certificates, a.Keys = append(a.Certificates, id.Certificate), append(a.Keys, id.Key)
		}
		must(s.Add(ctx, a))
		for _, c := range a.Certificates {
			fmt.Printf("kept %s\n", store.FingerprintOf(c))
		}
	}
}

// A process that is killed while it adds loses nothing that it said it had, and leaves no half of anything.
func TestKillDuringAdd(t *testing.T) {
	b := newBench(t)
	var said []store.Fingerprint
	for round := range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), killedDir+"="+b.o.Dir, killedKey+"="+b.o.Key.Text())
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 20+7*round && lines.Scan(); {
			if raw, ok := bytes.CutPrefix(lines.Bytes(), []byte("kept ")); ok {
				var f store.Fingerprint
				if _, err := hex.Decode(f[:], raw); err != nil {
					t.Fatal(err)
				}
				said, n = append(said, f), n+1
			}
		}
		child.Process.Kill()
		child.Wait()
	}
	s := b.open()
	for _, f := range said {
		if r, err := s.ByFingerprint(t.Context(), f); err != nil || r.Key != store.KeptHere {
			t.Errorf("%s: %q, %v", f, r.Key, err)
		}
	}
	all := records(t, s, store.Filter{})
	if len(all) < len(said) || len(said) < 60 || len(all)%3 != 0 {
		t.Errorf("%d certificates, of %d that were said to be kept", len(all), len(said))
	}
	for _, r := range all {
		_, key, err := s.Export(t.Context(), r.Fingerprint())
		found, findErr := s.ByAddress(t.Context(), certs.Addresses(r.Certificate)[0])
		if key == nil || err != nil || findErr != nil || len(found) != 1 {
			t.Fatalf("half of %s: %v, %v, found %d", describe(r.Certificate), err, findErr, len(found))
		}
	}
}
