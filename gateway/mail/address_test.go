package mail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

func TestParseAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct{ in, local, domain, out string }{
		{"alice@firma.example", "alice", "firma.example", ""},
		{"Alice.B@Firma.EXAMPLE", "Alice.B", "firma.example", "Alice.B@firma.example"},
		{"a!#$%&'*+-/=?^_`{|}~z@x.example", "a!#$%&'*+-/=?^_`{|}~z", "x.example", ""},
		{`"john smith"@x.example`, "john smith", "x.example", ""},
		{`"needless"@x.example`, "needless", "x.example", "needless@x.example"},
		{`"a\"b\\c"@x.example`, `a"b\c`, "x.example", ""},
		{`"\a\b"@x.example`, "ab", "x.example", "ab@x.example"},
		{`"a@b"@x.example`, "a@b", "x.example", ""},
		{`".a..b."@x.example`, ".a..b.", "x.example", ""},
		{"postmaster@[192.0.2.1]", "postmaster", "[192.0.2.1]", ""},
		{"p@[ipv6:2001:DB8:0::1]", "p", "[IPv6:2001:db8::1]", "p@[IPv6:2001:db8::1]"},
		{"jürgen@example.org", "jürgen", "example.org", ""},
		{"info@Bücher.example", "info", "xn--bcher-kva.example", "info@xn--bcher-kva.example"},
		{"info@XN--BCHER-KVA.example", "info", "xn--bcher-kva.example", "info@xn--bcher-kva.example"},
		{"a@host_1.corp", "a", "host_1.corp", ""},
		{"a@localhost", "a", "localhost", ""},
		{long + "@x.example", long, "x.example", ""},
	} {
		a, err := mail.ParseAddress(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if a.Local != c.local || a.Domain != c.domain {
			t.Errorf("%s: local %q, domain %q", c.in, a.Local, a.Domain)
		}
		want := c.out
		if want == "" {
			want = c.in
		}
		if a.String() != want {
			t.Errorf("%s: String %s, want %s", c.in, a.String(), want)
		}
	}
}

// What a careless reader would carry into the next hop's commands, header or route.
func TestParseAddressRefuses(t *testing.T) {
	for _, in := range []string{
		"", "<>", "a", "@", "a@", "@x.example", `""@x.example`, "<a@x.example>",
		`"evil@target.example> NOTIFY=NEVER ORCPT=rfc822;x"@ok.example`,
		"a@x.example> NOTIFY=NEVER", "a@x.example NOTIFY=NEVER", "a@x.example\r\nDATA",
		"a\r\nRCPT TO:<b@c>@x.example", "\"a\r\nb\"@x.example", "a\x00@x.example", "\"a\x00\"@x.example",
		"a\x7f@x.example", "a\u0085b@x.example", "a\u2028b@x.example", "a\u202eb@x.example", "a\u3000b@x.example",
		"a b@x.example", "a..b@x.example", ".a@x.example", "a.@x.example", "a@b@x.example",
		"@relay.example:a@x.example", `"a@x.example`, `"a\`, `"a"b@x.example`, `a"b"@x.example`, `"a\é"@x.example`,
		"a@-x.example", "a@x-.example", "a@x..example", "a@.example", "a@x.example.", "a@x/y", "a@x%y",
		"a@" + strings.Repeat("b", 64) + ".example", "a@" + strings.Repeat("b.", 127) + "example",
		strings.Repeat("a", 65) + "@x.example", `"` + strings.Repeat(" ", 63) + `"@x.example`, strings.Repeat("a", 9999),
		"a@[192.0.2.1", "a@[]", "a@[192.0.2]", "a@[IPv6:192.0.2.1]", "a@[2001:db8::1]", "a@[IPv6:fe80::1%eth0]", "a@[tag:x]",
		"a\xff@x.example", "a@\xff.example", "a@x\u00ad\u0085.example", "a@b\u3002 c",
	} {
		if a, err := mail.ParseAddress(in); !errors.Is(err, mail.ErrAddress) {
			t.Errorf("%.60q: read as %#v, error %v", in, a, err)
		}
	}
}

func TestAddressCompares(t *testing.T) {
	a, b := must(t, "Alice@BÜCHER.example"), must(t, "alice@xn--bcher-kva.example")
	if a == b || a.Key() != b.Key() {
		t.Errorf("%q and %q", a.Key(), b.Key())
	}
	if kelvin := must(t, "\u212aate@x.example"); kelvin.Key() == must(t, "kate@x.example").Key() {
		t.Error("the Kelvin sign passes for a k")
	}
	if !a.IsASCII() || must(t, "é@x.example").IsASCII() {
		t.Error("IsASCII")
	}
	var null mail.Address
	if !null.IsNull() || null.String() != "" || null.Key() != "" || !null.IsASCII() || a.IsNull() {
		t.Error("the null reverse-path")
	}
}

func TestAddressText(t *testing.T) {
	in := []mail.Address{{}, must(t, `"a b"@x.example`)}
	text, err := json.Marshal(in)
	if err != nil || string(text) != `["","\"a b\"@x.example"]` {
		t.Fatalf("%s, %v", text, err)
	}
	var out []mail.Address
	if err := json.Unmarshal(text, &out); err != nil || out[0] != in[0] || out[1] != in[1] {
		t.Errorf("%v, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`["a b@x"]`), &out); !errors.Is(err, mail.ErrAddress) {
		t.Errorf("error %v", err)
	}
}

func must(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return a
}

// A parsed address reads back as itself, and can be written into a path without ending it.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"alice@firma.example", `"a b\"\\"@x.example`, "é@bücher.example", "a@[IPv6:::ffff:1.2.3.4]", "a@[1.2.3.4]",
		`"evil@target.example> NOTIFY=NEVER"@ok.example`, "a@ｅxample.com", "Ⱥ@x", "a@x\u3002y", `"@"@x`, "İ@x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return
		}
		text := a.String()
		if again, err := mail.ParseAddress(text); err != nil || again != a {
			t.Errorf("%q -> %q -> %#v, %v", s, text, again, err)
		}
		if strings.ContainsAny(text, "\r\n\x00<>") || !strings.HasPrefix(text, `"`) && strings.Contains(text, " ") {
			t.Errorf("%q -> %q ends a path", s, text)
		}
		if len(text) > mail.MaxLocal+1+mail.MaxDomain || a.IsNull() || a.Domain != strings.ToLower(a.Domain) && a.Domain[0] != '[' {
			t.Errorf("%q -> %q", s, text)
		}
	})
}

func ExampleParseAddress() {
	a, _ := mail.ParseAddress(`"Alice B"@Bücher.example`)
	fmt.Println(a.Local)
	fmt.Println(a.Domain)
	fmt.Println(a)
	_, err := mail.ParseAddress("alice@firma.example> NOTIFY=NEVER")
	fmt.Println(err)
	// Output:
	// Alice B
	// xn--bcher-kva.example
	// "Alice B"@xn--bcher-kva.example
	// mail: not a usable address: it holds an angle bracket
}
