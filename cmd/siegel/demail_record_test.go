package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/demailadmin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/proof/bundle"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// deMailActs is an audit log in memory; with failing set it takes nothing.
type deMailActs struct {
	failing bool
	all     []admin.Act
}

func (a *deMailActs) Record(_ context.Context, act admin.Act) error {
	if a.failing {
		return errors.New("disk full")
	}
	a.all = append(a.all, act)
	return nil
}

// recorded is a record of De-Mail behind a control socket: one that is in doubt, and one that awaits a confirmation.
type recorded struct {
	*testing.T
	store  *proof.Store
	acts   *deMailActs
	socket string
	stamp  bundle.Stamp
	told   []string // keys of those that the queue goes on with
}

const deMailLetter = "From: kontakt@firma.de-mail.de\r\nSubject: x\r\n\r\nGuten Tag.\r\n"

func newRecorded(t *testing.T) *recorded {
	d := &recorded{T: t, acts: &deMailActs{}}
	var err error
	if d.store, err = proof.Open(t.Context(), proof.Options{Dir: filepath.Join(t.TempDir(), "demail"), Key: atrest.NewKey(), Terms: proof.Terms{Overdue: proof.Overdue{Dispatch: time.Nanosecond}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	d.put("k-doubt", proof.Doubtful)
	d.put("k-sent", proof.Taken)
	d.confirmations()
	d.socket = filepath.Join(t.TempDir(), "r", "c.sock")
	t.Cleanup(control(t, admin.ControlOptions{Path: d.socket, Store: listStore{}, Audit: d.acts, DeMail: demailadmin.Admin(demailadmin.Options{
		Store: d.store, Stamp: func() bundle.Stamp { return d.stamp }, Resolved: func(_ context.Context, r proof.Record) { d.told = append(d.told, r.Key) },
	})}))
	return d
}

func (d *recorded) put(key string, state proof.State) {
	d.Helper()
	sender, to := d.address("kontakt@firma.de-mail.de"), d.address("amt@stadt.de-mail.de")
	_, err := d.store.Begin(d.Context(), proof.Submission{Key: key, ID: mail.ID("id-" + key), Origin: "origin", Account: "main", Sender: sender, Subject: hostile, MessageID: "<" + key + "@firma.example>",
		Author: mail.Address{Local: "berta", Domain: "firma.example"}, Options: demail.Options{Dispatch: true, Receipt: true},
		Recipients: demail.Recipients{To: []demail.Mailbox{{Name: hostile, Address: to}}}, Content: queuetest.Bytes(deMailLetter)})
	if err == nil {
		err = d.store.Settle(d.Context(), key, proof.Result{State: state, Receipt: connectors.Receipt{ID: "P-" + key}, Class: "x", Text: hostile})
	}
	if err != nil {
		d.Fatal(err)
	}
}

func (d *recorded) address(text string) demail.Address {
	a, err := demail.ParseAddress(text)
	if err != nil {
		d.Fatal(err)
	}
	return a
}

// confirmations lays some into the record, and a message that was fetched.
func (d *recorded) confirmations() {
	d.Helper()
	for id, key := range map[string]string{"C1": "k-sent", "C2": "k-nobody"} {
		v := proof.Verdict{Proven: key == "k-sent", State: "trusted", Reason: hostile, Sender: d.address("kontakt@firma.de-mail.de"), Keys: demail.Keys{PrivateID: key}}
		if _, _, err := d.store.Confirm(d.Context(), proof.Evidence{Account: "main", ID: id, Kind: demail.TypeReceipt, Content: queuetest.Bytes("x"), Fetched: time.Now(), Verdict: v}); err != nil {
			d.Fatal(err)
		}
	}
	if _, _, err := d.store.Arrived(d.Context(), proof.Arrival{Account: "main", ID: "A1", Kind: demail.TypeNormal, Queue: "q-in", Fetched: time.Now(), Sender: d.address("amt@stadt.de-mail.de"),
		Verdict: proof.Verdict{State: "hashed", Reason: hostile}}); err != nil {
		d.Fatal(err)
	}
}

// siegel runs a command line.
func (d *recorded) siegel(want int, line ...string) string {
	d.Helper()
	var out strings.Builder
	if code := run(append(append([]string{"demail"}, line...), "--socket", d.socket), &out, &out); code != want {
		d.Errorf("%q: exit code %d:\n%s", line, code, out.String())
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) {
		d.Errorf("%q prints what a stranger wrote: %q", line, out.String())
	}
	return out.String()
}

func (d *recorded) says(text string, words ...string) {
	d.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			d.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

func TestDeMailList(t *testing.T) {
	d := newRecorded(t)
	d.says(d.siegel(exitDone, "list"), "k-doubt", "doubtful", "k-sent", "overdue: dispatch", "kontakt@firma.de-mail.de -> amt@stadt.de-mail.de")
	if out := d.siegel(exitDone, "list", "--state", "doubtful"); strings.Contains(out, "k-sent") || !strings.Contains(out, "k-doubt") {
		t.Error(out)
	}
	for _, filter := range [][]string{{"--late"}, {"--awaiting"}, {"--sender", "berta@firma.example", "--state", "taken"}, {"--recipient", "amt@stadt.de-mail.de", "--limit", "1"}, {"--since", "1h", "--limit", "1"}} {
		if out := d.siegel(exitDone, append([]string{"list"}, filter...)...); !strings.Contains(out, "k-sent") || strings.Contains(out, "k-doubt") {
			t.Errorf("%q: %s", filter, out)
		}
	}
	d.says(d.siegel(exitDone, "list", "--limit", "1"), "There is more: --before 2")
	d.says(d.siegel(exitDone, "list", "--before", "2"), "k-doubt")
	d.says(d.siegel(exitDone, "list", "--account", "other"), "no such De-Mail")
	d.says(d.siegel(exitDone, "list", "--incoming"), "q-in", "normal", "not proven (hashed: 550 no", "not yet in the queue")
	d.says(d.siegel(exitDone, "list", "--unmatched"), "C2", "k-nobody")
	d.says(d.siegel(exitFailed, "list", "--recipient", "nobody"), "is no De-Mail address")
	d.siegel(exitUsage, "list", "--incoming", "--state", "taken")
	d.siegel(exitUsage, "list", "--incoming", "--unmatched")
	d.siegel(exitUsage, "list", "--limit", "0")
	var listed demailadmin.Listed
	if err := json.Unmarshal([]byte(d.siegel(exitDone, "list", "--json")), &listed); err != nil || len(listed.Messages) != 2 || listed.Messages[0].Key != "k-sent" {
		t.Errorf("%+v, %v", listed, err)
	}
}

func TestDeMailShow(t *testing.T) {
	d := newRecorded(t)
	for _, id := range []string{"k-sent", "id-k-sent", "k-sent@firma.example"} {
		d.says(d.siegel(exitDone, "show", id), "k-sent", "taken: the provider has it", "P-k-sent", "awaits           dispatch", "confirmation of receipt, proven", "berta@firma.example", "SHA-256")
	}
	d.says(d.siegel(exitDone, "show", "k-doubt"), "siegel demail resolve k-doubt --taken or --not-taken")
	d.says(d.siegel(exitDone, "show", "origin"), "k-doubt", "k-sent") // one message became both
	d.says(d.siegel(exitFailed, "show", "nobody\x1b[2J"), "no De-Mail in the record")
	var shown []bundle.Message
	if err := json.Unmarshal([]byte(d.siegel(exitDone, "show", "origin", "--json")), &shown); err != nil || len(shown) != 2 {
		t.Errorf("%+v, %v", shown, err)
	}
}

// A person decides what is in doubt, once, and it stands in the audit log before.
func TestDeMailResolve(t *testing.T) {
	d := newRecorded(t)
	d.siegel(exitUsage, "resolve", "k-doubt")
	d.siegel(exitUsage, "resolve", "k-doubt", "--taken", "--not-taken")
	d.says(d.siegel(exitFailed, "resolve", "origin", "--taken"), "names several")
	d.says(d.siegel(exitFailed, "resolve", "k-sent", "--not-taken"), "there is nothing to decide")
	if len(d.acts.all) != 0 {
		t.Errorf("%+v", d.acts.all)
	}
	d.acts.failing = true
	d.says(d.siegel(exitFailed, "resolve", "k-doubt", "--taken"), "audit log")
	if r, err := d.store.Record(t.Context(), "k-doubt"); err != nil || r.State != proof.Doubtful {
		t.Errorf("%+v, %v", r, err)
	}
	d.acts.failing = false
	d.says(d.siegel(exitDone, "resolve", "k-doubt", "--not-taken"), "refused: the provider does not take it", whoami())
	d.says(d.siegel(exitDone, "resolve", "id-k-sent", "--waive"), "nothing any more")
	if len(d.acts.all) != 2 || d.acts.all[0].What != "demail-resolve" || d.acts.all[0].Detail != "not-taken" || d.acts.all[1].Subject[0] != "k-sent" {
		t.Errorf("%+v", d.acts.all)
	}
	if !slices.Equal(d.told, []string{"k-doubt"}) {
		t.Errorf("the queue goes on with %q", d.told)
	}
}

// The evidence is a ZIP; that it was taken stands in the audit log, and what does not come whole is no file.
func TestDeMailEvidence(t *testing.T) {
	d := newRecorded(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "e.zip")
	d.says(d.siegel(exitDone, "evidence", "k-sent", "-o", file), "e.zip", "sha256sum -c SHA256SUMS")
	if unzip, err := exec.LookPath("unzip"); err == nil {
		if out, err := exec.Command(unzip, "-p", file, "message.eml").Output(); err != nil || string(out) != deMailLetter {
			t.Errorf("%q, %v", out, err)
		}
	} else if os.Getenv("CI") != "" {
		t.Error("unzip is not installed; scripts/install-tools test installs it")
	}
	d.says(d.siegel(exitFailed, "evidence", "k-sent", "-o", file), "is there already")
	other := filepath.Join(dir, "f.zip")
	d.siegel(exitDone, "evidence", "k-sent", "-o", other, "--json")
	first, err1 := os.ReadFile(file)
	second, err2 := os.ReadFile(other)
	if !bytes.Equal(first, second) || errors.Join(err1, err2) != nil {
		t.Errorf("the same evidence gives other bytes: %v, %v", err1, err2)
	}
	d.stamp = func(context.Context, [32]byte) ([]byte, error) { return nil, errors.New("the authority is away") }
	third := filepath.Join(dir, "g.zip")
	d.says(d.siegel(exitFailed, "evidence", "k-sent", "-o", third), "the authority is away", "--no-timestamp")
	d.says(d.siegel(exitFailed, "evidence", "nobody", "-o", third), "no De-Mail in the record")
	d.siegel(exitDone, "evidence", "k-sent", "-o", third, "--no-timestamp")
	if n := len(d.acts.all); n != 5 || d.acts.all[0].What != "demail-evidence" {
		t.Errorf("%+v", d.acts.all)
	}
	d.acts.failing = true
	d.says(d.siegel(exitFailed, "evidence", "k-doubt", "-o", filepath.Join(dir, "h.zip")), "audit log")
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 3 {
		t.Errorf("%v", left)
	}
}

// Evidence that turns out to be damaged on its way gives no file.
func TestDeMailEvidenceCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r", "c.sock")
	t.Cleanup(control(t, admin.ControlOptions{Path: path, Store: listStore{}, DeMail: admin.DeMail{Evidence: func(_ context.Context, _ string, _ bool, w io.Writer) error {
		w.Write(make([]byte, 100<<10))
		return errors.New("damaged")
	}}}))
	file := filepath.Join(t.TempDir(), "e.zip")
	var out strings.Builder
	if code := run([]string{"demail", "evidence", "k", "-o", file, "--socket", path}, &out, &out); code != exitFailed || !strings.Contains(out.String(), "did not come whole") {
		t.Errorf("%d: %s", code, out.String())
	}
	if left, _ := filepath.Glob(file + "*"); len(left) != 0 {
		t.Errorf("%v", left)
	}
}
