package pickup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/pickup"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// sink is a Handler and a Recorder that keeps what it gets.
type sink struct {
	mu     sync.Mutex
	envs   []mail.Envelope
	got    []string
	events []track.Event
	err    error
	before func()
}

func (s *sink) Accept(_ context.Context, env mail.Envelope, content mail.Content) error {
	if s.before != nil {
		s.before()
	}
	if s.err != nil {
		return s.err
	}
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envs, s.got = append(s.envs, env), append(s.got, string(b))
	return err
}

func (s *sink) Record(e track.Event) { s.events = append(s.events, e) }

// place is a folder with a clock that the test sets.
type place struct {
	*pickup.Folder
	*sink
	t   *testing.T
	dir string
	now time.Time
}

func newPlace(t *testing.T, change func(*pickup.Options)) *place {
	t.Helper()
	p := &place{sink: new(sink), t: t, dir: t.TempDir(), now: time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)}
	p.Folder = p.open(change)
	return p
}

func (p *place) open(change func(*pickup.Options)) *pickup.Folder {
	p.t.Helper()
	spool, err := atrest.NewSpool(p.t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		p.t.Fatal(err)
	}
	senders, err := mail.ParsePatterns("@firma.example")
	if err != nil {
		p.t.Fatal(err)
	}
	o := pickup.Options{
		Dir: p.dir, Owners: []uint32{uint32(os.Geteuid())}, Senders: senders, Hostname: "mx.firma.example",
		Handler: p.sink, Recorder: p.sink, Spool: spool, Now: func() time.Time { return p.now },
	}
	if change != nil {
		change(&o)
	}
	f, err := pickup.Open(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.Close() })
	return f
}

// put writes a file as an application does.
func (p *place) put(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := errors.Join(os.WriteFile(path+".tmp", []byte(text), 0o600), os.Rename(path+".tmp", path)); err != nil {
		p.t.Fatal(err)
	}
}

// look scans twice, so that what is new has settled.
func (p *place) look() {
	p.t.Helper()
	for range 2 {
		if err := p.Scan(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
		p.now = p.now.Add(3 * time.Second)
	}
}

// files lists what lies in the folder or in one under it.
func (p *place) files(sub string) (out []string) {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, sub))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		if sub != "" || e.Name() != "taking" && e.Name() != "bad" {
			out = append(out, e.Name())
		}
	}
	return out
}

// reason is what stands beside the only file in bad/.
func (p *place) reason() string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "bad", "*.txt"))
	if err != nil || len(found) != 1 {
		p.t.Fatalf("the reasons are %q, %v", found, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

const letter = "From: Invoices <invoices@firma.example>\nTo: bob@partner.example, \"C\" <carol@partner.example>\nCc: bob@partner.example\n" +
	"Bcc: dora@partner.example\nSubject: your invoice\nX-Siegel-Verdict: valid\nX-Siegel-Encrypt: yes\n\nDear Bob,\n.\nGrüße"

func TestTake(t *testing.T) {
	p := newPlace(t, nil)
	p.put("a.eml", letter)
	p.put("notes.txt", "stays")
	p.look()
	if len(p.got) != 1 || len(p.files("taking")) != 0 || len(p.files("bad")) != 0 || fmt.Sprint(p.files("")) != "[notes.txt]" {
		t.Fatalf("%d messages; %q, %q, %q", len(p.got), p.files(""), p.files("taking"), p.files("bad"))
	}
	env := p.envs[0]
	to := ""
	for _, r := range env.Recipients {
		to += r.Address.String() + " "
	}
	if to != "bob@partner.example carol@partner.example dora@partner.example " || env.From.String() != "invoices@firma.example" ||
		!env.Internal || !env.MayUse.Match(env.From) || env.Client.Listener != "pickup" || !env.Body8Bit || env.SMTPUTF8 {
		t.Errorf("%+v", env)
	}
	head, body, _ := strings.Cut(p.got[0], "\r\n\r\n")
	if body != "Dear Bob,\r\n.\r\nGrüße\r\n" {
		t.Errorf("the body is %q", body)
	}
	for field, want := range map[string]bool{
		"Received: by mx.firma.example (pickup) id " + string(env.ID) + ";": true, "\r\nDate: Tue, 6 May 2031 12:00:03 +0000\r\n": true,
		"@mx.firma.example>\r\n": true, "X-Siegel-Encrypt: yes": true, "X-Siegel-Verdict": false, "Bcc": false, "dora@": false,
	} {
		if strings.Contains(strings.ReplaceAll(head, "\r\n ", " "), field) != want {
			t.Errorf("%q: want %t in\n%s", field, want, head)
		}
	}
	if e := p.events; len(e) != 1 || e[0].Kind != track.Accepted || e[0].ID != env.ID || len(e[0].To) != 3 {
		t.Errorf("recorded: %+v", e)
	}
}

// What else lies in the folder, however much it is, keeps no message waiting.
func TestManyOtherFiles(t *testing.T) {
	p := newPlace(t, nil)
	for i := range 2500 {
		if err := os.WriteFile(filepath.Join(p.dir, fmt.Sprintf("%d.tmp", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		p.put(fmt.Sprintf("%d.eml", i), letter)
	}
	p.look()
	if len(p.got) != 3 {
		t.Errorf("%d messages were taken", len(p.got))
	}
}

func TestEnvelopeFields(t *testing.T) {
	p := newPlace(t, nil)
	p.put("a.eml", "X-Sender: <>\r\nx-receiver: <eve@partner.example>\r\nX-Receiver: \"a b\"@partner.example\r\n"+
		"Message-ID: <1@x>\r\nDate: kept\r\nFrom: a@firma.example\r\nTo: nobody: ;\r\n\r\n")
	p.look()
	if len(p.got) != 1 {
		t.Fatal(p.reason())
	}
	if env := p.envs[0]; !env.From.IsNull() || len(env.Recipients) != 2 || env.Recipients[1].Address.Local != "a b" || env.Body8Bit {
		t.Errorf("%+v", env)
	}
	if m := p.got[0]; strings.Contains(m, "eceiver") || strings.Contains(m, "X-Sender") || !strings.Contains(m, "Message-ID: <1@x>\r\nDate: kept\r\n") {
		t.Errorf("%s", m)
	}
}

// What is wrong with a message is said beside it, in a sentence.
func TestBadMessages(t *testing.T) {
	const from, to = "From: a@firma.example\n", "To: b@partner.example\n"
	for what, c := range map[string]struct{ text, want string }{
		"a stranger":           {"From: a@else.example\n" + to + "\n", "a@else.example may not send from here"},
		"two authors":          {"From: a@firma.example, b@firma.example\n" + to + "\n", "one From field"},
		"no author":            {to + "\n", "one From field"},
		"a group":              {"From: g: a@firma.example;\n" + to + "\n", "one From field"},
		"a strange sender":     {"X-Sender: b@else.example\n" + from + to + "\n", "b@else.example may not send"},
		"two senders":          {"X-Sender: a@firma.example\nX-Sender: <>\n" + from + to + "\n", "more than one X-Sender"},
		"a bad sender":         {"X-Sender: a@firma.example BODY=7bit\n" + from + to + "\n", "X-Sender must be one address"},
		"a bad receiver":       {"X-Receiver: a, b\n" + from + to + "\n", "each X-Receiver"},
		"nobody":               {from + "Bcc: \n\n", "no recipients"},
		"an unreadable To":     {from + "To: b@\n\n", "the field To"},
		"too many":             {from + "To: a@x.example, b@x.example, c@x.example, d@x.example\n\n", "4 recipients, 3 are allowed"},
		"resent":               {"Resent-From: a@firma.example\n" + from + to + "\n", "Resent-"},
		"a bare CR":            {from + to + "\na\rb\n", "CR without LF"},
		"a bare CR in a field": {from + to + "Subject: a\rBcc: x@y.example\n\n", "CR without LF"},
		"a CR at the end":      {from + to + "\na\r", "CR without LF"},
		"a NUL":                {from + to + "\na\x00b\n", "a NUL"},
		"too large":            {from + to + "\n" + strings.Repeat("x", 10_000), "larger than 10000 bytes"},
		"no message":           {"just text\n", "one From field"},
		"empty":                {"", "one From field"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t, func(o *pickup.Options) { o.MaxSize, o.MaxRecipients = 10_000, 3 })
			p.put("x y;$(z).eml", c.text)
			p.look()
			if len(p.got) != 0 || len(p.files("")) != 0 || len(p.files("taking")) != 0 {
				t.Fatalf("%d messages; %q, %q", len(p.got), p.files(""), p.files("taking"))
			}
			if r := p.reason(); !strings.Contains(r, c.want) || !strings.HasPrefix(r, "2031-05-06 12:00:03 UTC\n") {
				t.Errorf("the reason is %q", r)
			}
			if kept := p.files("bad"); len(kept) != 2 || !strings.HasSuffix(kept[0], "-x_y___z_.eml") {
				t.Errorf("%q", kept)
			}
			if e := p.events; len(e) != 1 || e[0].Kind != track.Refused {
				t.Errorf("recorded: %+v", e)
			}
		})
	}
}

// A long header ends where its limit is.
func TestLongHeader(t *testing.T) {
	p := newPlace(t, nil)
	p.put("a.eml", "From: a@firma.example\nTo: b@partner.example\nX-Long: "+strings.Repeat("x ", 200_000)+"\n\n")
	p.look()
	if r := p.reason(); !strings.Contains(r, "header of the message is longer") {
		t.Error(r)
	}
}

// Files that may be somebody else's, or are none, are not sent (the reader of a message must not get /etc/shadow).
func TestBadFiles(t *testing.T) {
	const name = "a.eml"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		make  func(path string) error
		owner int
		want  string
	}{
		"a symbolic link":         {func(p string) error { return os.Symlink(secret, p) }, 0, "a link, a folder or a device"},
		"a link to a link inside": {func(p string) error { return os.Symlink("taking", p) }, 0, "a link, a folder or a device"},
		"a hard link":             {func(p string) error { return os.Link(secret, p) }, 0, "second name"},
		"a folder":                {func(p string) error { return os.Mkdir(p, 0o700) }, 0, "a link, a folder or a device"},
		"a pipe":                  {func(p string) error { return syscall.Mkfifo(p, 0o600) }, 0, "a link, a folder or a device"},
		"another owner":           {func(p string) error { return os.WriteFile(p, []byte(letter), 0o600) }, 1, "pickup.owners"},
		"writable by all":         {func(p string) error { return errors.Join(os.WriteFile(p, []byte(letter), 0o600), os.Chmod(p, 0o606)) }, 0, "chmod go-w"},
		"writable by some":        {func(p string) error { return errors.Join(os.WriteFile(p, []byte(letter), 0o600), os.Chmod(p, 0o620)) }, 0, "chmod go-w"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t, func(o *pickup.Options) { o.Owners[0] += uint32(c.owner) })
			if err := c.make(filepath.Join(p.dir, name)); err != nil {
				t.Fatal(err)
			}
			p.look()
			if len(p.got) != 0 || len(p.files("")) != 0 {
				t.Fatalf("%d messages; %q", len(p.got), p.files(""))
			}
			if r := p.reason(); !strings.Contains(r, c.want) {
				t.Errorf("the reason is %q", r)
			}
		})
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != letter {
		t.Errorf("what a link led to is changed: %v", err)
	}
}

// A file that still grows, or is exchanged, is not complete.
func TestIncomplete(t *testing.T) {
	p := newPlace(t, nil)
	for i := range 4 {
		p.put("a.eml", letter+strings.Repeat(".", i))
		if err := p.Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.now = p.now.Add(time.Hour)
	}
	if len(p.got) != 0 || len(p.files("")) != 1 {
		t.Fatal("a file was taken before it had settled")
	}
	p.look()
	if len(p.got) != 1 || !strings.HasSuffix(p.got[0], "...\r\n") {
		t.Errorf("%q", p.got)
	}
}

// Who has a file open can write to it after it was renamed: then it is read again, whole.
func TestWrittenWhileItIsRead(t *testing.T) {
	p := newPlace(t, nil)
	p.put("a.eml", letter)
	open, err := os.OpenFile(filepath.Join(p.dir, "a.eml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := p.Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(p.dir, "a.eml"), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	p.look()
	if len(p.got) != 1 {
		t.Fatal(p.files(""))
	}
}

// What cannot be taken now is tried again, after waits that grow, and by the next run at once.
func TestTemporary(t *testing.T) {
	p := newPlace(t, nil)
	p.err = errors.New("the disk is away")
	tries := 0
	p.before = func() { tries++ }
	p.put("a.eml", letter)
	p.look()
	if tries != 1 || len(p.files("taking")) != 1 || len(p.events) != 0 {
		t.Fatalf("%d tries, %q", tries, p.files("taking"))
	}
	for range 5 {
		p.now = p.now.Add(20 * time.Minute)
		p.look()
	}
	if tries != 6 {
		t.Errorf("%d tries", tries)
	}
	next := p.open(nil)
	p.err = status.Refuse(451, "4.7.5", "the card is not plugged in")
	if err := next.Scan(t.Context()); err != nil || tries != 7 {
		t.Errorf("%d tries by the next run, %v", tries, err)
	}
	p.now, p.err = p.now.Add(time.Hour), nil
	if err := next.Scan(t.Context()); err != nil || len(p.got) != 1 || len(p.files("taking")) != 0 {
		t.Errorf("%d messages, %v", len(p.got), err)
	}
}

// A refusal by policy is not for a listener to say: it stands beside the message.
func TestRefused(t *testing.T) {
	p := newPlace(t, nil)
	p.err = fmt.Errorf("admit: %w", status.Refuse(550, "5.7.1", "The message to bob@partner.example was not sent: no certificate."))
	p.put("a.eml", letter)
	p.look()
	if r := p.reason(); !strings.Contains(r, "bob@partner.example was not sent: no certificate.") || strings.Contains(r, "invoice") {
		t.Error(r)
	}
}

// The file is there until the message is durable: killed before the deletion, the gateway sends it once more.
func TestDeletedAfterTheCommit(t *testing.T) {
	p := newPlace(t, nil)
	p.before = func() {
		if len(p.files("taking")) != 1 {
			t.Error("the file is gone before the commit")
		}
	}
	p.put("a.eml", letter)
	p.look()
	if len(p.files("taking")) != 0 {
		t.Error("the file stays after the commit")
	}
}

func TestOpenRefuses(t *testing.T) {
	p := newPlace(t, nil)
	attempt := func(dir string) error {
		o := pickup.Options{Dir: dir, Owners: []uint32{0}, Senders: mail.Patterns{{}}, Handler: p.sink, Spool: new(atrest.Spool)}
		f, err := pickup.Open(o)
		if err == nil {
			f.Close()
		}
		return err
	}
	for what, spoil := range map[string]func(dir string) error{
		"no folder":             os.Remove,
		"writable by everybody": func(dir string) error { return os.Chmod(dir, 0o777) },
		"taking is a link":      func(dir string) error { return os.Symlink(t.TempDir(), filepath.Join(dir, "taking")) },
		"taking is a file":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "taking"), nil, 0o600) },
		"taking is open": func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "taking"), 0o700), os.Chmod(filepath.Join(dir, "taking"), 0o770))
		},
		"bad is open": func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "bad"), 0o700), os.Chmod(filepath.Join(dir, "bad"), 0o777))
		},
	} {
		dir := t.TempDir()
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if err := attempt(dir); !errors.Is(err, pickup.ErrFolder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := attempt(t.TempDir()); err != nil {
		t.Error(err)
	}
}

// An application that exchanges the gateway's own folder gains nothing: the file is found missing.
func TestExchangedFolder(t *testing.T) {
	p := newPlace(t, nil)
	elsewhere := t.TempDir()
	if err := errors.Join(os.Rename(filepath.Join(p.dir, "taking"), filepath.Join(p.dir, "old")), os.Symlink(elsewhere, filepath.Join(p.dir, "taking"))); err != nil {
		t.Fatal(err)
	}
	p.put("a.eml", letter)
	p.look()
	entries, err := os.ReadDir(elsewhere)
	if len(p.got) != 0 || err != nil || len(entries) != 0 {
		t.Errorf("%d messages; outside of the folder: %v, %v", len(p.got), entries, err)
	}
}

func TestRun(t *testing.T) {
	p := newPlace(t, nil)
	taken := make(chan struct{})
	p.before = func() { close(taken) }
	p.put("a.eml", letter)
	f := p.open(func(o *pickup.Options) { o.Now, o.Interval, o.Settle = time.Now, time.Millisecond, time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	<-taken
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
}
