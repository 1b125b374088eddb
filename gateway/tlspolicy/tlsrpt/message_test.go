package tlsrpt

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// python runs Debian's Python, which reads reports with modules that we did not write.
func python(t *testing.T, script, input string) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is missing; run scripts/install-tools test")
		}
		t.Skip("python3 is missing; run scripts/install-tools test")
	}
	c := exec.CommandContext(t.Context(), "python3", script)
	c.Stdin = strings.NewReader(input)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	return string(out)
}

// A mail as others read it: every rule of RFC 8460 on mail, file name and JSON is kept, with every kind of result and policy, with
// names that are odd, and with a domain as long as one can be.
func TestMessage(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 49)+".", 4) + "example"
	for _, domain := range []string{"partner.example", "xn--mller-kva.example", long} {
		s := newStand(t)
		s.zone.texts[RecordName(domain)] = []string{"v=TLSRPTv1; rua=mailto:tls%2Breports@partner.example"}
		s.note(domain)
		for _, result := range append(Results(), Success) {
			s.Collector().Note(Outcome{
				Domain: domain, Policy: Policy{Type: TLSA, Domain: "mx." + domain, Strings: []string{"3 1 1 " + strings.Repeat("0a", 32)}}, Result: result,
				ReceivingIP: netip.MustParseAddr("2620:fe::7"), HELO: "m\"x\\\r\n\x00ü<>", Reason: "kaputt – \u202e",
			})
			s.Collector().Note(Outcome{Domain: domain, Policy: Policy{Type: NoPolicy}, Result: result})
		}
		s.turn()
		s.clock = noon.Add(dayLength)
		s.turn()
		if len(s.mails) != 1 {
			t.Fatalf("%d mails", len(s.mails))
		}
		text := s.mails[0].text
		if breaches := python(t, "testdata/judge.py", text); breaches != "" {
			t.Errorf("%s\n%s", breaches, text)
		}
		for line := range strings.Lines(text) {
			if len(line) > 1000 || !strings.HasSuffix(line, "\r\n") || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("%q", line)
			}
		}
		if !strings.Contains(text, "\r\nTLS-Required: No\r\n") || s.mails[0].env.SMTPUTF8 {
			t.Error(text)
		}
	}
}

// The judge finds what is wrong.
func TestJudgeFinds(t *testing.T) {
	s := newStand(t)
	s.note("partner.example")
	s.turn()
	s.clock = noon.Add(dayLength)
	s.turn()
	text := s.mails[0].text
	for _, harm := range [][2]string{
		{`report-type="tlsrpt"`, `report-type="delivery-status"`}, {"TLS-Report-Submitter: firma", "TLS-Report-Submitter: other"},
		{"Report-ID: <", "Report-ID: <x"}, {".json.gz", ".json"}, {"application/tlsrpt+gzip", "application/gzip"},
	} {
		if python(t, "testdata/judge.py", strings.Replace(text, harm[0], harm[1], 1)) == "" {
			t.Errorf("%s is not missed", harm[0])
		}
	}
}
