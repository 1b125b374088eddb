package policy_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

var (
	genProfile = rapid.SampledFrom([]smime.Profile{"", "", smime.Compatible, smime.RFC8551, smime.TR03116})
	genKinds   = rapid.SampledFrom([][]policy.Kind{nil, nil, nil, {policy.Meeting}, {policy.Meeting, policy.TNEF}})
	genGroups  = rapid.SampledFrom([][]string{nil, nil, nil, {"legal"}, {"Board"}, {"LEGAL", "sales"}})
	genUnfit   = rapid.SampledFrom([]texts.Reason{{}, {}, {ID: texts.ReasonUnfit}})
	genLevel   = rapid.SampledFrom([]policy.Level{"", policy.Never, policy.IfPossible, policy.Require})
	genTLS     = rapid.SampledFrom([]mail.TLSLevel{"", "", mail.TLSRequired, mail.TLSVerified})
	genMissing = rapid.SampledFrom([]policy.Missing{"", "", policy.Refuse, policy.Ask, policy.SendTLS, policy.SendPlain})
	genAction  = rapid.SampledFrom([]policy.Action{"", "", policy.Accept, policy.Mark, policy.Quarantine, policy.RefuseIt})
	genAnswer  = rapid.SampledFrom([]smime.Answer{smime.NotSaid, smime.NotSaid, smime.Yes, smime.No})
	genSize    = rapid.SampledFrom([]int64{0, 0, 1000, 2000})
	genArchive = rapid.SampledFrom([][]string{nil, nil, {"journal"}, {"tax"}, {"tax", "journal"}})
	genNotify  = rapid.SampledFrom([][]string{nil, nil, {"a@x.example"}, {"b@x.example"}})
	genOptions = rapid.SampledFrom([]demail.Options{{}, {}, {Dispatch: true}, {Receipt: true}})
	genAlgo    = rapid.SampledFrom([]cms.Algorithm{"", "", cms.AES128CBC, cms.AES256CBC, cms.AES256GCM})
	genAddress = rapid.SampledFrom([]string{"a@x.example", "B@x.example", "a@y.example", "b@sub.y.example", "b@deep.sub.y.example", "c@z.example"})
	genPattern = rapid.SampledFrom([]string{"a@x.example", "b@x.example", "b@*.y.example", "@x.example", "@y.example", "@*.y.example", "@*.sub.y.example", "@*.example", "*", "<>"})
	genOften   = rapid.SampledFrom([]bool{true, false, false, false})
	genSubject = rapid.SampledFrom([]string{"", "Offer 1", "an OFFER", "Re: offer 2"})
)

func drawAddress(t *rapid.T, label string) mail.Address {
	a, err := mail.ParseAddress(genAddress.Draw(t, label))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func drawPatterns(t *rapid.T, label string) mail.Patterns {
	ps, err := mail.ParsePatterns(rapid.SliceOfN(genPattern, 0, 2).Draw(t, label)...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// drawSettings says a few keys that mean something for a direction; empty: any.
func drawSettings(t *rapid.T, d mail.Direction) (s policy.Settings) {
	if d != mail.Incoming {
		s.Sign, s.Encrypt = genLevel.Draw(t, "sign"), genLevel.Draw(t, "encrypt")
		s.TLS = genTLS.Draw(t, "tls")
		s.Terms = policy.Terms{
			Profile: genProfile.Draw(t, "profile"), Missing: genMissing.Draw(t, "on missing"), ToSelf: genAnswer.Draw(t, "to self"), Opaque: genAnswer.Draw(t, "opaque"),
			Wish: smime.Wish{OAEP: genAnswer.Draw(t, "oaep"), Algorithm: genAlgo.Draw(t, "algorithm"), PSS: genAnswer.Draw(t, "pss")},
		}
	}
	if d == mail.Incoming || d == "" {
		s.OnInvalid, s.OnUnsigned, s.Decrypt = genAction.Draw(t, "on invalid"), genAction.Draw(t, "on unsigned"), genAnswer.Draw(t, "decrypt")
		s.MarkSubject = genAnswer.Draw(t, "mark")
	}
	if d == mail.Outgoing || d == "" {
		s.DeMail, s.DeMailOptions = rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "De-Mail"), genOptions.Draw(t, "options")
	}
	s.MaxSize, s.Archive, s.Notify = genSize.Draw(t, "max size"), genArchive.Draw(t, "archive"), genNotify.Draw(t, "notify")
	return s
}

// enforce lists some of the keys that are said.
func enforce(t *rapid.T, s *policy.Settings) {
	for _, key := range policy.Keys() {
		if wordOf(*s, key) != "" && genOften.Draw(t, "enforce "+string(key)) {
			s.Enforce = append(s.Enforce, key)
		}
	}
}

func says(s policy.Settings) bool {
	return slices.ContainsFunc(policy.Keys(), func(key policy.Key) bool { return wordOf(s, key) != "" })
}

func drawRule(t *rapid.T, i int) policy.Rule {
	r := policy.Rule{
		Name:      "r" + string(rune('a'+i)),
		Direction: rapid.SampledFrom([]mail.Direction{mail.Outgoing, mail.Outgoing, mail.Internal, mail.Incoming}).Draw(t, "direction"),
		From:      drawPatterns(t, "from"), To: drawPatterns(t, "to"), Kinds: genKinds.Draw(t, "kinds"), DryRun: genOften.Draw(t, "dry"),
	}
	r.Settings = drawSettings(t, r.Direction)
	if genOften.Draw(t, "quarantines") {
		r.Quarantine = rapid.SampledFrom([]string{"too much", "odd"}).Draw(t, "why")
	}
	if !says(r.Settings) {
		r.MaxSize = 3000
	}
	enforce(t, &r.Settings)
	if r.Direction != mail.Incoming {
		r.Groups = genGroups.Draw(t, "groups")
	}
	if r.Direction != mail.Outgoing {
		r.ToGroups = genGroups.Draw(t, "to groups")
	}
	if genOften.Draw(t, "conditions") {
		r.Listeners = rapid.SampledFrom([][]string{nil, {"in"}, {"in", "out"}}).Draw(t, "listeners")
		r.SizeOver, r.SizeUnder = genSize.Draw(t, "over"), rapid.SampledFrom([]int64{0, 2500}).Draw(t, "under")
		r.Subject = rapid.SampledFrom([]policy.Field{{}, {Contains: "offer"}, {Matches: "^Offer [0-9]$"}}).Draw(t, "subject")
		r.Headers = rapid.SampledFrom([][]policy.Field{nil, {{Name: "X-A"}}, {{Name: "x-a", Contains: "One"}, {Name: "X-B"}}}).Draw(t, "headers")
		r.ContentTypes = rapid.SampledFrom([][]string{nil, {"image/*"}, {"Text/Plain"}}).Draw(t, "types")
		r.Flags = rapid.SampledFrom([][]string{nil, {"encrypt"}, {"no_sign", "tls"}}).Draw(t, "flags")
		r.Labels = rapid.SampledFrom([][]string{nil, {"Secret"}}).Draw(t, "labels")
	}
	return r
}

// drawEntries gives each pattern, and each group, one entry at most.
func drawEntries(t *rapid.T) (out []policy.Entry) {
	taken := map[string]bool{"*": true, "<>": true}
	for range rapid.IntRange(0, 4).Draw(t, "entries") {
		e := policy.Entry{Settings: drawSettings(t, "")}
		if !says(e.Settings) {
			e.Sign = policy.IfPossible
		}
		enforce(t, &e.Settings)
		for _, p := range drawPatterns(t, "for") {
			if !taken[p.String()] {
				taken[p.String()] = true
				e.For = append(e.For, p)
			}
		}
		if len(e.For) == 0 {
			name := rapid.SampledFrom([]string{"Legal", "board", "sales"}).Draw(t, "group")
			if taken[strings.ToLower(name)] {
				continue
			}
			taken[strings.ToLower(name)] = true
			e.Groups = []string{name}
		}
		out = append(out, e)
	}
	return out
}

func drawConfig(t *rapid.T) policy.Config {
	c := policy.Config{Company: drawSettings(t, ""), Senders: drawEntries(t), Recipients: drawEntries(t)}
	enforce(t, &c.Company)
	for i := range rapid.IntRange(0, 7).Draw(t, "rules") {
		c.Rules = append(c.Rules, drawRule(t, i))
	}
	return c
}

// fieldsOf is a policy.Header.
type fieldsOf map[string][]string

func (h fieldsOf) Values(name string) []string { return h[strings.ToLower(name)] }

func drawInput(t *rapid.T) policy.Input {
	yes := rapid.Bool()
	in := policy.Input{
		Internal: rapid.IntRange(0, 3).Draw(t, "internal") > 0, CanSign: yes.Draw(t, "can sign"), MayUse: yes.Draw(t, "may use"), Explain: yes.Draw(t, "explain"),
		Kind:     rapid.SampledFrom([]policy.Kind{"", "", policy.Meeting, policy.TNEF}).Draw(t, "kind"),
		Listener: rapid.SampledFrom([]string{"in", "out", "far"}).Draw(t, "listener"), Size: rapid.Int64Range(0, 4000).Draw(t, "size"), Subject: genSubject.Draw(t, "subject"),
		ContentTypes: rapid.SampledFrom([][]string{nil, {"text/plain"}, {"multipart/mixed", "image/png"}}).Draw(t, "types"),
		Flags:        drawFlags(t), Groups: drawMember(t),
	}
	if yes.Draw(t, "has a header") {
		in.Header = rapid.SampledFrom([]fieldsOf{{}, {"x-a": {"zero", "one two"}}, {"x-a": {"ONE"}, "x-b": {""}}}).Draw(t, "header")
	}
	if rapid.IntRange(0, 3).Draw(t, "has From") > 0 {
		in.From = drawAddress(t, "From")
	}
	for range rapid.IntRange(0, 3).Draw(t, "recipients") {
		in.Recipients = append(in.Recipients, policy.Recipient{
			Address: drawAddress(t, "recipient"), Local: yes.Draw(t, "local"), DeMail: genOften.Draw(t, "De-Mail"), CanEncrypt: yes.Draw(t, "can encrypt"),
			NoAsk: yes.Draw(t, "no ask"), Groups: drawMember(t),
			Unfit: genUnfit.Draw(t, "unfit"), UnfitSigner: genUnfit.Draw(t, "unfit signer"), AtLeast: drawEarlier(t),
		})
	}
	return in
}

func drawMember(t *rapid.T) []string {
	return rapid.SampledFrom([][]string{nil, {"legal"}, {"board", "Sales"}, {"Legal", "board", "sales"}}).Draw(t, "member of")
}

func drawEarlier(t *rapid.T) policy.Levels {
	if !genOften.Draw(t, "waited") {
		return policy.Levels{}
	}
	return policy.Levels{
		Sign: genLevel.Draw(t, "sign at least"), Encrypt: genLevel.Draw(t, "encrypt at least"), Profile: genProfile.Draw(t, "earlier profile"),
		TLS: genTLS.Draw(t, "tls at least"), Missing: genMissing.Draw(t, "earlier missing"),
	}
}

func drawFlags(t *rapid.T) (f policy.Flags) {
	f = policy.Flags{
		Sign: genOften.Draw(t, "sign"), Encrypt: genOften.Draw(t, "encrypt"), TrySign: genOften.Draw(t, "try sign"), TryEncrypt: genOften.Draw(t, "try encrypt"),
		TLS: genTLS.Draw(t, "tls"), Plain: genOften.Draw(t, "plain"), NoSign: genOften.Draw(t, "no sign"), NoEncrypt: genOften.Draw(t, "no encrypt"),
	}
	f.Labels = rapid.SampledFrom([][]string{nil, {"secret"}}).Draw(t, "labels")
	return f
}

// The engine decides as the documentation says.
func TestDecideEqualsReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, in := drawConfig(t), drawInput(t)
		p, err := policy.New(c)
		if err != nil {
			t.Fatal(err)
		}
		got, terms := p.Decide(in), p.Terms(in)
		if len(got) != len(in.Recipients) {
			t.Fatalf("%d decisions", len(got))
		}
		for i, d := range got {
			f := newReference(c, in, in.Recipients[i])
			if d.Recipient != in.Recipients[i].Address || d.Direction != f.d || terms[i] != d.Terms {
				t.Fatalf("recipient %d: %+v", i, d)
			}
			if outcome := outcomeOf(d); !slices.Equal(outcome, f.outcome()) {
				t.Fatalf("recipient %d: %v, want %v\n%+v", i, outcome, f.outcome(), d)
			}
			if f.d == mail.Incoming && !f.r.Local {
				continue
			}
			f.compare(t, d)
		}
	})
}

// outcomeOf is what the reference says is done.
func outcomeOf(d policy.Decision) (words []string) {
	for _, w := range []struct {
		is   bool
		word string
	}{{d.Sign, "sign"}, {d.Encrypt, "encrypt"}, {d.Ask, "ask"}, {d.Missed != "", string(d.Missed)}, {d.Refusal != nil, "refuse"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return words
}

// compare holds every key of a decision against the reference.
func (f *reference) compare(t *rapid.T, d policy.Decision) {
	var lowered []policy.Key
	var dry []policy.Key
	for _, key := range policy.Keys() {
		want, _, low := f.decided(key, false)
		if got := wordOf(d.Settings, key); got != want && !slices.Equal(members(got), members(want)) {
			t.Fatalf("%s: %q, want %q of %+v", key, got, want, f.statements(key, false))
		}
		if low {
			lowered = append(lowered, key)
		}
		if would, _, _ := f.decided(key, true); !slices.Equal(members(would), members(want)) {
			dry = append(dry, key)
		}
	}
	if !slices.Equal(lowered, d.Lowered) {
		t.Fatalf("lowered %v, want %v", d.Lowered, lowered)
	}
	var told []policy.Key
	for _, s := range d.Dry {
		told = append(told, s.Key)
	}
	if !slices.Equal(told, dry) {
		t.Fatalf("a dry run tells of %+v, want %v", d.Dry, dry)
	}
	names := map[policy.Key]string{policy.KeySign: d.SignRule, policy.KeyEncrypt: d.EncRule, policy.KeyProfile: d.ProRule}
	for key, got := range names {
		_, by, _ := f.decided(key, false)
		if f.d != mail.Incoming && strings.TrimPrefix(by, "rule ") != got && !(got == policy.ByDefault && (by == "company" || by == "factory")) && !(by == "sender" && strings.HasPrefix(got, "sender ")) {
			t.Fatalf("%s by %q, want %q", key, got, by)
		}
	}
}

// members are the words of a list, in the order of the alphabet.
func members(list string) []string {
	all := strings.Split(list, ", ")
	slices.Sort(all)
	return all
}

// What explains a decision is enough to make it again, by the precedence alone.
func TestSourcesReproduce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := policy.New(drawConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		in.Explain = false
		plain := p.Decide(in)
		in.Explain = true
		for i, d := range p.Decide(in) {
			told := map[policy.Key]bool{}
			for _, s := range d.Sources {
				told[s.Key] = true
				if got := wordOf(d.Settings, s.Key); got != s.Value || reproduce(t, s) != s.Value {
					t.Fatalf("%s is %q, and %q by its sources: %+v", s.Key, got, reproduce(t, s), s)
				}
			}
			for _, key := range policy.Keys() {
				if wordOf(d.Settings, key) != "" && !told[key] {
					t.Fatalf("nothing is told of %s", key)
				}
			}
			d.Sources = nil
			if !reflect.DeepEqual(d, plain[i]) {
				t.Fatalf("to explain changes the decision: %+v, %+v", d, plain[i])
			}
		}
	})
}

// reproduce is the value that the sources of a key come to.
func reproduce(t *rapid.T, s policy.Source) string {
	switch s.By {
	case policy.ByKind:
		if s.Over[0].Value != "if-possible" || s.Value != "never" {
			t.Fatalf("%+v", s)
		}
	case policy.ByFlag, policy.ByEarlier:
		was := policy.Source{}
		if len(s.Over) > 0 {
			was = s.Over[0]
			was.Over = s.Over[1:]
			if value := reproduce(t, was); value != was.Value {
				t.Fatalf("%q, by its sources %q: %+v", was.Value, value, was)
			}
		}
		if !stronger(s.Key, s.Value, was.Value) && !(s.By == policy.ByFlag && was.Mode != policy.ModeEnforced && s.Value == "never") {
			t.Fatalf("nothing moves %+v", s)
		}
		return s.Value
	}
	all := []statement{{s.Value, s.By, s.Mode == policy.ModeEnforced, s.Mode == policy.ModeDemanded}}
	for _, o := range s.Over {
		if s.By != policy.ByKind || o.Value != "if-possible" || o.By == policy.ByKind {
			all = append(all, statement{o.Value, o.By, o.Mode == policy.ModeEnforced, o.Mode == policy.ModeDemanded})
		}
	}
	chosen, _ := choose(s.Key, all)
	return chosen.value
}

// Whatever groups sender and recipients are in: nothing but what is asked for matters, and no decision is weaker than the least.
func TestGroupsProperties(t *testing.T) {
	all := []string{"legal", "board", "sales"}
	rapid.Check(t, func(t *rapid.T) {
		p, err := policy.New(drawConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		in := drawInput(t)
		in.Explain = false
		in.Recipients = in.Recipients[:min(len(in.Recipients), 1)]
		sender, recipients, least := p.Asks(in), p.AsksTo(in), p.Least(in)
		if len(in.Recipients) == 0 {
			return
		}
		var asked []string
		if recipients != nil {
			asked = recipients[0]
		}
		for subset := range 1 << (2 * len(all)) {
			var of, to []string
			for i, name := range all {
				if subset>>i&1 == 1 {
					of = append(of, name)
				}
				if subset>>(i+len(all))&1 == 1 {
					to = append(to, name)
				}
			}
			in.Groups, in.Recipients[0].Groups = of, to
			got := p.Decide(in)[0]
			in.Groups, in.Recipients[0].Groups = among(of, sender), among(to, asked)
			want := p.Decide(in)[0]
			got.Dry, want.Dry = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("in %v and %v, asked for %v and %v:\n%+v\n%+v", of, to, sender, asked, got, want)
			}
			if got.Direction == mail.Incoming {
				continue
			}
			for _, pair := range pairs(got.Levels, least[0]) {
				if stronger(pair.key, pair.least, pair.got) {
					t.Fatalf("in %v and %v: %s is %q, weaker than %q", of, to, pair.key, pair.got, pair.least)
				}
				if sender == nil && asked == nil && pair.least != pair.got {
					t.Fatalf("nothing is asked for: %s is %q, %q", pair.key, pair.got, pair.least)
				}
			}
		}
	})
}

// among are the names that are among others, whatever their case.
func among(names, others []string) (out []string) {
	for _, n := range names {
		if slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(o, n) }) {
			out = append(out, n)
		}
	}
	return out
}

type pair struct {
	key        policy.Key
	got, least string
}

func pairs(got, least policy.Levels) []pair {
	return []pair{
		{policy.KeySign, string(got.Sign), string(least.Sign)}, {policy.KeyEncrypt, string(got.Encrypt), string(least.Encrypt)}, {policy.KeyTLS, string(got.TLS), string(least.TLS)},
		{policy.KeyProfile, string(got.Profile), string(least.Profile)}, {policy.KeyOnMissing, string(got.Missing), string(least.Missing)},
	}
}

// What waited is decided no weaker than when it was accepted, whatever the policy says by then, as long as its sender asks for the same.
func TestAtLeastProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		before, err := policy.New(drawConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		then := before.Decide(in)
		for i := range in.Recipients {
			in.Recipients[i].AtLeast = then[i].Levels
		}
		after, err := policy.New(drawConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range after.Decide(in) {
			for _, p := range pairs(d.Levels, then[i].Levels) {
				binds := p.key != policy.KeyProfile || p.least == string(smime.TR03116)
				if d.Direction != mail.Incoming && binds && stronger(p.key, p.least, p.got) {
					t.Fatalf("%s was %q and is %q", p.key, p.least, p.got)
				}
			}
			if d.Direction != mail.Incoming && then[i].Levels.Encrypt == policy.Require && then[i].Levels.Missing == policy.Ask && d.Missed != "" {
				t.Fatal(fmt.Sprintf("it must be encrypted, and leaves %s", d.Missed))
			}
		}
	})
}
