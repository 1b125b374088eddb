package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// explained is a gateway that answers with what it was asked, and with all that an answer may hold.
func explained(_ context.Context, q explain.Question) (explain.Answer, error) {
	m, err := q.Read()
	if err != nil {
		return explain.Answer{}, err
	}
	a := explain.Answer{Listener: "exchange", Words: []string{"tag [encrypt]"}, Assumed: []string{"It is assumed."}}
	subject, _ := m.Header.Get("Subject")
	a.Words = append(a.Words, m.From.String(), subject, strings.Join(m.Header.Values("X-Siegel-Sign"), ", "))
	for _, to := range m.To {
		r := explain.Recipient{To: to.String(), Way: explain.SMTP, Direction: "outgoing", Sign: explain.Yes, Encrypt: explain.Yes, TLS: "verified", Certificate: hostile, Keys: []policy.Source{{
			Key: policy.KeySign, Value: "require", By: "rule bank", Where: "siegel.yaml:12", Mode: policy.ModeEnforced,
			Over: []policy.Source{{Key: policy.KeySign, Value: "never", By: "company", Where: "siegel.yaml:3", Mode: policy.ModeDefault}},
		}}, Lowered: []policy.Key{policy.KeyEncrypt}, Dry: []policy.Source{{Key: policy.KeyTLS, Value: "required", By: "rule trial", Mode: policy.ModeDefault}}}
		switch to.Local {
		case "refused":
			r.Refused, a.Refused = "It must be encrypted "+hostile, hostile
		case "asked":
			r.Asks, r.Holds = true, "no certificate is known"
		case "waits":
			r.Holds = hostile
		}
		a.Recipients = append(a.Recipients, r)
	}
	return a, nil
}

// The command against a control socket, as scripts.
func TestExplainCommands(t *testing.T) {
	dir, err := os.MkdirTemp("", "sgl") // short: a socket's name has room for 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "r", "c.sock")
	t.Cleanup(control(t, admin.ControlOptions{Path: path, Store: listStore{}, Explain: explained}))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/explain",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GATEWAY", path)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"siegel": scriptSiegel, "code": scriptCode},
	})
}

// scriptCode runs a command line and wants an exit code, which stands before it.
func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	if socket := ts.Getenv("SIEGEL_SOCKET"); socket != "" {
		args = append(args, "--socket", socket)
	}
	for i, a := range args {
		if a == "@m.eml" {
			args[i] = ts.MkAbs("m.eml")
		}
	}
	if code := run(args[1:], ts.Stdout(), ts.Stderr()); args[0] != string(rune('0'+code)) {
		ts.Fatalf("exit code %d", code)
	}
}

// Nothing that a stranger wrote, or who asks, reaches a terminal as it is.
func TestExplainOutputSafe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r", "c.sock")
	t.Cleanup(control(t, admin.ControlOptions{Path: path, Store: listStore{}, Explain: explained}))
	for _, more := range [][]string{
		{"--to", "refused@partner.example"}, {"--to", "waits@partner.example", "--json"}, {"--to", "\x1b[2J"}, {"--to", "b@partner.example", "--subject", "\x1b[2J\u202e"},
		{"--to", "b@partner.example", "--header", "X-Siegel-Sign: \x1b[2J"}, {"--to", "b@partner.example", "--header", "\x1b[2J"}, {"--to", "b@partner.example", "--file", "\x1b[2J"},
	} {
		var out strings.Builder
		run(append([]string{"explain", "--from", "a@firma.example", "--socket", path}, more...), &out, &out)
		if strings.ContainsFunc(out.String(), func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) || out.String() == "" {
			t.Errorf("%q: %q", more, out.String())
		}
	}
}
