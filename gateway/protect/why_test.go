package protect

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
)

// The record of a message says where each value came from, what the sender lowered, and what a dry run would have changed.
func TestRecordSaysWhy(t *testing.T) {
	bank := policy.Rule{Name: "bank", To: patterns(t, "@partner.example"), Settings: policy.Settings{Encrypt: policy.Require, Where: "siegel.yaml:12", Enforce: []policy.Key{policy.KeyEncrypt}}}
	trial := policy.Rule{Name: "trial", To: patterns(t, "@partner.example"), DryRun: true, Settings: policy.Settings{Sign: policy.Never, Where: "siegel.yaml:20"}}
	b := newBench(t, nil, bank, trial)
	adm := b.admit(t, envelope(t, "bob@partner.example"), message())
	if len(adm.Entries) != 1 || adm.Entries[0].Note != "signed and encrypted" {
		t.Fatalf("%+v", adm.Entries)
	}
	var decided []track.Event
	for _, e := range b.events.Events() {
		if e.Kind == track.Decided {
			decided = append(decided, e)
		}
	}
	if len(decided) != 1 {
		t.Fatalf("%+v", decided)
	}
	if all := strings.Join(decided[0].Why, "\n"); !strings.Contains(all, "encrypt=require by rule bank (siegel.yaml:12), enforced; before if-possible by factory") || strings.Contains(all, "trial") {
		t.Errorf("%s", all)
	}
	if dry := strings.Join(decided[0].Dry, "\n"); dry != "sign=never by rule trial (siegel.yaml:20) in place of if-possible" {
		t.Errorf("%q", dry)
	}
}

// However much is said of a key, a line of the record is bounded.
func TestWhyIsBounded(t *testing.T) {
	s := policy.Source{Key: policy.KeyArchive, Value: strings.Repeat("x", 300), By: "rule \x1b[2J", Mode: policy.ModeEnforced}
	for range 50 {
		s.Over = append(s.Over, policy.Source{Value: "y", By: "company"})
	}
	lines := why([]policy.Source{s, {Key: policy.KeySign, Value: "never", By: policy.ByFactory}})
	if len(lines) != 1 || len(lines[0]) > mostWhy || strings.Contains(lines[0], "\x1b") {
		t.Errorf("%q", lines)
	}
	s.Value = "x"
	if lines = why([]policy.Source{s}); !strings.HasSuffix(lines[0], "and 46 more") {
		t.Errorf("%q", lines)
	}
}
