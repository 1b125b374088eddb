package protect

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// archivesIn are the archives that get copies, in their order.
func archivesIn(entries []queue.New) (names []string) {
	for _, e := range entries {
		if e.Archive != nil {
			names = append(names, strings.TrimPrefix(e.Destinations[0], queue.ArchivePrefix))
		}
	}
	return names
}

// archiveBench is a bench with archives, and a directory.
func archiveBench(t *testing.T, d *directory, rules ...policy.Rule) *bench {
	t.Helper()
	return newBench(t, func(o *Options) { o.Groups, o.Archives = d, []string{"a", "b", "c"} }, rules...)
}

func archiveTo(name string, r policy.Rule) policy.Rule {
	r.Name, r.Settings.Archive = "archive to "+name, []string{name}
	return r
}

// fromOutside is a message of bob's to alice.
func fromOutside(t *testing.T) mail.Envelope {
	t.Helper()
	return mail.Envelope{
		ID: mail.NewID(time.Now()), From: address(t, "bob@partner.example"), Received: time.Now(),
		Recipients: []mail.Recipient{{Address: address(t, "alice@firma.example")}},
	}
}

const withPDF = "From: bob@partner.example\r\nTo: alice@firma.example\r\nSubject: =?utf-8?q?Vertrag_f=C3=BCr?= Alice\r\nX-Case: =?utf-8?q?M=C3=BCller?=\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n"

// Rules that name archives for mail from outside look at all of it that shows, as other rules do: what is in it, and fields as their readers see them.
func TestArchiveRulesSeeTheMessage(t *testing.T) {
	b := archiveBench(t, &directory{},
		archiveTo("a", policy.Rule{Direction: mail.Incoming, ContentTypes: []string{"application/pdf"}}),
		policy.Rule{Name: "rest", Settings: policy.Settings{Archive: []string{}}})
	field := archiveBench(t, &directory{},
		archiveTo("b", policy.Rule{Direction: mail.Incoming, Headers: []policy.Field{{Name: "X-Case", Contains: "müller"}}}))
	for name, c := range map[string]struct {
		*bench
		want string
	}{"what is in it": {b, "a"}, "a field": {field, "b"}} {
		env := fromOutside(t)
		adm, err := c.Admit(t.Context(), env, letter(withPDF))
		if err != nil {
			t.Fatal(err)
		}
		if got := archivesIn(adm.Entries); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s: archives %q", name, got)
		}
		adm.Release()
		env.Fetched = true
		copies, err := c.CopiesOf(t.Context(), env, env.From, letter(withPDF))
		if got := archivesIn(copies); err != nil || !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s, fetched: archives %q, %v", name, got, err)
		}
	}
}

// A De-Mail with more parts than are looked at is kept by each archive that a rule for what is in it may name: it cannot be refused, and must not stay with its provider.
func TestArchiveOfWhatCannotBeLookedAt(t *testing.T) {
	b := archiveBench(t, &directory{},
		archiveTo("a", policy.Rule{Direction: mail.Incoming, ContentTypes: []string{"application/pdf"}}),
		archiveTo("b", policy.Rule{Direction: mail.Incoming, ContentTypes: []string{"image/*"}}))
	env := fromOutside(t)
	env.Fetched = true
	many := strings.Replace(withPDF, "--b\r\n", strings.Repeat("--b\r\n\r\nx\r\n", 2000)+"--b\r\n", 1)
	copies, err := b.CopiesOf(t.Context(), env, env.From, letter(many))
	if got := archivesIn(copies); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("archives %q, %v", got, err)
	}
}

// Where it is not known in which groups a recipient is, each archive gets a copy that would for any of them: from inside, and as De-Mail.
func TestArchiveWhereGroupsAreAway(t *testing.T) {
	rules := func(d mail.Direction) []policy.Rule {
		return []policy.Rule{
			archiveTo("a", policy.Rule{Direction: d, ToGroups: []string{"Board"}}), archiveTo("b", policy.Rule{Direction: d, ToGroups: []string{"Legal"}}), archiveTo("c", policy.Rule{Direction: d}),
		}
	}
	all := []string{"a", "b", "c"}
	d := &directory{err: groupsAway}
	adm, err := archiveBench(t, d, rules(mail.Internal)...).Admit(t.Context(), envelope(t, "carl@firma.example"), message())
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	if got := slices.Sorted(slices.Values(archivesIn(adm.Entries))); adm.Entries[0].Pending == nil || !slices.Equal(got, all) {
		t.Errorf("from inside: archives %q", got)
	}
	env := fromOutside(t)
	env.Fetched = true
	incoming := archiveBench(t, d, rules(mail.Incoming)...)
	copies, err := incoming.CopiesOf(t.Context(), env, env.From, letter(withPDF))
	if got := slices.Sorted(slices.Values(archivesIn(copies))); err != nil || !slices.Equal(got, all) {
		t.Errorf("as De-Mail: archives %q, %v", got, err)
	}
	d.err, d.of = nil, map[string][]string{"alice@firma.example": {"Legal"}}
	if copies, err = incoming.CopiesOf(t.Context(), env, env.From, letter(withPDF)); err != nil || !slices.Equal(archivesIn(copies), []string{"b"}) {
		t.Errorf("as De-Mail, by the directory: archives %q, %v", archivesIn(copies), err)
	}
}
