package addin_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/addin/token/tokentest"
	"github.com/siegel-mail/siegel/gateway/mail"
)

func TestParseTable(t *testing.T) {
	const other = "00000000-0000-0000-0000-000000000001"
	for name, c := range map[string]struct {
		text   string
		want   map[string]string // addresses, with blanks between them
		faults []string
	}{
		"nothing":   {"\n  \n# a remark\n", map[string]string{}, nil},
		"two users": {tokentest.User + ": alice@firma.example,Info@Firma.Example # remark\r\n" + tokentest.Mailbox + ":bob@firma.example", map[string]string{tokentest.User: "alice@firma.example Info@firma.example", tokentest.Mailbox: "bob@firma.example"}, nil},
		"capitals":  {strings.ToUpper(tokentest.User) + " : alice@firma.example", map[string]string{tokentest.User: "alice@firma.example"}, nil},
		"faults": {
			"alice: alice@firma.example\n" + other + " alice@firma.example\n" + other + ": alice\n" + other + ":\n" + other + ": a@b.example,\n" + other + ": a@b.example\n" + other + ": c@d.example\n" + other + "@h: " + strings.Repeat("a@b.example,", 200) + "a@b.example\n",
			map[string]string{other: "a@b.example"},
			[]string{"1 this begins with no ID", "2 there is no colon", "3 this holds no usable address: there is no @", "4 this holds no usable address", "5 this holds no usable address", "7 this ID stands further up", "8 a user has at most"},
		},
		"a long line": {"#\n" + strings.Repeat("x", 100<<10), map[string]string{}, []string{"2 a line has at most"}},
	} {
		table, faults := addin.ParseTable(c.text)
		got := map[string]string{}
		for id, all := range table {
			var texts []string
			for _, a := range all {
				texts = append(texts, a.String())
			}
			got[id] = strings.Join(texts, " ")
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
		if !slices.EqualFunc(faults, c.faults, func(f addin.Fault, want string) bool {
			return strings.HasPrefix(fmt.Sprint(f.Line, " ", f.Text), want)
		}) {
			t.Errorf("%s: %+v", name, faults)
		}
	}
}

func TestReadTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	if _, _, err := addin.ReadTable(name); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for size, fine := range map[int]bool{10: true, 17 << 20: false} {
		if err := os.WriteFile(name, []byte(strings.Repeat("\n", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, faults, err := addin.ReadTable(name); (err == nil) != fine || faults != nil {
			t.Errorf("%d bytes: %v, %v", size, faults, err)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(tokentest.User + ": alice@firma.example, info@firma.example # remark\n")
	f.Add("x\n:\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		table, faults := addin.ParseTable(text)
		for id, all := range table {
			if !token.IsID(id) || len(all) == 0 {
				t.Fatalf("%q: %v", id, all)
			}
		}
		for _, f := range faults {
			if f.Line < 1 || f.Line > strings.Count(text, "\n")+2 || f.Text == "" {
				t.Fatalf("%+v", f)
			}
		}
	})
}

// people is a fake of a directory.
type people struct {
	by    map[string][]string // addresses, by attribute and value, or by address
	err   error
	asked int
}

func (p *people) AddressesWith(_ context.Context, attribute string, value []byte) ([]string, error) {
	p.asked++
	return p.by[attribute+"="+string(value)], p.err
}

func (p *people) AddressesOf(_ context.Context, address string) ([]string, error) {
	p.asked++
	return p.by[address], p.err
}

func addresses(t testing.TB, texts ...string) (out []mail.Address) {
	t.Helper()
	for _, text := range texts {
		a, err := mail.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// Whose an address is, by each way in which that can be told.
func TestUsers(t *testing.T) {
	alice := token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}
	nameless := token.Identity{Kind: token.OfEntra, ID: tokentest.User}
	bob := token.Identity{Kind: token.OfExchange, ID: tokentest.Mailbox}
	guid, err := hex.DecodeString("fa25e953ba76e145be0f4ef08b59d389") // 53e925fa-76ba-45e1-be0f-4ef08b59d389, as Active Directory writes it
	if err != nil {
		t.Fatal(err)
	}
	both := []string{"alice@firma.example", "alice.long@firma.example", "alice@partner.example", "no address", "ALICE@firma.example"}
	d := func() *people {
		return &people{by: map[string][]string{
			"alice@firma.example": both, "objectid=User_" + tokentest.User: both, "plain=" + tokentest.User: both, "UserPrincipalName=alice@firma.example": both, "mailbox=" + string(guid): both,
		}}
	}
	ours := []string{"alice@firma.example", "alice.long@firma.example"}
	for name, c := range map[string]struct {
		o    addin.UsersOptions
		who  token.Identity
		want []string
	}{
		"by the name in the token":           {addin.UsersOptions{}, alice, []string{"alice@firma.example"}},
		"a name that is not ours":            {addin.UsersOptions{}, token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.onmicrosoft.com"}, nil},
		"a name that is no address":          {addin.UsersOptions{}, token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice"}, nil},
		"no name":                            {addin.UsersOptions{}, nameless, nil},
		"Exchange, and nobody knows":         {addin.UsersOptions{}, bob, nil},
		"by the table":                       {addin.UsersOptions{Table: addin.Table{tokentest.User: addresses(t, "boss@firma.example")}, Directory: d()}, alice, []string{"boss@firma.example"}},
		"Exchange by the table":              {addin.UsersOptions{Table: addin.Table{tokentest.Mailbox: addresses(t, "bob@firma.example")}}, bob, []string{"bob@firma.example"}},
		"not in the table":                   {addin.UsersOptions{Table: addin.Table{tokentest.Mailbox: addresses(t, "bob@firma.example")}}, alice, []string{"alice@firma.example"}},
		"by the name, in the directory":      {addin.UsersOptions{Directory: d()}, alice, ours},
		"a name that the directory lacks":    {addin.UsersOptions{Directory: d()}, token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "carol@firma.example"}, nil},
		"a foreign name, in the directory":   {addin.UsersOptions{Directory: &people{by: map[string][]string{"alice@partner.example": both}}}, token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@partner.example"}, nil},
		"no name, in the directory":          {addin.UsersOptions{Directory: d()}, nameless, nil},
		"by the object ID":                   {addin.UsersOptions{Directory: d(), EntraAttribute: "objectid"}, nameless, ours},
		"by the object ID alone":             {addin.UsersOptions{Directory: d(), EntraAttribute: "plain"}, nameless, ours},
		"by an object ID nobody has":         {addin.UsersOptions{Directory: d(), EntraAttribute: "objectid"}, token.Identity{Kind: token.OfEntra, ID: "00000000-0000-0000-0000-000000000001", UPN: "alice@firma.example"}, nil},
		"by the user principal name":         {addin.UsersOptions{Directory: d(), EntraAttribute: "UserPrincipalName"}, alice, ours},
		"by the user principal name, nobody": {addin.UsersOptions{Directory: d(), EntraAttribute: "UserPrincipalName"}, nameless, nil},
		"Exchange by the mailbox":            {addin.UsersOptions{Directory: d(), ExchangeAttribute: "mailbox"}, bob, ours},
		"Exchange by a mailbox nobody has":   {addin.UsersOptions{Directory: d(), ExchangeAttribute: "mailbox"}, token.Identity{Kind: token.OfExchange, ID: tokentest.User}, nil},
	} {
		c.o.Local = patterns(t, "@firma.example")
		u := addin.NewUsers(c.o)
		got, err := u.Of(t.Context(), c.who)
		if err != nil || !reflect.DeepEqual(got, addresses(t, c.want...)) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// What the directory said counts for five minutes, and a fault of it for nothing.
func TestUsersAreKept(t *testing.T) {
	d := &people{by: map[string][]string{"alice@firma.example": {"alice@firma.example"}}}
	at := now
	u := addin.NewUsers(addin.UsersOptions{Directory: d, Local: patterns(t, "@firma.example"), Now: func() time.Time { return at }})
	alice := token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "alice@firma.example"}
	ask := func(want int, asked int, fails bool) {
		t.Helper()
		got, err := u.Of(t.Context(), alice)
		if len(got) != want || d.asked != asked || (err != nil) != fails {
			t.Errorf("%v, %v, asked %d times", got, err, d.asked)
		}
	}
	d.err = errBroken
	ask(0, 1, true)
	d.err = nil
	ask(1, 2, false)
	ask(1, 2, false)
	d.err = errBroken
	at = at.Add(5*time.Minute - 1)
	ask(1, 2, false)
	at = at.Add(1)
	ask(0, 3, true)
	d.err, d.by = nil, nil
	ask(0, 4, false) // whom the directory does not know, is not known for a while either
	ask(0, 4, false)
	if got, _ := u.Of(t.Context(), token.Identity{Kind: token.OfEntra, ID: tokentest.User, UPN: "bob@firma.example"}); len(got) != 0 || d.asked != 5 {
		t.Error("another name of the same user is taken for the same")
	}
}

// A directory that is away is no fault of its users.
func TestDirectoryAway(t *testing.T) {
	d := &people{err: errBroken}
	s := newStand(t, func(setup *addin.Setup) {
		setup.Users = addin.NewUsers(addin.UsersOptions{Directory: d, Local: patterns(t, "@firma.example")})
	})
	p := problemOf(t, s.ask(outside, s.entra(t, nil), question("alice@firma.example", "x@y.example")), 503)
	if p.Code != addin.CodeUnavailable || len(s.oracle.questions()) != 0 {
		t.Errorf("%+v", p)
	}
}
