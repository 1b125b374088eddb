package protect

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// guarded is a message from bob to alice whose header is protected, signed, and encrypted where that is asked for.
func (b *bench) guarded(t *testing.T, policy smime.HeaderPolicy, encrypt bool) string {
	t.Helper()
	id := b.finder.ids["bob@partner.example"]
	o := smime.ProtectOptions{
		Signers: []smime.Signer{{Certificate: id.Certificate, Chain: id.Chain, Key: id.Key}}, Time: time.Now(),
		Headers: smime.HeaderProtection{Policy: policy},
	}
	if encrypt {
		o.EncryptTo = []cms.Recipient{{Certificate: b.finder.ids["alice@firma.example"].Certificate}}
	}
	var out bytes.Buffer
	src := letter("From: bob@partner.example\r\nTo: alice@firma.example\r\nSubject: planted plans\r\nContent-Type: text/plain\r\n\r\nwe accept\r\n")
	if err := smime.Protect(&out, src, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The protected header is the one that is delivered, with the marks of the gateway, and what differed outside is named but
// never quoted.
func TestProtectedHeadersOfIncoming(t *testing.T) {
	for name, c := range map[string]struct {
		policy           smime.HeaderPolicy
		encrypt          bool
		from, to         string // a change on the way
		subject, headers string
	}{
		"obscured":  {smime.HCPBaseline, true, "", "", "[valid] planted plans", `cipher; applied; obscured="Subject"`},
		"visible":   {smime.HCPNoConfidentiality, true, "", "", "[valid] planted plans", "cipher; applied"},
		"signed":    {smime.HCPBaseline, false, "", "", "[valid] planted plans", "clear; applied"},
		"altered":   {smime.HCPBaseline, true, "Subject: [...]", "Subject: pay at once", "[valid] planted plans", `cipher; applied; altered="Subject"`},
		"forged":    {smime.HCPBaseline, true, "Subject:", "X-Siegel-Headers: forged\r\nSubject:", "[valid] planted plans", `cipher; applied; obscured="Subject"`},
		"unguarded": {"", true, "", "", "[valid] planted plans", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Marks = Marks{Valid: "[valid]"} })
			wire := strings.Replace(b.guarded(t, c.policy, c.encrypt), c.from, c.to, 1)
			got := b.prepare(t, wire, false)
			h, _, err := entity.Read(bytes.NewReader(got), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			subject, _ := h.Get("Subject")
			if values := h.Values(HeadersField); subject != c.subject || strings.Join(values, "|") != c.headers {
				t.Errorf("subject %q, headers %q; want %q, %q", subject, values, c.subject, c.headers)
			}
			if v, _ := h.Get("X-Siegel-Verdict"); v != "valid" {
				t.Errorf("the verdict is %s:\n%.900s", v, got)
			}
			for _, e := range b.events.Events() {
				layers := strings.Join(e.Layers, "|")
				if e.Kind == track.Opened && (c.headers != "" && !strings.HasSuffix(layers, "|headers; "+c.headers) || strings.Contains(layers, "planted")) {
					t.Errorf("the event says %q", layers)
				}
			}
		})
	}
}

// However many fields differ, the line that says so stays short.
func TestHeadersLineIsBounded(t *testing.T) {
	r := &smime.HeaderReport{Reason: "no \"signature\""}
	for i := range 50 {
		r.Differences = append(r.Differences, smime.HeaderDifference{
			Field: fmt.Sprintf("X-%d-%s", i, strings.Repeat("x", 900)), Kind: smime.Added, Outer: "planted", Protected: "planted",
		})
	}
	r.Differences[1].Field = "X;applied\r\nX-Siegel-Verdict: =ü"
	got := headers(r)
	if !strings.HasPrefix(got, "unknown; not applied; added=\"X-0-") || !strings.HasSuffix(got, " and 42 more\"; reason=\"no \\\"signature\\\"\"") ||
		len(got) > 2000 || strings.Contains(got, "planted") ||
		!strings.Contains(got, " X?applied??X-Siegel-Verdict:??? ") {
		t.Errorf("%d characters: %q", len(got), got)
	}
}

// A message with protected headers shows that its author's program reads such, and is remembered.
func TestLearnHeaders(t *testing.T) {
	for policy, want := range map[smime.HeaderPolicy]bool{"": false, smime.HCPBaseline: true} {
		m := new(programs)
		b := newBench(t, func(o *Options) { o.Memory = m })
		b.prepare(t, b.guarded(t, policy, true), false)
		if len(m.known) != 1 || smime.ParseCapabilityText(m.known[0].Text).Headers != want {
			t.Errorf("%q: learned %+v", policy, m.known)
		}
	}
}

// tripleDES is a message to alice that OpenSSL encrypted by Triple DES.
func (b *bench) tripleDES(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	alice := filepath.Join(dir, "alice.pem")
	if err := os.WriteFile(alice, democa.CertificatePEM(b.finder.ids["alice@firma.example"].Certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "openssl", "cms", "-encrypt", "-des3", "-from", from, "-to", "alice@firma.example", "-crlfeol", alice)
	cmd.Stdin = strings.NewReader("Content-Type: text/plain\r\n\r\nwe accept\r\n")
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, fault.String())
	}
	return out.String()
}

// Triple DES is opened for the senders that are named, and for nobody else: what others send so passes as it came.
func TestLegacyDecryption(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed []string
		from    string
		opened  bool
	}{
		{"nobody is named", nil, "bob@partner.example", false},
		{"named", []string{"@partner.example"}, "bob@partner.example", true},
		{"another one", []string{"@partner.example"}, "eve@other.example", false},
		{"no single From", []string{"*"}, "eve@other.example, bob@partner.example", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.SMIME.Legacy = patterns(t, c.allowed...) })
			got := string(b.prepare(t, b.tripleDES(t, c.from), false))
			if strings.Contains(got, "we accept") != c.opened || strings.Contains(got, "decrypted; unauthenticated") != c.opened {
				t.Errorf("opened is not %v:\n%.900s", c.opened, got)
			}
		})
	}
}
