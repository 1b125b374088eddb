package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/snapshot"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// sent is a De-Mail of the record: its key, and its content.
type sent struct {
	key     string
	content queuetest.Bytes
}

func (s site) record(name string, key atrest.Key) *proof.Store {
	s.Helper()
	store := must(proof.Open(s.Context(), proof.Options{Dir: s.path(name), Key: key}))
	if err := store.Check(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { store.Close() })
	return store
}

// send puts a De-Mail into the record, and a confirmation of it.
func (s site) send(store *proof.Store, n int, size int) sent {
	s.Helper()
	m := sent{fmt.Sprintf("key%d", n), append([]byte("Subject: x\r\n\r\n"), bytes.Repeat([]byte("x"), size)...)}
	sender, to := must(demail.ParseAddress("a@firma.de-mail.de")), must(demail.ParseAddress("b@stadt.de-mail.de"))
	_, err := store.Begin(s.Context(), proof.Submission{Key: m.key, ID: mail.ID(m.key), Account: "main", Sender: sender, Options: demail.Options{Dispatch: true},
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: to}}}, Content: m.content})
	if err == nil {
		err = store.Settle(s.Context(), m.key, proof.Result{State: proof.Taken, Receipt: connectors.Receipt{ID: "P" + m.key}})
	}
	if err == nil {
		_, _, err = store.Confirm(s.Context(), proof.Evidence{Account: "main", ID: "C" + m.key, Kind: demail.TypeDispatch, Content: m.content, Fetched: time.Now(),
			Verdict: proof.Verdict{Proven: true, Sender: sender, Keys: demail.Keys{PrivateID: m.key}, Certificates: []proof.Blob{{DER: bytes.Repeat([]byte("c"), size)}}}})
	}
	if err != nil {
		s.Fatal(err)
	}
	return m
}

// read reads a De-Mail of the record again, with all that belongs to it.
func (s site) read(store *proof.Store, m sent) {
	s.Helper()
	r, err := store.Record(s.Context(), m.key)
	if err != nil || r.State != proof.Taken || r.Receipt.ID != "P"+m.key || len(r.Evidence) != 1 || !r.Evidence[0].Counts || len(r.Awaiting) != 0 {
		s.Fatalf("%+v, %v", r, err)
	}
	all := func(what string, in io.ReadCloser, err error, want []byte) {
		s.Helper()
		if err != nil {
			s.Fatal(what, err)
		}
		defer in.Close()
		if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, want) {
			s.Errorf("%s: %d bytes of %d, %v", what, len(got), len(want), err)
		}
	}
	in, err := store.Open(s.Context(), m.key)
	all("message", in, err, m.content)
	in, err = store.OpenEvidence(s.Context(), "main", "C"+m.key)
	all("confirmation", in, err, m.content)
	in, err = store.OpenBlob(s.Context(), r.Evidence[0].Verdict().Certificates[0])
	all("certificate", in, err, bytes.Repeat([]byte("c"), len(m.content)-len("Subject: x\r\n\r\n")))
}

// The record of De-Mail is part of a backup that is made while it is written, and can be read where it is restored.
func TestDeMailRecord(t *testing.T) {
	s := newSite(t)
	store := s.record("state/demail", s.key)
	all := []sent{s.send(store, 1, 100), s.send(store, 2, 200<<10)}
	data := s.backup()
	s.send(store, 3, 200<<10) // is not part of it
	opened, err := s.open(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := opened.Place(snapshot.Places{Config: s.path("new/etc"), State: s.path("new/state"), Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	restored := s.record("new/state/demail", s.key)
	for _, m := range all {
		s.read(restored, m)
	}
	if page, err := restored.List(t.Context(), proof.Filter{}); err != nil || len(page.Records) != 2 {
		t.Errorf("%d records, %v", len(page.Records), err)
	}
	if files, err := os.ReadDir(s.path("new/state/demail/content")); err != nil || len(files) != 3 {
		t.Errorf("%d files, want those of one message, one confirmation and one certificate: %v", len(files), err)
	}
	s.read(restored, s.send(restored, 4, 200<<10)) // and goes on
}

// A backup whose record of De-Mail lacks a content, or is under another key, is refused.
func TestDeMailRecordRefused(t *testing.T) {
	for name, c := range map[string]struct {
		key   func(site) atrest.Key
		spoil bool
		want  error
	}{
		"another key":       {func(site) atrest.Key { return atrest.NewKey() }, false, proof.ErrWrongKey},
		"a content is gone": {func(s site) atrest.Key { return s.key }, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			store := s.record("state/demail", c.key(s))
			s.send(store, 1, 200<<10)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			if c.spoil {
				files := must(filepath.Glob(s.path("state/demail/content/*")))
				if err := os.Remove(files[0]); err != nil {
					t.Fatal(err)
				}
				_, err := snapshot.Write(t.Context(), io.Discard, snapshot.Options{About: snapshot.About{Config: s.path("etc/siegel.yaml"), State: s.path("state"), Key: s.key.Text()}, Key: s.key})
				if !errors.Is(err, proof.ErrDamaged) {
					t.Errorf("a record without all of its contents is backed up as if it were whole: %v", err)
				}
				return
			}
			if _, err := s.open(s.backup()); !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
