package smtpin_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/track"
)

var update = flag.Bool("update", false, "write what the handler got into the want sections")

// TestDialogues plays the files of testdata/dialogue. The comment of each says what it is for; then:
//
//	-- config --    "key value" lines: role, tls, implicit, requiretls, networks, senders, size, recipients, hops, ...
//	-- dialogue --  "C: line" sends line and CRLF, "R: "raw"" sends a Go string as it is, "S: pattern" reads a
//	                line (* stands for anything), "TLS" shakes hands, "EOF" expects the end
//	-- want --      what the handler got and the recorder noted
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogue/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := map[string]string{}
	for _, f := range archive.Files {
		switch f.Name {
		case "config", "dialogue", "want":
			section[f.Name] = string(f.Data)
		default:
			t.Fatalf("unknown section %s", f.Name)
		}
	}
	h := &sink{}
	o := configure(t, h, section["config"])
	p := dial(t, serve(t, o), "it")
	for n, line := range strings.Split(strings.TrimSpace(section["dialogue"]), "\n") {
		play(t, p, n+1, line)
	}
	got := render(h)
	if *update {
		for i, f := range archive.Files {
			if f.Name == "want" {
				archive.Files[i].Data = []byte(got)
			}
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != section["want"] {
		t.Errorf("the handler got\n%s\nwant\n%s", got, section["want"])
	}
}

// configure makes options of the config section.
func configure(t *testing.T, h *sink, text string) smtpin.Options {
	l := smtpin.Listener{Name: "it", Address: "127.0.0.1:0"}
	var limits smtpin.Limits
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		number, _ := strconv.Atoi(value)
		switch key {
		case "role":
			named := listener(smtpin.Role(value), nil)
			named.Name, named.TLSConfig = l.Name, l.TLSConfig
			l = named
		case "tls":
			l.TLSConfig = serverTLS()
		case "implicit":
			l.Implicit = true
		case "requiretls":
			l.RequireTLS = true
		case "senders":
			l.Senders = patterns(strings.Fields(value)...)
		case "users":
			l.Auth = users{}
		case "broken-users":
			l.Auth = users{err: fmt.Errorf("ldap://secret.corp: connection refused")}
		case "locked-users":
			l.Auth = users{err: fmt.Errorf("wrapped: %w", status.Refuse(535, "5.7.9", "this account is locked"))}
		case "size":
			l.MaxSize = int64(number)
		case "recipients":
			l.MaxRecipients = number
		case "hops":
			limits.Hops = number
		case "header":
			limits.Header = number
		case "fields":
			limits.Fields = number
		case "errors":
			limits.Errors = number
		case "refuse":
			h.fail = func(mail.Envelope) error { return status.Refuse(550, "5.7.1", value) }
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	o := options(t, h, l)
	o.Limits = limits
	o.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	return o
}

func play(t *testing.T, p *peer, n int, line string) {
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
	case line == "TLS":
		p.startTLS(clientTLS())
	case line == "EOF":
		if got := p.line(); got != "" {
			t.Fatalf("line %d: %q, want the end", n, got)
		}
	case line == "C:":
		p.send("\r\n")
	case strings.HasPrefix(line, "C: "):
		p.send(line[3:] + "\r\n")
	case strings.HasPrefix(line, "R: "):
		raw, err := strconv.Unquote(line[3:])
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		p.send(raw)
	case strings.HasPrefix(line, "S: "):
		pattern := strings.ReplaceAll(regexp.QuoteMeta(line[3:]), `\*`, `.*`)
		if got := p.line(); !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
			t.Fatalf("line %d: %q, want %s", n, got, line[3:])
		}
	default:
		t.Fatalf("line %d: %q is neither C:, R:, S:, TLS nor EOF", n, line)
	}
}

// What differs from run to run.
var volatile = regexp.MustCompile(`[0-9a-v]{20}|TLS_\w+(?:\s+(?:group\s+)?[Xx]25519\w*)?|TLS1\.\d`)

func render(h *sink) string {
	var b strings.Builder
	for _, m := range h.messages() {
		e := m.env
		fmt.Fprintf(&b, "from <%s>", e.From)
		for _, r := range e.Recipients {
			fmt.Fprintf(&b, " to <%s>%s", r.Address, strings.Join(append([]string{""}, append(r.Notify, r.ORcpt)...), " "))
		}
		fmt.Fprintf(&b, " internal=%v 8bit=%v utf8=%v ret=%q envid=%q\n", e.Internal, e.Body8Bit, e.SMTPUTF8, e.Ret, e.EnvID)
		fmt.Fprintf(&b, "may use %v, client %s %s helo=%q user=%q tls=%q\n", e.MayUse, e.Client.Listener, e.Client.Addr, e.Client.Helo, e.Client.User, e.Client.TLS)
		for line := range strings.Lines(m.content) {
			fmt.Fprintf(&b, "  %s\n", strings.Trim(strconv.QuoteToGraphic(strings.TrimSuffix(line, "\r\n")), `"`))
		}
	}
	for _, kind := range []track.Kind{track.Accepted, track.Refused} {
		for _, e := range h.recorded(kind) {
			fmt.Fprintf(&b, "%s %s <%s> %v: %s\n", e.Kind, e.Direction, e.From, e.To, e.Reply)
		}
	}
	return volatile.ReplaceAllString(b.String(), "~")
}
