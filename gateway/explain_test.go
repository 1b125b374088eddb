package gateway_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/explain"
	gwmail "github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// A running gateway says what would become of mail, both ways, and nothing comes of that: no event, no message, no file.
func TestExplain(t *testing.T) {
	s := newSetting(t, policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require}},
		policy.Rule{Name: "pdf", Direction: gwmail.Incoming, ContentTypes: []string{"application/pdf"}, Settings: policy.Settings{Quarantine: "look at it"}})
	g, _ := s.start(t)
	many := "From: bob@partner.example\r\nTo: alice@firma.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 2000) + "--b--\r\n"
	spool := filepath.Join(s.options.State, "spool")
	before, events := tree(t, spool), len(s.events.Events())
	a, err := g.Explain(t.Context(), explain.Question{From: "alice@firma.example", To: []string{"bob@partner.example", "eve@firma.example"}, Header: []string{"X-Siegel-Sign: yes", "X-Siegel-Verdict: valid"}})
	if err != nil || a.IsRefused() || a.Listener != "in" || len(a.Recipients) != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
	if bob := a.Recipients[0]; bob.Sign != explain.Yes || bob.Encrypt != explain.Yes || bob.Way != explain.SMTP || !strings.Contains(bob.Certificate, "bob@partner.example") {
		t.Errorf("%+v", bob)
	}
	for _, c := range []struct {
		what, want string
		q          explain.Question
	}{
		{"without a certificate", "must be encrypted", explain.Question{From: "alice@firma.example", To: []string{"carol@partner.example"}}},
		{"without a route", "no way leads", explain.Question{From: "alice@firma.example", To: []string{"carol@nowhere.example"}}},
		{"of a stranger at an inner listener", "550 5.7.1 You may not send", explain.Question{From: "eve@other.example", To: []string{"bob@partner.example"}, Listener: "in"}},
		{"with too many parts", "554 5.6.0 The message cannot be taken apart", explain.Question{Message: []byte(many)}},
		{"relayed", "550 5.7.1 Relaying denied", explain.Question{From: "eve@other.example", To: []string{"bob@partner.example"}}},
	} {
		a, err := g.Explain(t.Context(), c.q)
		if err != nil || !strings.Contains(a.Refused, c.want) {
			t.Errorf("%s: %+v, %v", c.what, a, err)
			continue
		}
		if said := a.Recipients[0].Said; said.EN == "" || said.DE == "" || said.EN == said.DE {
			t.Errorf("%s: in both languages it is %+v", c.what, said)
		}
	}
	a, err = g.Explain(t.Context(), explain.Question{From: "bob@partner.example", To: []string{"alice@firma.example"}, Header: []string{"X-Siegel-Sign: yes"}})
	if err != nil || a.IsRefused() || a.Listener != "ex" || a.Recipients[0].Direction != "incoming" || len(a.Words) > 0 {
		t.Errorf("from outside: %+v, %v", a, err)
	}
	for _, q := range []explain.Question{{}, {From: "alice@firma.example", To: []string{"bob@partner.example"}, Listener: "none"}} {
		if _, err := g.Explain(t.Context(), q); !errors.Is(err, explain.ErrQuestion) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if after := tree(t, spool); !maps.Equal(before, after) || len(s.events.Events()) != events {
		t.Errorf("it left traces: %v, then %v; %v", before, after, s.events.Events())
	}
}

// tree are the sizes of all files below a folder.
func tree(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sizes[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}
