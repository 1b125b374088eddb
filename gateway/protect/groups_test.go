package protect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/track"
)

// directory says who is in which group; err in place of an answer.
type directory struct {
	of    map[string][]string
	err   error
	hangs bool
	asked int
}

func (d *directory) In(ctx context.Context, from mail.Address, names []string) (in []string, err error) {
	d.asked++
	if d.hangs {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	for _, name := range names {
		if slices.Contains(d.of[from.String()], name) {
			in = append(in, name)
		}
	}
	return in, d.err
}

func groupBench(t *testing.T, d *directory, rules ...policy.Rule) *bench {
	t.Helper()
	return newBench(t, func(o *Options) { o.Groups, o.Patience = d, 0 }, rules...)
}

var (
	legalOnly  = policy.Rule{Name: "legal", Groups: []string{"Legal"}, Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Require}}
	otherwise  = policy.Rule{Name: "rest", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}
	groupsAway = &certs.UnavailableError{Source: "company", Err: errors.New("it does not answer")}
)

// Who is in the group of a rule gets what the rule says, and the record names the group.
func TestAdmitGroup(t *testing.T) {
	const dora = "dora@other.example" // of whom there is no certificate
	for name, c := range map[string]struct {
		of      []string
		refused bool
	}{"in it": {[]string{"Legal", "Sales"}, true}, "in another": {[]string{"Sales"}, false}, "in none": {nil, false}} {
		d := &directory{of: map[string][]string{"alice@firma.example": c.of}}
		b := groupBench(t, d, legalOnly, otherwise)
		adm, err := b.Admit(t.Context(), envelope(t, dora), message())
		var refused *Refused
		if errors.As(err, &refused) != c.refused || !c.refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.refused && !strings.Contains(refused.Error(), `(rule "legal")`) {
			t.Errorf("%s: %v", name, refused)
		}
		if adm != nil {
			adm.Release()
		}
		told := slices.ContainsFunc(b.events.Events(), func(e track.Event) bool {
			return e.Kind == track.Decided && strings.HasSuffix(e.Rule, ", sender in Legal")
		})
		if told != c.refused || d.asked != 1 {
			t.Errorf("%s: the record says %+v; asked %d times", name, b.events.Events(), d.asked)
		}
	}
}

// Where the directory is away a message whose protection hangs on it waits, with what holds in any case; another does not, and is not asked about.
func TestAdmitGroupAway(t *testing.T) {
	const bob, dora = "bob@partner.example", "dora@other.example"
	partner := policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Require}}
	d := &directory{err: groupsAway, of: map[string][]string{"alice@firma.example": {"Legal"}}}
	b := groupBench(t, d, partner, legalOnly, otherwise)
	adm, err := b.Admit(t.Context(), envelope(t, bob), message())
	if err != nil || adm.Entries[0].Pending != nil || d.asked != 0 {
		t.Fatalf("mail that does not hang on the group: %v, asked %d times", err, d.asked)
	}
	adm.Release()
	adm, err = b.Admit(t.Context(), envelope(t, bob, dora), message())
	if err != nil {
		t.Fatal(err)
	}
	e := adm.Entries[0]
	if len(adm.Entries) != 1 || e.Pending == nil || !slices.Equal(e.Destinations, []string{"protect:company", "protect:company"}) ||
		!strings.Contains(e.Note, "the directory that knows the groups of alice@firma.example is not available") {
		t.Errorf("%+v", e)
	}
	then, err := decodeMoment(e.Pending)
	if err != nil || then.AtLeast[0].Encrypt != policy.Require || then.AtLeast[1].Encrypt != policy.Never {
		t.Errorf("%+v, %v", then, err)
	}
	if slices.ContainsFunc(b.events.Events(), func(e track.Event) bool { return e.Kind == track.Decided && e.To[0] == dora }) {
		t.Errorf("something was decided: %+v", b.events.Events())
	}
	if _, err := b.Admit(t.Context(), envelope(t, bob, "carol@nowhere.example"), message()); err == nil {
		t.Error("what no route serves waits")
	}
	adm.Release()
}

// A message that waited is judged by what the directory says once it is back.
func TestResumeGroup(t *testing.T) {
	d := &directory{err: groupsAway, of: map[string][]string{"alice@firma.example": {"Legal"}}}
	b := groupBench(t, d, legalOnly, otherwise)
	held := b.admit(t, envelope(t, "dora@other.example"), message()).Entries[0]
	store := memory{entry: held}
	if _, err := b.Resume(t.Context(), store, claim(held, 0)); !errors.As(err, new(*Away)) {
		t.Errorf("while it is away: %v", err)
	}
	d.err = nil
	var refused *Refused
	if _, err := b.Resume(t.Context(), store, claim(held, 0)); !errors.As(err, &refused) {
		t.Errorf("it left without encryption, or waits: %v", err)
	}
	d.of = nil
	adm, err := b.Resume(t.Context(), store, claim(held, 0))
	if err != nil || len(adm.Entries) != 1 || adm.Entries[0].Pending != nil {
		t.Fatalf("%+v, %v", adm, err)
	}
	adm.Release()
}

// A directory that hangs holds up its sender no longer than anything else does.
func TestAdmitGroupSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := groupBench(t, &directory{hangs: true}, legalOnly, otherwise)
		start := time.Now()
		adm, err := b.Admit(t.Context(), envelope(t, "dora@other.example"), message())
		if err != nil || adm.Entries[0].Pending == nil || time.Since(start) != 30*time.Second {
			t.Fatalf("%+v, %v, after %v", adm, err, time.Since(start))
		}
		if then, err := decodeMoment(adm.Entries[0].Pending); err != nil || then.AtLeast[0].Encrypt != policy.Never {
			t.Errorf("%+v, %v", then, err)
		}
		adm.Release()
	})
}

// Another fault of the directory is our own trouble, never no groups.
func TestAdmitGroupFault(t *testing.T) {
	b := groupBench(t, &directory{err: errors.New("out of order")}, legalOnly, otherwise)
	var refused *Refused
	if adm, err := b.Admit(t.Context(), envelope(t, "dora@other.example"), message()); err == nil || errors.As(err, &refused) {
		t.Errorf("%+v, %v", adm, err)
	}
	pol, err := policy.New(policy.Config{Rules: []policy.Rule{legalOnly}})
	if err != nil {
		t.Fatal(err)
	}
	o := b.o
	o.Policy, o.Groups = pol, nil
	if _, err := New(o); err == nil {
		t.Error("a rule is for a group that nobody knows")
	}
}
