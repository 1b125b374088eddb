package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
)

// simulatedDeMail runs simulated providers until stop, which gives what they said.
func simulatedDeMail(t *testing.T, c demailSimulateCmd) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := c.simulate(ctx, w)
		w.Close()
		done <- err
	}()
	in := bufio.NewReader(r)
	var seen strings.Builder
	for {
		line, err := in.ReadString('\n')
		seen.WriteString(line)
		if err != nil {
			t.Fatal(seen.String(), <-done)
		}
		if strings.Contains(line, "Requests that come") {
			break
		}
	}
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(in)
		rest <- string(text)
	}()
	ended := false
	stop = func() string {
		if !ended {
			ended = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			seen.WriteString(<-rest)
		}
		return seen.String()
	}
	t.Cleanup(func() { stop() })
	return stop
}

// playRehearsal runs siegel demail rehearse.
func playRehearsal(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errors bytes.Buffer
	if got := run(append([]string{"demail", "rehearse"}, args...), &out, &errors); got != code {
		t.Errorf("rehearse %q: exit code %d\n%s%s", args, got, &out, &errors)
	}
	return out.String() + errors.String()
}

func holds(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// An administrator rehearses by hand: both sides, confirmations, faults; all of it says that it is simulated, and nothing tells a password.
func TestRehearsal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "simulated")
	stop := simulatedDeMail(t, demailSimulateCmd{Dir: dir, Listen: "127.0.0.1:0", Profile: []string{"mentana", "t-systems"}, TLS: []string{"mutual", "tls1.2", "p-521"}, Fault: []string{"down@lookup"}})
	d := "--dir=" + dir
	said := []string{
		playRehearsal(t, 0, "send", d, "--option=receipt,authoritative", "--subject=Grüße", "--text=Zwei\nZeilen"),
		playRehearsal(t, 0, "list", d, "--as=firma", "--save="+filepath.Join(dir, "saved")),
	}
	holds(t, said[1], "kind        normal", "from        amt@stadt.de-mail.de", "subject     Grüße", "options     receipt, authoritative", "level       high", "integrity   trusted",
		"kind        confirmation of receipt", "integrity   both signatures are the simulated provider's", "2 messages")
	saved, err := os.ReadFile(filepath.Join(dir, "saved", "001.eml"))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, string(saved), "\r\n\r\nZwei\r\nZeilen\r\n", "x-de-mail-authoritative: yes")
	holds(t, playRehearsal(t, 0, "list", d, "--as=firma", "--take"), "2 messages")
	holds(t, playRehearsal(t, 0, "list", d, "--as=firma"), "no messages")
	holds(t, playRehearsal(t, 0, "list", d), "1 message")

	mail := filepath.Join(dir, "own.eml")
	if err := os.WriteFile(mail, []byte("From: chef@firma.de-mail.de\nDate: Thu, 26 Nov 2026 10:00:00 +0100\nMessage-ID: <1@x>\n\nHello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	playRehearsal(t, 0, "send", d, "--as=firma", "--from=chef@firma.de-mail.de", "--to=office@stadt.de-mail.de", "--to=amt@stadt.de-mail.de", mail)
	holds(t, playRehearsal(t, 0, "list", d, "--take"), "for         office@stadt.de-mail.de", "from        chef@firma.de-mail.de", "integrity   hashed", "3 messages")

	holds(t, playRehearsal(t, 0, "fault", d), "down@lookup", "lost ", "the request is carried out")
	holds(t, playRehearsal(t, 0, "fault", d, "lost@submit*1", "malware-recipient"), "lost@submit*1 (service 1)")
	holds(t, playRehearsal(t, 1, "send", d, "--as=firma"), "it is not known whether the provider has taken the message")
	holds(t, playRehearsal(t, 0, "list", d), "1 message", "malware-notification") // it was taken
	playRehearsal(t, 0, "send", d, "--as=firma", "--option=dispatch")
	holds(t, playRehearsal(t, 0, "list", d), "malware-acknowledge", "both signatures are")
	holds(t, playRehearsal(t, 0, "fault", d, "none"), "\nnone\n")
	holds(t, playRehearsal(t, 0, "fault", d, "--at=stadt", "down"), "down (service 1)")
	holds(t, playRehearsal(t, 1, "list", d), "is siegel demail simulate running")
	holds(t, playRehearsal(t, exitUsage, "fault", d, "nonsense"), "KIND is one of")
	holds(t, playRehearsal(t, exitUsage, "send", d, "--to=a@b"), "--to is no De-Mail address")
	holds(t, playRehearsal(t, exitUsage, "send", d, "--from=x"), "--from is no De-Mail address")
	holds(t, playRehearsal(t, exitUsage, "send", d, "--subject=a\r\nBcc: b"), "one line")
	holds(t, playRehearsal(t, 1, "send", d, "--as=firma", "--option=retrieve"), "not entitled")
	snippetIsRight(t, dir)

	log := stop()
	holds(t, log, "anbieter-a.de-mail.de", "submit by post@firma.de-mail.de", "(fault lost)", "have ended")
	for _, text := range append(said, log) {
		if !strings.HasPrefix(text, "SIMULATED") {
			t.Errorf("it does not begin with what it is:\n%s", text)
		}
		if regexp.MustCompile(`SIMULATED-[A-Z2-7]{20}`).MatchString(text) {
			t.Error("a password is told")
		}
	}
	_, requests, _ := strings.Cut(log, "Requests that come:\n")
	for line := range strings.Lines(requests) {
		if !strings.Contains(line, "SIMULATED") && !strings.Contains(line, "simulated") {
			t.Error(line)
		}
	}
	holds(t, playRehearsal(t, 1, "list", d), "is siegel demail simulate running")
}

// snippetIsRight puts what was written into the shortest configuration, and has it judged.
func snippetIsRight(t *testing.T, dir string) {
	t.Helper()
	snippet, err := os.ReadFile(filepath.Join(dir, snippetFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"certificates", "trust", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "at-rest.key"), []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := configs.Parse(filepath.Join(dir, "siegel.yaml"), append([]byte(`
hostname: mail.firma.example
state: state
domains: [firma.example]
at_rest: {key: {file: at-rest.key}}
certificates: {folder: certificates, trust: trust}
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [10.0.0.1]}]
routes: [{name: exchange, domains: firma.example, host: ex.firma.example}, {name: rest, domains: "*", mx: true}]
admin: {socket: state/siegel.sock}
`), snippet...), configs.Options{Environ: []string{}, CanBind: func(int) bool { return true }})
	for _, p := range problems.Errors() {
		t.Error(p)
	}
	if c == nil || len(c.DeMail.Accounts) != 1 || len(c.DeMail.Trust()) != 1 {
		t.Fatalf("%+v", c)
	}
	for _, a := range c.DeMail.Accounts {
		if _, ok := a.TLS.Pair(); !ok || a.TLS.Roots() == nil || a.WebService() == nil || a.Password.IsZero() {
			t.Errorf("%s lacks something", a.Name)
		}
	}
	holds(t, string(snippet), "# SIMULATED")
}

// Other machines do not reach it unless that is said, and what cannot be is refused with what to do.
func TestSimulateRefuses(t *testing.T) {
	for listen, anywhere := range map[string]bool{"192.0.2.1:7443": false, "0.0.0.0:7443": true, ":7443": true, "[::]:7443": true, "provider.example:7443": false, "": false, "127.0.0.1": false} {
		c := demailSimulateCmd{Dir: t.TempDir(), Listen: listen, Anywhere: anywhere}
		if err := c.simulate(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "--listen") || exitCode(err) != exitUsage {
			t.Errorf("%q: %v", listen, err)
		}
	}
	for _, listen := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"} {
		if err := (&demailSimulateCmd{Listen: listen}).loopback(); err != nil {
			t.Error(err)
		}
	}
	if err := (&demailSimulateCmd{Listen: "192.0.2.1:1", Anywhere: true}).loopback(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]demailSimulateCmd{
		"holds no certificate in PEM": {Client: []string{os.Args[0]}, Profile: []string{"mentana"}},
		"KIND is one of":              {Fault: []string{"x"}, Profile: []string{"mentana"}}, "two profiles have the path": {Profile: []string{"mentana", "mentana"}}, "no such file": {Profile: []string{"/no/such"}},
	} {
		c.Dir, c.Listen = t.TempDir(), "127.0.0.1:0"
		if err := c.simulate(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	empty := t.TempDir()
	holds(t, playRehearsal(t, 1, "list", "--dir="+empty), "name the folder that siegel demail simulate was started with")
	for _, text := range []string{"x", "{}", `{"providers":[{},{}],"profiles":["../x"]}`, `{"providers":[{},{}],"profiles":["x"]}`} {
		if err := os.WriteFile(filepath.Join(empty, rehearsal.PlaceFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		playRehearsal(t, 1, "list", "--dir="+empty)
	}
}

// The provider of our company speaks as old ones do, where that is asked for; the other side can be rehearsed by hand all the same.
func TestRehearsalLegacy(t *testing.T) {
	if _, err := findNginx(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "simulated")
	simulatedDeMail(t, demailSimulateCmd{Dir: dir, Listen: "127.0.0.1:0", Profile: []string{"t-systems", "mentana"}, TLS: []string{"de-mail-legacy"}})
	d := "--dir=" + dir
	playRehearsal(t, 0, "send", d)
	holds(t, playRehearsal(t, 0, "fault", d, "down"), "down (service 1)")
	holds(t, playRehearsal(t, 1, "list", d, "--as=firma"), "handshake failure", "only stadt can be rehearsed")
	snippet, err := os.ReadFile(filepath.Join(dir, snippetFile))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, string(snippet), "profile: de-mail-legacy")
	snippetIsRight(t, dir)
}
