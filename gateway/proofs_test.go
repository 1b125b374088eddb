package gateway_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/demailadmin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
)

// deMailAddress is one of De-Mail.
func deMailAddress(t *testing.T, text string) demail.Address {
	t.Helper()
	a, err := demail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// doubtful puts a De-Mail that is in doubt into the record, and held into the queue.
func (s *setting) doubtful(t *testing.T) queue.New {
	t.Helper()
	entry := queuetest.Entry(time.Now(), queuetest.Bytes("Subject: x\r\n\r\nGuten Tag.\r\n"), queue.DeMailPrefix+"main")
	entry.Envelope.DeMail = &mail.DeMail{Account: "main", Sender: deMailAddress(t, "a@firma.de-mail.de")}
	entry.Hold = delivery.InDoubt + " held, since the De-Mail provider cannot tell whether it has it"
	q, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: filepath.Join(s.options.State, "queue"), Key: s.options.Key})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Put(t.Context(), []queue.New{entry}); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := proof.Open(t.Context(), proof.Options{Dir: filepath.Join(s.options.State, "demail"), Key: s.options.Key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Begin(t.Context(), proof.Submission{Key: "key-1", ID: entry.Envelope.ID, Account: "main", Sender: deMailAddress(t, "a@firma.de-mail.de"), Content: entry.Content,
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: deMailAddress(t, "b@stadt.de-mail.de")}}}})
	if err == nil {
		err = store.Settle(t.Context(), "key-1", proof.Result{State: proof.Doubtful})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return entry
}

func failing(t *testing.T, c *admin.Client) (names []string) {
	t.Helper()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range status.Failing {
		names = append(names, f.Name)
	}
	return names
}

// What a person decides of a De-Mail in doubt stands in the audit log, and the queue goes on with the message; evidence can be taken.
func TestDeMailResolvedByPerson(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	entry := s.doubtful(t)
	g, stop := s.start(t)
	client := admin.NewClient(s.options.Socket)
	if names := failing(t, client); !slices.Contains(names, "De-Mail in doubt") {
		t.Errorf("nobody is told of it: %q", names)
	}
	if all, err := client.Show(t.Context(), entry.Envelope.ID); err != nil || len(all) != 1 || all[0].Recipients[0].State != queue.Held || !strings.HasPrefix(all[0].Recipients[0].LastReply, delivery.InDoubt) {
		t.Fatalf("it is not held: %+v, %v", all, err)
	}
	var zip bytes.Buffer
	if _, err := client.DeMailEvidence(t.Context(), string(entry.Envelope.ID), true, &zip); err != nil || !strings.HasPrefix(zip.String(), "PK") {
		t.Errorf("%v", err)
	}
	var m bundle.Message
	if err := client.DeMail(t.Context(), "resolve", demailadmin.Resolve{ID: "key-1", Decision: proof.DecideNotTaken}, &m); err != nil || m.State != proof.Refused {
		t.Errorf("%+v, %v", m, err)
	}
	if names := failing(t, client); slices.Contains(names, "De-Mail in doubt") {
		t.Errorf("it is told still: %q", names)
	}
	all, err := client.Show(t.Context(), entry.Envelope.ID)
	for _, item := range all {
		for _, r := range item.Recipients {
			if r.State == queue.Held && strings.HasPrefix(r.LastReply, delivery.InDoubt) {
				t.Errorf("it stays held: %+v, %v", r, err)
			}
		}
	}
	if r, err := g.DeMailRecord().Record(t.Context(), "key-1"); err != nil || len(r.Steps) != 2 || r.Steps[1].Who == "" {
		t.Errorf("%+v, %v", r, err)
	}
	stop()
	if acts := s.acts(t); !slices.Contains(acts, "demail-resolve") || !slices.Contains(acts, "demail-evidence") {
		t.Errorf("%q", acts)
	}
}

// A record of De-Mail that is damaged stays where it is and is told; other mail goes on.
func TestDeMailRecordDamaged(t *testing.T) {
	s := newSetting(t)
	s.options.Socket = shortSocket(t)
	path := filepath.Join(s.options.State, "demail", "demail.db")
	junk := bytes.Repeat([]byte("no database "), 1000)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, junk, 0o600); err != nil {
		t.Fatal(err)
	}
	g, stop := s.start(t)
	client := admin.NewClient(s.options.Socket)
	if names := failing(t, client); !slices.Contains(names, "De-Mail record") {
		t.Errorf("%q", names)
	}
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "bob@partner.example")); !r.Positive() {
		t.Errorf("other mail does not go on: %v", r)
	}
	var out demailadmin.Listed
	if err := client.DeMail(t.Context(), "list", demailadmin.List{}, &out); err == nil || !strings.Contains(err.Error(), "restore its folder from a backup") {
		t.Errorf("%v", err)
	}
	stop()
	if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, junk) {
		t.Errorf("it was replaced: %v", err)
	}
}
