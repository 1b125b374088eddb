package protect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// fetched prepares a message that came from a provider of De-Mail.
func (b *bench) fetched(t *testing.T, content string) []byte {
	t.Helper()
	env := envelope(t, "alice@firma.example")
	env.Internal, env.Fetched = false, true
	parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(content)}, claimOf(env, content))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	return read(t, onePart(t, parts))
}

var deMailMarks = Marks{DeMail: "[De-Mail]", DeMailIntact: "[De-Mail.]", DeMailUnverified: "[De-Mail?]"}

// What the gateway found of a De-Mail stays, with its fields, and shows in the subject; nobody else may write either.
func TestDeMailFound(t *testing.T) {
	for name, c := range map[string]struct {
		fetched                   bool
		header                    string
		found, subject, was, meta string
	}{
		"verified":             {true, "X-Siegel-DeMail: verified; level=high\r\nX-de-mail-auth-level: high\r\nSubject: hello\r\n", "verified; level=high", "[De-Mail] hello", "hello", "high"},
		"unverified":           {true, "X-Siegel-DeMail: unverified; reason=\"x\"\r\nSubject: [De-Mail] hello\r\n", "unverified; reason=\"x\"", "[De-Mail?] hello", "[De-Mail] hello", ""},
		"intact":               {true, "X-Siegel-DeMail: intact; level=normal\r\nSubject: [De-Mail] hello\r\n", "intact; level=normal", "[De-Mail.] hello", "[De-Mail] hello", ""},
		"another word":         {true, "X-Siegel-DeMail: verifiedly\r\nSubject: hello\r\n", "verifiedly", "hello", "", ""},
		"two":                  {true, "X-Siegel-DeMail: unverified\r\nX-Siegel-DeMail: verified\r\nSubject: hello\r\n", "unverified", "[De-Mail?] hello", "hello", ""},
		"no subject":           {true, "X-Siegel-DeMail: verified\r\n", "verified", "[De-Mail]", "", ""},
		"forged from outside":  {false, "X-Siegel-DeMail: verified; level=high\r\nX-de-mail-auth-level: high\r\nSubject: [de-mail] hello\r\n", "", "hello", "", ""},
		"the subject's forged": {false, "X-Siegel-DeMail-Subject: hi\r\nSubject: hello\r\n", "", "hello", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Marks = deMailMarks })
			prepare := func(t *testing.T, content string) []byte { return b.prepare(t, content, false) }
			if c.fetched {
				prepare = b.fetched
			}
			h, _, err := entity.Read(bytes.NewReader(prepare(t, c.header+"From: amt@stadt.de-mail.de\r\n\r\ntext\r\n")), 0)
			if err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]string{DeMailField: c.found, "Subject": c.subject, DeMailSubjectField: c.was, "X-de-mail-auth-level": c.meta} {
				if got := h.Values(field); strings.Join(got, "|") != want {
					t.Errorf("%s: %q, want %q", field, got, want)
				}
			}
		})
	}
}

// testAnchor believes one authority, as the tests of package demail do.
type testAnchor struct{ ca *x509.Certificate }

func (a testAnchor) Judge(_ context.Context, c demail.Claim) demail.Verdict {
	if c.Certificate.CheckSignatureFrom(a.ca) != nil {
		return demail.Verdict{}
	}
	return demail.Verdict{Standing: demail.StandingTrusted}
}

// A message that a provider has signed (by OpenSSL, see demail's test data) can still be verified when it was delivered with a mark in its subject.
func TestDeMailIsVerifiedAfterwards(t *testing.T) {
	original, err := os.ReadFile("../../connectors/demail/testdata/integrity/authoritative.eml")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(o *Options) { o.Marks = deMailMarks })
	got := b.fetched(t, "X-Siegel-DeMail: verified\r\n"+string(original))
	if s := verifyDeMail(t, got); s.State == demail.StateTrusted {
		t.Fatal("the mark changes nothing; the test proves nothing")
	}
	var restored []byte
	var subject string
	head, body, _ := strings.Cut(string(got), "\r\n\r\n")
	for _, f := range strings.SplitAfter(strings.ReplaceAll(head+"\r\n", "\r\n ", "\x00"), "\r\n") {
		name, value, _ := strings.Cut(f, ":")
		switch {
		case name == DeMailSubjectField:
			subject = value
		case strings.HasPrefix(name, "X-Siegel-"):
		case name == "Subject":
			restored = append(restored, "Subject:"+subject...)
		default:
			restored = append(restored, f...)
		}
	}
	restored = append([]byte(strings.ReplaceAll(string(restored), "\x00", "\r\n ")), "\r\n"+body...)
	if s := verifyDeMail(t, restored); s.State != demail.StateTrusted {
		t.Errorf("%v: %s", s.State, s.Reason)
	}
	if !bytes.Equal(restored, original) {
		t.Error("another message than came")
	}
}

func verifyDeMail(t *testing.T, message []byte) demail.Signature {
	t.Helper()
	data, err := os.ReadFile("../../connectors/demail/testdata/keys/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(bytes.NewReader(message))
	h, err := demail.ReadHeader(br)
	if err != nil {
		t.Fatal(err)
	}
	r, err := demail.Verifier{Trust: testAnchor{ca}, Now: func() time.Time { return ca.NotBefore.Add(time.Hour) }}.Message(t.Context(), h, br)
	if err != nil {
		t.Fatal(err)
	}
	return r.Signature
}
