package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// flagged is one message, and what becomes of it.
type flagged struct {
	header string // without From and To, lines with LF
	made   string // "plain", "signed", "encrypted", "signed encrypted"
	text   string // the subject that arrives, decoded
	asked  string // what the record says was asked for
}

// flaggedCases reads cases: lines of a header, a line "=> MADE | SUBJECT | RECORD", and an empty line.
func flaggedCases(text string) (cases []flagged, err error) {
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		header, want, ok := strings.Cut(block, "=> ")
		parts := strings.SplitN(want, "|", 3)
		if !ok || len(parts) != 3 {
			return nil, fmt.Errorf("a case without \"=> MADE | SUBJECT | RECORD\": %q", block)
		}
		cases = append(cases, flagged{header, strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1]), strings.TrimSpace(parts[2])})
	}
	return cases, nil
}

// flagged inside|outside CASES: sends the message of each case from alice to bob by the internal listener, and holds that it arrives as the
// case says; or from bob to alice by the external one, and holds that it asked for nothing: what may be believed from inside alone is gone,
// and everything else is as it was sent.
func flaggedCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	cases, err := flaggedCases(ts.ReadFile(args[1]))
	if err != nil {
		return err
	}
	f := flaggedRun{ts: ts, w: w, inside: args[0] == "inside", from: alice, to: bob, address: ts.Getenv("INTERNAL"), arrives: w.servers["partner"]}
	if !f.inside {
		f.from, f.to, f.address, f.arrives = bob, alice, ts.Getenv("EXTERNAL"), w.servers["company"]
	}
	ids, err := f.sendAll(cases)
	if err != nil {
		return err
	}
	if err := f.receive(ctx, len(cases)); err != nil {
		return err
	}
	sent, wire, err := f.subjects(ctx, len(cases))
	if err != nil {
		return err
	}
	for i, c := range cases {
		record, err := w.siegel(ctx, ts, "track", "show", ids[i])
		if err == nil && f.inside {
			err = f.honoured(ctx, c, i, wire[i], string(record))
		} else if err == nil {
			err = f.ignored(c, i, sent[i], wire[i], string(record))
		}
		if err != nil {
			return fmt.Errorf("%s\n%w", c.header, err)
		}
	}
	ts.Logf("%d messages", len(cases))
	return nil
}

type flaggedRun struct {
	ts                *testscript.TestScript
	w                 *world
	inside            bool
	from, to, address string
	arrives           *site
}

// sendAll sends all cases over one connection and returns the ids of their messages.
func (f flaggedRun) sendAll(cases []flagged) ([]string, error) {
	client, err := smtp.Dial(f.address)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ids := make([]string, len(cases))
	for i, c := range cases {
		if ids[i], err = f.send(client, i, c.header); err != nil {
			return nil, fmt.Errorf("%s\n%w", c.header, err)
		}
	}
	return ids, client.Quit()
}

func (f flaggedRun) send(client *smtp.Client, i int, header string) (string, error) {
	message := fmt.Sprintf("From: %s\nTo: %s\nX-Case: %d\n%s\nfigures of the quarter\n", f.from, f.to, i, header)
	if err := os.WriteFile(f.path(fmt.Sprintf("sent-%d.eml", i)), []byte(message), 0o600); err != nil {
		return "", err
	}
	if err := errors.Join(client.Mail(f.from), client.Rcpt(f.to)); err != nil {
		return "", err
	}
	if err := client.Text.PrintfLine("DATA"); err != nil {
		return "", err
	}
	if _, _, err := client.Text.ReadResponse(354); err != nil {
		return "", err
	}
	w := client.Text.DotWriter()
	_, err := io.WriteString(w, message)
	if err := errors.Join(err, w.Close()); err != nil {
		return "", err
	}
	_, said, err := client.Text.ReadResponse(250)
	_, id, _ := strings.Cut(said, "queued as ")
	return id, err
}

// receive waits for all cases, in whatever order they come.
func (f flaggedRun) receive(ctx context.Context, n int) error {
	for range n {
		wire, err := f.arrives.server.Next(ctx, f.to)
		if err != nil {
			return err
		}
		number := regexp.MustCompile(`(?m)^X-Case: (\d+)`).FindSubmatch(wire)
		if number == nil {
			return fmt.Errorf("it is of no case:\n%s", wire)
		}
		if err := os.WriteFile(f.path(fmt.Sprintf("wire-%s.eml", number[1])), wire, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// subjects are those that were sent and came, as Python reads them.
func (f flaggedRun) subjects(ctx context.Context, n int) (sent, wire []string, err error) {
	args := []string{"subjects.py"}
	for _, name := range []string{"sent", "wire"} {
		for i := range n {
			args = append(args, fmt.Sprintf("%s-%d.eml", name, i))
		}
	}
	out, err := f.run(ctx, "python3", args...)
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err == nil && len(lines) != 2*n {
		err = fmt.Errorf("Python says %d subjects of %d", len(lines), 2*n)
	}
	if err != nil {
		return nil, nil, err
	}
	return lines[:n], lines[n:], nil
}

// honoured holds that what was asked for was done, and is not asked any more.
func (f flaggedRun) honoured(ctx context.Context, c flagged, i int, subject, record string) error {
	name := fmt.Sprintf("wire-%d.eml", i)
	made, err := f.made(ctx, name)
	if err != nil {
		return err
	}
	if made != c.made || subject != c.text {
		return fmt.Errorf("it arrived %s, subject %q; want %s, %q", made, subject, c.made, c.text)
	}
	wire, err := os.ReadFile(f.path(name))
	if err != nil {
		return err
	}
	if left := append(asksFor.FindAll(wire, -1), labelled.FindAll(wire, -1)...); len(left) > 0 {
		return fmt.Errorf("%q left the company", left)
	}
	if strings.Contains(c.header, "\nSensitivity:") && !bytes.Contains(wire, []byte("\nSensitivity:")) {
		return errors.New("Sensitivity is gone")
	}
	record = strings.Join(strings.Fields(record), " ")
	if got := "asked for: " + c.asked + ";"; c.asked != "" && !strings.Contains(record, got) || c.asked == "" && strings.Contains(record, "asked for") {
		return fmt.Errorf("the record does not say %q:\n%s", got, record)
	}
	return nil
}

// labelled finds what classifies a message and is nobody's business outside.
var labelled = regexp.MustCompile(`(?im)^(msip_label|x-microsoft-class)`)

// asksFor finds what only the gateway is to read.
var asksFor = regexp.MustCompile(`(?im)^(x-siegel-(sign|encrypt|plain|tls|demail)|x-sm(enc|webmail|plain|sign)) *:.*`)

// ignored holds that nothing was asked for, and that only what asks is gone.
func (f flaggedRun) ignored(c flagged, i int, sent, subject, record string) error {
	switch {
	case subject != sent:
		return fmt.Errorf("the subject %q became %q", sent, subject)
	case strings.Contains(record, "asked for"):
		return fmt.Errorf("somebody outside was asked:\n%s", record)
	}
	wire, err := os.ReadFile(f.path(fmt.Sprintf("wire-%d.eml", i)))
	if err != nil {
		return err
	}
	if left := asksFor.Find(wire); left != nil {
		return fmt.Errorf("%q came in", left)
	}
	m, err := mail.ReadMessage(bytes.NewReader(wire))
	if err != nil {
		return err
	}
	for line := range strings.Lines(c.header) {
		name, _, ok := strings.Cut(line, ":")
		if ok && !strings.ContainsAny(name, " \t") && !asksFor.MatchString(line) && m.Header.Get(name) == "" {
			return fmt.Errorf("%s is gone", name)
		}
	}
	return nil
}

// made says by OpenSSL how what arrived is protected.
func (f flaggedRun) made(ctx context.Context, name string) (string, error) {
	inner, how := name, []string{}
	if wire, err := os.ReadFile(f.path(inner)); err != nil || !bytes.Contains(wire, []byte("pkcs7")) {
		return "plain", err
	}
	if _, err := f.run(ctx, "openssl", "cms", "-decrypt", "-in", inner, "-recip", "bob.pem", "-out", "inner.eml"); err == nil {
		inner, how = "inner.eml", []string{"encrypted"}
	}
	if _, err := f.run(ctx, "openssl", "cms", "-verify", "-in", inner, "-CAfile", "ca.pem", "-purpose", "smimesign", "-out", "text.eml"); err == nil {
		how = append([]string{"signed"}, how...)
	}
	if len(how) == 0 {
		return "", errors.New("OpenSSL neither decrypts nor verifies it")
	}
	return strings.Join(how, " "), nil
}

func (f flaggedRun) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = f.w.dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w\n%s%s", name, err, out, stderr.Bytes())
	}
	return out, nil
}

func (f flaggedRun) path(name string) string { return filepath.Join(f.w.dir, name) }
