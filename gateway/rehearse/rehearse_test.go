package rehearse_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/rehearse"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

func patterns(t testing.TB, texts ...string) mail.Patterns {
	t.Helper()
	out, err := mail.ParsePatterns(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rehearsal is one of a company with every role of listener, a group, and an account of De-Mail.
func rehearsal(t *testing.T) *rehearse.Rehearsal {
	t.Helper()
	pol, err := policy.New(policy.Config{
		Company: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible},
		Rules: []policy.Rule{
			{Name: "bank", To: patterns(t, "@bank.example"), Settings: policy.Settings{Encrypt: policy.Require, TLS: mail.TLSVerified}},
			{Name: "legal", Groups: []string{"Legal"}, Settings: policy.Settings{Sign: policy.Require}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	local := patterns(t, "@firma.example")
	r, err := rehearse.New(rehearse.Options{
		Hostname: "mail.firma.example", Local: local, Policy: pol, Vocabulary: policy.DefaultVocabulary(),
		Listeners: []smtpin.Listener{
			{Name: "in", Address: ":25", Role: smtpin.Internal, Senders: local}, {Name: "users", Address: ":587", Role: smtpin.Submission}, {Name: "ex", Address: ":26", Role: smtpin.External, MaxSize: 5000},
		},
		Routes: []rehearse.Route{{Domains: patterns(t, "@plain.example"), WithoutTLS: func(string) bool { return true }}, {Domains: patterns(t, "@firma.example", "@bank.example", "@partner.example")}},
		DeMail: &dispatch.Options{
			Accounts: []dispatch.Account{{Name: "main", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh}},
			Senders:  []dispatch.Sender{{From: patterns(t, "@firma.example"), Account: "main", Lookup: directory{}, Daily: 5}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// directory must not be asked.
type directory struct{ dispatch.Lookup }

func TestExplain(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	r := rehearsal(t)
	known := rehearse.Facts{Certificates: patterns(t, "alice@firma.example", "@bank.example"), Groups: map[string]mail.Patterns{"legal": patterns(t, "bob@firma.example")}}
	for _, c := range []struct {
		what, from, to, header string
		facts                  rehearse.Facts
		size                   int64
		want                   explain.Recipient
		refused                string
	}{
		{what: "all is there", from: "alice@firma.example", to: "x@bank.example", facts: known, want: explain.Recipient{Sign: "yes", Encrypt: "yes", TLS: "verified", Way: explain.SMTP}},
		{what: "no certificate", from: "alice@firma.example", to: "x@bank.example", refused: "must be encrypted"},
		{what: "in the group without a key", from: "bob@firma.example", to: "x@partner.example", facts: known, refused: "must be signed"},
		{what: "a flag", from: "alice@firma.example", to: "x@partner.example", header: "X-Siegel-Encrypt: yes", facts: known, refused: "must be encrypted"},
		{what: "inside", from: "alice@firma.example", to: "bob@firma.example", facts: known, want: explain.Recipient{Sign: "no", Encrypt: "no", Way: explain.Internal}},
		{what: "no route", from: "alice@firma.example", to: "x@nowhere.example", refused: "no way leads"},
		{what: "no TLS on the way", from: "alice@firma.example", to: "x@plain.example", header: "X-Siegel-TLS: verified", refused: "encrypted connection"},
		{what: "De-Mail", from: "alice@firma.example", to: "amt@stadt.de-mail.de", facts: known, want: explain.Recipient{Sign: "no", Encrypt: "no", Way: explain.DeMail}},
		{what: "De-Mail of somebody else", from: "eve@partner.example", to: "amt@stadt.de-mail.de", refused: "Relaying denied"},
		{what: "from outside", from: "eve@partner.example", to: "alice@firma.example", header: "X-Siegel-Encrypt: yes", want: explain.Recipient{Sign: "no", Encrypt: "no", Way: explain.Internal}},
		{what: "too large from outside", from: "eve@partner.example", to: "alice@firma.example", size: 6000, refused: "larger than"},
	} {
		q := explain.Question{From: c.from, To: []string{c.to}, Size: c.size}
		if c.header != "" {
			q.Header = []string{c.header}
		}
		a, err := r.Explain(t.Context(), q, c.facts)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := a.Recipients[0]
		if c.refused != "" {
			if !strings.Contains(a.Refused, c.refused) {
				t.Errorf("%s: %+v", c.what, a)
			}
		} else if a.Refused != "" || got.Sign != c.want.Sign || got.Encrypt != c.want.Encrypt || got.TLS != c.want.TLS || got.Way != c.want.Way {
			t.Errorf("%s: %+v", c.what, a)
		}
	}
	if _, err := r.Explain(t.Context(), explain.Question{}, known); !errors.Is(err, explain.ErrQuestion) {
		t.Errorf("no question: %v", err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("after the end: %v, %v", left, err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	pol, err := policy.New(policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]rehearse.Options{
		"no policy": {}, "no host name": {Policy: pol},
		"two listeners of a name":  {Policy: pol, Hostname: "mail.firma.example", Listeners: []smtpin.Listener{{Name: "a", Role: smtpin.External}, {Name: "a", Role: smtpin.External}}},
		"a sender without account": {Policy: pol, Hostname: "mail.firma.example", DeMail: &dispatch.Options{Senders: []dispatch.Sender{{Account: "none"}}}},
	} {
		if _, err := rehearse.New(o); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}
