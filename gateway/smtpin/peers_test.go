package smtpin_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// program finds a real client. One that is missing fails the test where tests must not skip.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// caFile is what swaks trusts the server by.
func caFile(t testing.TB) string {
	t.Helper()
	cert, err := serverTLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSwaks(t *testing.T) {
	swaks := program(t, "swaks")
	h := &sink{}
	implicit := listener(smtpin.Submission, serverTLS())
	implicit.Name, implicit.Implicit = "implicit", true
	s := serve(t, options(t, h, listener(smtpin.External, serverTLS()), listener(smtpin.Internal, serverTLS()),
		listener(smtpin.Submission, serverTLS()), implicit))
	verify := []string{"--tls-verify", "--tls-ca-path", caFile(t)}
	eightBit := filepath.Join(t.TempDir(), "mail.eml")
	mail := "From: alice@firma.example\nSubject: Grüße\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nSchöne Grüße\n.\n..\n"
	if err := os.WriteFile(eightBit, []byte(mail), 0o600); err != nil {
		t.Fatal(err)
	}
	login := []string{"--auth-user", "alice", "--auth-password", "correct horse"}
	for _, c := range []struct {
		name, listener string
		args           []string
		want           string // in swaks's transcript
		protocol       string // in Received; empty: refused
	}{
		{"plain", "external", nil, "250 2.0.0 queued as ", "ESMTP"},
		{"helo", "external", []string{"--protocol", "SMTP"}, "250 2.0.0 queued as ", "SMTP"},
		{"starttls", "external", append([]string{"--tls"}, verify...), "250 2.0.0 queued as ", "ESMTPS"},
		{"pipelined", "external", []string{"--pipeline", "--tls"}, "250 2.0.0 queued as ", "ESMTPS"},
		{"relaying", "external", []string{"--to", "x@elsewhere.example"}, "550 5.7.1 Relaying denied", ""},
		{"eight bit", "internal", []string{"--from", "alice@firma.example", "--data", "@" + eightBit}, "250 2.0.0 queued as ", "ESMTP"},
		{"foreign sender", "internal", nil, "550 5.7.1 You may not send from", ""},
		{"auth plain", "submission", append([]string{"--tls", "--auth", "PLAIN", "--from", "alice@firma.example"}, login...), "250 2.0.0 queued as ", "ESMTPSA"},
		{"auth login", "submission", append([]string{"--tls", "--auth", "LOGIN", "--from", "x@team.firma.example"}, login...), "250 2.0.0 queued as ", "ESMTPSA"},
		{"auth in the clear", "submission", append([]string{"--auth", "PLAIN"}, login...), "*** Host did not advertise authentication", ""},
		{"wrong password", "submission", []string{"--tls", "--auth", "PLAIN", "--auth-user", "alice", "--auth-password", "x"}, "535 5.7.8 ", ""},
		{"no login", "submission", []string{"--tls"}, "530 5.7.0 Authenticate first", ""},
		{"implicit tls", "implicit", append(append([]string{"--tls-on-connect", "--auth", "LOGIN", "--from", "alice@firma.example"}, verify...), login...), "250 2.0.0 queued as ", "ESMTPSA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(h.messages())
			args := append([]string{"--server", s.Addr(c.listener).String(), "--from", "bob@partner.example", "--to", "alice@firma.example", "--helo", "client.example"}, c.args...)
			out, err := run(t, swaks, args...)
			if strings.Contains(out, "requires Net::SSLeay") && os.Getenv("CI") == "" {
				t.Skip("libnet-ssleay-perl is not installed")
			}
			if !strings.Contains(out, c.want) || (err == nil) != (c.protocol != "") {
				t.Fatalf("%v: want %q in\n%s", err, c.want, out)
			}
			got := h.messages()[before:]
			if c.protocol == "" {
				if len(got) != 0 {
					t.Errorf("accepted: %+v", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(strings.ReplaceAll(got[0].content, "\r\n ", " "), " with "+c.protocol+" id ") {
				t.Errorf("got %+v", got)
			}
			if c.name == "eight bit" {
				if want := strings.ReplaceAll(mail, "\n", "\r\n"); !strings.Contains(got[0].content, "\r\n"+want) || !got[0].env.Body8Bit {
					t.Errorf("got %q", got[0].content)
				}
			}
		})
	}
}

// OpenSSL's client speaks STARTTLS on its own terms; a handshake that fails leaves nothing behind.
func TestOpenSSL(t *testing.T) {
	openssl := program(t, "openssl")
	s := serve(t, options(t, &sink{}, listener(smtpin.External, serverTLS())))
	client := func(args ...string) string {
		args = append([]string{"s_client", "-connect", s.Addr("external").String(), "-starttls", "smtp", "-quiet", "-verify_return_error", "-ign_eof"}, args...)
		cmd := exec.Command(openssl, args...)
		cmd.Stdin = strings.NewReader("EHLO c\r\nQUIT\r\n")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(&out, err)
		}
		return out.String()
	}
	if out := client("-CAfile", caFile(t), "-verify_hostname", "mx.firma.example", "-tls1_2"); !strings.Contains(out, "221 2.0.0 ") {
		t.Errorf("TLS 1.2:\n%s", out)
	}
	if out := client("-CAfile", caFile(t), "-verify_hostname", "mx.firma.example", "-tls1_3"); !strings.Contains(out, "221 2.0.0 ") {
		t.Errorf("TLS 1.3:\n%s", out)
	}
	if out := client(); strings.Contains(out, "221 2.0.0 ") {
		t.Errorf("an unknown CA:\n%s", out)
	}
}

// Postfix's load generator: many sessions at once, each message arrives once.
func TestSMTPSource(t *testing.T) {
	source := program(t, "smtp-source")
	h := &sink{}
	s := serve(t, options(t, h, listener(smtpin.External, nil)))
	const sessions, messages, size = "10", "500", "4000"
	out, err := run(t, source, "-s", sessions, "-m", messages, "-l", size, "-c", "-f", "bob@partner.example", "-t", "alice@firma.example",
		"inet:"+s.Addr("external").String())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := len(h.messages()); got != 500 {
		t.Errorf("%d messages of 500", got)
	}
	ids := map[string]bool{}
	for _, m := range h.messages() {
		ids[string(m.env.ID)] = true
	}
	if len(ids) != 500 {
		t.Errorf("%d ids", len(ids))
	}
}
