package protect

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// What asks the gateway for something does not come in by a protected header either (invariant 5).
func TestFieldsOfSetsStayOutside(t *testing.T) {
	for _, set := range [][]policy.Set{nil, {policy.SetSEPPmail}} {
		b := newBench(t, func(o *Options) { o.Vocabulary.Sets = set })
		id := b.finder.ids["bob@partner.example"]
		o := smime.ProtectOptions{
			Signers: []smime.Signer{{Certificate: id.Certificate, Chain: id.Chain, Key: id.Key}}, Time: time.Now(), Headers: smime.HeaderProtection{Policy: smime.HCPBaseline},
			EncryptTo: []cms.Recipient{{Certificate: b.finder.ids["alice@firma.example"].Certificate}},
		}
		var wire bytes.Buffer
		src := letter("From: bob@partner.example\r\nTo: alice@firma.example\r\nX-SMPlain: yes\r\nX-Siegel-Plain: yes\r\nX-Other: yes\r\nSubject: [plain] plans\r\nContent-Type: text/plain\r\n\r\nwe accept\r\n")
		if err := smime.Protect(&wire, src, o); err != nil {
			t.Fatal(err)
		}
		got, _, _ := strings.Cut(string(b.prepare(t, wire.String(), false))+"\r\n", "\r\n\r\n") // below it stands what bob signed
		got += "\r\n"
		if strings.Contains(got, "X-SMPlain") != (set == nil) || strings.Contains(got, "X-Siegel-Plain") || !strings.Contains(got, "X-Other: yes\r\n") || !strings.Contains(got, "Subject: [plain] plans\r\n") {
			t.Errorf("%q: %.900s", set, got)
		}
	}
}

// The record says what was asked for, by which words and under which labels, and nothing that somebody wrote.
func TestRecordOfFlags(t *testing.T) {
	confidential := policy.Label{Name: "confidential", Sensitivity: []policy.Sensitivity{policy.CompanyConfidential}}
	for fields, want := range map[string]string{
		"X-Siegel-Sign: yes":                     "sign (read: X-Siegel-Sign)",
		"X-Siegel-Sign: if-possible":             "sign if possible (read: X-Siegel-Sign if-possible)",
		"X-Siegel-Encrypt: if-possible":          "encrypt if possible (read: X-Siegel-Encrypt if-possible)",
		"Subject: [plain] planted":               "plain (read: tag [plain])",
		"Subject: planted [noencrypt] [nosign]":  "do not sign, do not encrypt (read: tag [nosign]; tag [noencrypt])",
		"X-Siegel-TLS: required":                 "tls required (read: X-Siegel-TLS required)",
		"Sensitivity: company-confidential":      "labelled confidential (read: Sensitivity Company-Confidential)",
		"Sensitivity: Private\r\nX-Siegel-Sign:": "(read: Sensitivity Private)",
		"Subject: planted [encrypt] planted":     "",
	} {
		b := newBench(t, func(o *Options) { o.Vocabulary.Labels = []policy.Label{confidential} })
		b.admit(t, envelope(t, "bob@partner.example"), letter("From: alice@firma.example\r\nTo: bob@partner.example\r\n"+fields+"\r\n\r\nplanted\r\n"))
		found := false
		for _, e := range b.events.Events() {
			if e.Kind == track.Decided {
				found = true
				if e.Flags != want {
					t.Errorf("%s: %q, want %q", fields, e.Flags, want)
				}
			}
		}
		if !found {
			t.Errorf("%s: nothing was decided", fields)
		}
	}
}

// A label is a condition of rules, from inside alone.
func TestLabelDecides(t *testing.T) {
	secret := policy.Label{Name: "secret", Header: []string{"X-Class: secret"}}
	b := newBench(t, func(o *Options) { o.Vocabulary.Labels = []policy.Label{secret} },
		policy.Rule{Name: "secret", Labels: []string{"Secret"}, Settings: policy.Settings{Encrypt: policy.Require}},
		policy.Rule{Name: "others", Settings: policy.Settings{Encrypt: policy.Never, Sign: policy.Never}})
	for class, encrypted := range map[string]bool{"secret": true, "SECRET": true, "public": false} {
		adm := b.admit(t, envelope(t, "bob@partner.example"), letter("From: alice@firma.example\r\nTo: bob@partner.example\r\nX-Class: "+class+"\r\n\r\nplanted\r\n"))
		if got := len(adm.Entries) == 1 && !strings.Contains(string(read(t, adm.Entries[0].Content)), "planted"); got != encrypted {
			t.Errorf("%s: encrypted %t", class, got)
		}
		adm.Release()
	}
}
