package gateway_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/archive"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	gwmail "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
)

// archived has all mail of a setting archived: in a folder, encrypted to Bob's certificate.
func (s *setting) archived(t *testing.T, rules ...policy.Rule) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s.options.Settings.Archives = []gateway.Archive{{Name: "gobd", Folder: dir, Certificate: s.identity["bob@partner.example"].Certificate, Retry: soon()}}
	s.archiving(t, []string{"gobd"}, rules...)
	return dir
}

func (s *setting) archiving(t *testing.T, names []string, rules ...policy.Rule) {
	t.Helper()
	pol, err := policy.New(policy.Config{Rules: rules, Company: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible, Archive: names}})
	if err != nil {
		t.Fatal(err)
	}
	s.options.Settings.Policy = pol
}

func soon() delivery.Retry { return delivery.Retry{Steps: []time.Duration{20 * time.Millisecond}} }

// journaled has all mail archived at a journal address on a server of its own.
func (s *setting) journaled(t *testing.T) *hop {
	t.Helper()
	h := newHop(t)
	s.options.Settings.Local = append(s.options.Settings.Local, patterns(t, "@archive.firma.example")...)
	s.options.Settings.Routes = append(s.options.Settings.Routes, gateway.Route{Name: "archive", Domains: patterns(t, "@archive.firma.example"), SMTP: smtpout.Options{
		Hosts: []string{h.addr}, TLS: smtpout.Security{Level: smtpout.None},
	}})
	s.options.Settings.Archives = []gateway.Archive{{Name: "gobd", To: one(t, "journal@archive.firma.example"), From: one(t, "bounces@firma.example"), Retry: soon()}}
	s.archiving(t, []string{"gobd"})
	return h
}

func one(t *testing.T, text string) gwmail.Address {
	t.Helper()
	a, err := gwmail.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// copyFile waits for the n-th copy in a folder, and returns it.
func (s *setting) copyFile(t *testing.T, dir string, n int) string {
	t.Helper()
	s.waitUntil(t, track.Archived, n)
	list := copyFiles(t, dir)
	if len(list) < n {
		t.Fatalf("%d files", len(list))
	}
	text, err := os.ReadFile(list[n-1])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func copyFiles(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// journal is a journal message taken apart: its record, and its parts by name; the envelope has none.
type journal struct {
	header mail.Header
	record archive.Record
	parts  map[string]string
	order  []string
}

func readJournal(t *testing.T, raw string) journal {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	j := journal{header: m.Header, parts: map[string]string{}}
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := mr.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			body = quotedprintable.NewReader(p)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		j.parts[p.FileName()] = string(text)
		j.order = append(j.order, p.FileName())
	}
	if err := json.Unmarshal([]byte(j.parts[archive.JSONName]), &struct {
		*archive.Record
		SMIME json.RawMessage `json:"smime"` // has another form when it is read
	}{Record: &j.record}); err != nil {
		t.Fatal(err)
	}
	return j
}

// What a user sent is in the archive as it came, with who got it hidden, what was done for each, and encrypted; nothing of it rests readable.
func TestArchivesOutgoing(t *testing.T) {
	s := newSetting(t)
	dir := s.archived(t)
	g, stop := s.start(t)
	m := letter("alice@firma.example", "bob@partner.example")
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", m); r.Code != 250 {
		t.Fatal(r)
	}
	s.wantProtected(t)
	sealed := s.copyFile(t, dir, 1)
	for _, secret := range []string{"planted", "alice@", "bob@"} {
		if strings.Contains(sealed, secret) {
			t.Errorf("the file has %q", secret)
		}
	}
	j := readJournal(t, opensslDecrypt(t, s, sealed))
	original := j.parts[archive.OriginalName]
	if !strings.HasSuffix(original, m) || !strings.HasPrefix(original, "Received: ") {
		t.Errorf("the original is\n%s", original)
	}
	if !strings.Contains(j.parts[""], "Sender: alice@firma.example\r\n") || !strings.Contains(j.parts[""], "To: bob@partner.example\r\n") {
		t.Errorf("the envelope is\n%s", j.parts[""])
	}
	r := j.record
	if r.Direction != gwmail.Outgoing || r.Archive != "gobd" || len(r.Recipients) != 1 || r.Recipients[0].Done != "signed and encrypted" || !strings.Contains(r.Recipients[0].Rule, "encrypt=true") {
		t.Errorf("the record is %+v", r)
	}
	accepted := s.event(t, track.Accepted)
	if r.Message != accepted.ID || r.ID == accepted.ID || !strings.Contains(j.header.Get("Message-ID"), string(r.ID)+".") {
		t.Errorf("ids %s, %s, %s", r.Message, r.ID, j.header.Get("Message-ID"))
	}
	stop()
	noPlaintext(t, s.options.State, s.options.Key)
	for _, e := range s.events.Events() {
		if e.Destination == "archive:gobd" && (e.Subject != "" || e.MessageID != "" || len(e.To) > 0) {
			t.Errorf("the record tells of the copy %+v", e)
		}
	}
}

// A recipient that nobody else sees is named to the archive.
func TestArchiveNamesHiddenRecipients(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "bob@partner.example", letter("alice@firma.example", "carl@partner.example")); r.Code != 250 {
		t.Fatal(r)
	}
	j := readJournal(t, h.wait(t))
	if !strings.Contains(j.parts[""], "Bcc: bob@partner.example\r\n") || j.record.Recipients[0].Field != "Bcc" {
		t.Errorf("the envelope is\n%s", j.parts[""])
	}
	s.hop.wait(t)
}

// What came encrypted is in the archive as it came, and decrypted, with what was found in both languages.
func TestArchivesIncoming(t *testing.T) {
	for _, first := range []bool{false, true} {
		s := newSetting(t)
		h := s.journaled(t)
		s.options.Settings.Archives[0].DecryptedFirst = first
		g, _ := s.start(t)
		m := s.encryptedToAlice(t)
		if r := send(t, g, "ex", "bob@partner.example", "alice@firma.example", m); r.Code != 250 {
			t.Fatal(r)
		}
		delivered := s.hop.wait(t)
		j := readJournal(t, h.wait(t))
		if !strings.HasSuffix(j.parts[archive.OriginalName], m) || j.parts[archive.DecryptedName] != delivered {
			t.Errorf("original\n%s\ndecrypted\n%s\ndelivered\n%s", j.parts[archive.OriginalName], j.parts[archive.DecryptedName], delivered)
		}
		if at := slices.Index(j.order, archive.DecryptedName); at != map[bool]int{false: 2, true: 1}[first] {
			t.Errorf("the parts are %q", j.order)
		}
		text := j.parts[archive.TextName]
		if !strings.Contains(text, "Eingehende Nachricht") || !strings.Contains(text, "nicht signiert (unsigned)") || !strings.Contains(text, "entschlüsselt") || !strings.Contains(text, "not signed (unsigned)") {
			t.Errorf("the text is\n%s", text)
		}
		if !strings.Contains(j.parts[archive.JSONName], `"decrypted": true`) || j.record.Direction != gwmail.Incoming {
			t.Errorf("the record is %s", j.parts[archive.JSONName])
		}
	}
}

// What stays inside is archived, too; what is refused never.
func TestArchivesInternalAndNothingRefused(t *testing.T) {
	s := newSetting(t)
	h := s.journaled(t)
	s.archiving(t, []string{"gobd"}, policy.Rule{Name: "strict", To: patterns(t, "dora@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}})
	g, _ := s.start(t)
	if r := send(t, g, "in", "alice@firma.example", "dora@partner.example", letter("alice@firma.example", "dora@partner.example")); r.Code != 550 {
		t.Fatal(r)
	}
	if r := send(t, g, "in", "alice@firma.example", "carl@firma.example", letter("alice@firma.example", "carl@firma.example")); r.Code != 250 {
		t.Fatal(r)
	}
	if j := readJournal(t, h.wait(t)); j.record.Direction != gwmail.Internal || j.record.Recipients[0].Address.String() != "carl@firma.example" {
		t.Errorf("the record is %+v", j.record)
	}
	s.hop.wait(t)
	if n := s.count(track.Archived); n > 1 || len(h.got) > 0 {
		t.Errorf("%d copies", n)
	}
}

// What waits for its protection is archived when it is accepted, and not once more when it leaves.
func TestArchivesWhatWaits(t *testing.T) {
	s, r := newReaderSetting(t)
	h := s.journaled(t)
	s.archiving(t, []string{"gobd"}, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	r.away.Store(true)
	g, stop := s.start(t)
	s.sendHeld(t, g)
	j := readJournal(t, h.wait(t))
	if !strings.HasPrefix(j.record.Recipients[0].Done, "held for protection") || !strings.Contains(j.parts[archive.OriginalName], "planted body") {
		t.Errorf("the record is %+v", j.record)
	}
	r.away.Store(false)
	s.wantProtected(t)
	stop()
	if n := s.count(track.Archived); n != 1 || len(h.got) > 0 {
		t.Errorf("%d copies", n)
	}
}
