package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// deMailCheck runs siegel demail check and returns the verdicts by step, with what stands beside them.
func deMailCheck(t *testing.T, file string) (code int, verdicts map[string]string, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	code = run([]string{"demail", "check", "main", "-c", file}, &out, &err)
	verdicts = map[string]string{}
	for line := range strings.Lines(out.String()) {
		if len(line) < 7 || line[0] == ' ' || strings.HasPrefix(line, "De-Mail account") {
			continue
		}
		found := ""
		for _, step := range []string{stepReader, stepCard, stepPIN, stepKey, stepDNS, stepTCP, stepOffered, stepTLS, stepServer, stepServerHas, stepShown, stepLogin, stepDomains} {
			for _, at := range []string{"", " submission", " imap"} {
				if strings.HasPrefix(line[6:], step+at+" ") && len(step+at) > len(found) {
					found = step + at
				}
			}
		}
		verdicts[found] = strings.TrimSpace(line[:4])
	}
	return code, verdicts, out.String(), err.String()
}

func allGood(verdicts map[string]string, steps ...string) bool {
	return !slices.ContainsFunc(steps, func(s string) bool { return verdicts[s] != stepGood })
}

// Each step of a way that works is said, in words, also by program.
func TestDeMailCheck(t *testing.T) {
	w := newDeMailWorld(t, "t-systems", rehearsal.TLS{}, true)
	code, verdicts, stdout, stderr := deMailCheck(t, w.file)
	if code != exitDone || !allGood(verdicts, stepKey, stepDNS, stepTCP, stepOffered, stepTLS, stepServer, stepShown, stepLogin, stepDomains) || len(verdicts) != 9 {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"TLS1.2 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 P-521 utls", "asked for, and shown", "believed by ca: ", w.company.Domain} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "\x1b") {
		t.Error("colours, and no terminal")
	}
	var out, errs strings.Builder
	code = run([]string{"demail", "check", "main", "-c", w.file, "--json"}, &out, &errs)
	var steps []demailStep
	if err := json.Unmarshal([]byte(out.String()), &steps); err != nil || code != exitDone || len(steps) != 9 || steps[8].Step != stepDomains || steps[8].Verdict != stepGood {
		t.Errorf("%d, %v: %s", code, err, out.String())
	}
	var painted strings.Builder
	printStep(&painted, demailStep{Step: "a", Verdict: stepBad, Text: "b", ToDo: "c"}, 3, true)
	if got := painted.String(); got != "\x1b[31mFAIL\x1b[0m  a   b\n          to do: c\n" {
		t.Errorf("%q", got)
	}
}

// What is wrong is said at its step, and what comes after it is not tried.
func TestDeMailCheckFails(t *testing.T) {
	w := newDeMailWorld(t, "mentana", rehearsal.TLS{Mutual: true, Only12: true}, false)
	whole, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	other := tlstest.NewCA(t, tlstest.P256)
	stranger := other.Issue(tlstest.RSA2048, nil, "gw")
	if err := os.WriteFile(filepath.Join(w.dir, "wrong.password"), []byte("planted-wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, by string
		step    string
		not     []string // that are not tried
		says    string
	}{
		"nobody there":       {w.Providers[0].URL, "https://" + freeport.Address(t), stepTCP, []string{stepTLS, stepLogin, stepDomains}, "firewall"},
		"another authority":  {"keys/" + rehearsal.RootsFile, other.File, stepTLS, []string{stepLogin, stepDomains}, "key:sha256:"},
		"another profile":    {"profile: modern", "profile: de-mail-legacy", stepTLS, []string{stepLogin, stepDomains}, "server has"},
		"another password":   {"keys/" + rehearsal.PasswordFile(w.company.Name), "wrong.password", stepLogin, []string{stepDomains}, "providers lock accounts"},
		"a stranger's card":  {"keys/" + rehearsal.CertificateFile(w.company.Name) + ", client_key: keys/" + rehearsal.KeyFile(w.company.Name), stranger.CertFile + ", client_key: " + stranger.KeyFile, "", nil, ""},
		"another operation":  {"profile: mentana", "profile: t-systems", stepLogin, []string{stepDomains}, "siegel demail profile check"},
		"a sender elsewhere": {"{local}@" + w.company.Domain, "{local}@fremd.de-mail.de", "", nil, "not among them"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(whole), c.old, c.by, 1)
			if text == string(whole) {
				t.Fatal("nothing changed")
			}
			file := filepath.Join(w.dir, strings.ReplaceAll(name, " ", "-")+".yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, verdicts, stdout, stderr := deMailCheck(t, file)
			good := name == "a sender elsewhere"
			if (code == exitDone) != good || c.step != "" && verdicts[c.step] != stepBad || !strings.Contains(stdout, c.says) || strings.Contains(stdout+stderr, "planted") {
				t.Errorf("%d\n%s%s", code, stdout, stderr)
			}
			for _, s := range c.not {
				if verdicts[s] != stepNotDone {
					t.Errorf("%s was tried:\n%s", s, stdout)
				}
			}
		})
	}
	for _, args := range [][]string{{"demail", "check", "other", "-c", w.file}, {"demail", "check"}} {
		var out, errs strings.Builder
		if code := run(args, &out, &errs); code != exitUsage || out.String() != "" {
			t.Errorf("%q: %d, %s%s", args, code, out.String(), errs.String())
		}
	}
}
