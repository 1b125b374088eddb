package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// expectAnswer holds that the store has data under a key; nil: nothing.
func (b *bench) expectAnswer(s *store.Store, key string, want []byte, at time.Time) {
	b.t.Helper()
	data, fetched, err := s.Answers().Load(b.t.Context(), key)
	if err != nil || !bytes.Equal(data, want) || want != nil && !fetched.Equal(at) {
		b.t.Errorf("%s: %d bytes of %v, %v", key, len(data), fetched, err)
	}
}

func (b *bench) saveAnswer(s *store.Store, key string, data []byte, until time.Time) {
	b.t.Helper()
	if err := s.Answers().Save(b.t.Context(), key, data, b.now, until); err != nil {
		b.t.Fatal(err)
	}
}

// count is how many rows a table has.
func (b *bench) count(table string) (n int) {
	b.t.Helper()
	db, err := sqldb.Open(b.file(), sqldb.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// Answers come back after a restart, small and large, the newest in place of the one before; nothing of them can be read in the file.
func TestAnswers(t *testing.T) {
	b := newBench(t)
	s := b.open()
	large := make([]byte, 5<<20+17)
	rand.Read(large)
	copy(large, "a list of people")
	b.saveAnswer(s, "list http://ca.partner.example/a.crl", large, b.now.AddDate(0, 0, 7))
	b.saveAnswer(s, "ocsp", []byte("an answer"), b.now.Add(time.Hour))
	b.expectAnswer(s, "ocsp", []byte("an answer"), b.now)
	first := b.now
	b.now = b.now.Add(time.Minute)
	b.saveAnswer(s, "ocsp", []byte("the next"), b.now.Add(time.Hour))
	s.Close()
	for _, name := range []string{"", "-wal"} {
		content, err := os.ReadFile(b.file() + name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, secret := range []string{"partner.example", "a list of people", "the next"} {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%q stands in the file", secret)
			}
		}
	}
	s = b.open()
	b.expectAnswer(s, "list http://ca.partner.example/a.crl", large, first)
	b.expectAnswer(s, "ocsp", []byte("the next"), b.now)
	b.expectAnswer(s, "other", nil, first)
	s.Close()
	if n := b.count("revocation_part"); n != 7 {
		t.Errorf("%d parts", n)
	}
}

// One that is not whole, or was altered, is none; the store goes on.
func TestAnswersHalf(t *testing.T) {
	b := newBench(t)
	s := b.open()
	large := make([]byte, 3<<20)
	for _, key := range []string{"short", "swapped", "begun", "size"} {
		b.saveAnswer(s, key, large, b.now.AddDate(0, 0, 7))
	}
	s.Close()
	b.sql(`DELETE FROM revocation_part WHERE id = 1 AND part = 2`, `UPDATE revocation_part SET part = 9 WHERE id = 2 AND part = 0`,
		`UPDATE revocation SET ready = 0 WHERE id = 3`, `UPDATE revocation SET size = 1 << 40 WHERE id = 4`)
	s = b.open()
	for _, key := range []string{"short", "swapped", "begun", "size"} {
		b.expectAnswer(s, key, nil, b.now)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	b.saveAnswer(s, "short", []byte("new"), b.now.AddDate(0, 0, 7))
	b.expectAnswer(s, "short", []byte("new"), b.now)
}

// What ended long ago goes, as what was begun and never finished; what has only just ended stays.
func TestAnswersTidy(t *testing.T) {
	b := newBench(t)
	s := b.open()
	for i := range 10 {
		b.saveAnswer(s, fmt.Sprintf("old %d", i), []byte("x"), b.now.Add(time.Hour))
	}
	s.Close()
	b.sql(`UPDATE revocation SET ready = 0 WHERE id = 1`)
	s = b.open()
	b.now = b.now.AddDate(0, 0, 20)
	b.saveAnswer(s, "large", make([]byte, 2<<20), b.now.AddDate(0, 0, 7))
	b.expectAnswer(s, "old 5", []byte("x"), b.now.AddDate(0, 0, -20))
	b.now = b.now.AddDate(0, 0, 20)
	b.saveAnswer(s, "large", make([]byte, 2<<20), b.now.AddDate(0, 0, 7))
	b.expectAnswer(s, "old 5", nil, b.now)
	s.Close()
	if n, parts := b.count("revocation"), b.count("revocation_part"); n != 1 || parts != 2 {
		t.Errorf("%d answers, %d parts", n, parts)
	}
}
