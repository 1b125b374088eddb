package smtpin

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

func TestAuthServID(t *testing.T) {
	for value, want := range map[string]string{
		"mx.example; none":   "mx.example",
		"mx.example 1; none": "mx.example",
		"mx.example":         "mx.example",
		"mx.example.;x":      "mx.example",
		" (a (nested \\) b) c) mx.example (d); x": "mx.example",
		"mx(cut)ter.example; x":                   "mxter.example", // no server reads that as mx
		`"mx.example" 1; x`:                       "mx.example",
		`"mx.ex\ample"; x`:                        "mx.example",
		`(open mx.example; x`:                     "",
		"":                                        "",
		"(":                                       "",
		`\`:                                       `\`,
	} {
		if got := authServID(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func FuzzAuthServID(f *testing.F) {
	f.Add("(comment) mx.example; none")
	f.Add(`"mx\.example" 1`)
	f.Fuzz(func(t *testing.T, value string) {
		if id := authServID(value); len(id) > len(value) || strings.ContainsAny(id, ";") && !strings.Contains(value, `"`) {
			t.Errorf("%q: %q", value, id)
		}
	})
}

// A field of ours is found however its name is written, and nothing else goes.
func TestFirewallKeepsEveryOtherByte(t *testing.T) {
	keep := "Received: x\r\n\ty\r\nSUBJECT : odd\r\n  folding \r\nX-Sieg: el\r\nX-De: Mail\r\nX-Bin: \xfc\r\n"
	drop := "x-sIEGEL-a: b\r\n c\r\nX-De-Mail-Auth: x\r\nX-Siegel-: empty name\r\n"
	h, _, err := entity.Read(strings.NewReader(drop+keep+drop+"\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	Firewall(&h, "mx.example", false)
	if got := string(h.Bytes()); got != keep {
		t.Errorf("%q", got)
	}
	h, _, err = entity.Read(strings.NewReader("x-ask: yes\r\n"+keep+"X-ASK : no\r\nX-Asked: x\r\n\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	inside := h
	Firewall(&h, "mx.example", false, "X-Other", "X-Ask")
	if got := string(h.Bytes()); got != keep+"X-Asked: x\r\n" {
		t.Errorf("%q", got)
	}
	Firewall(&inside, "mx.example", true, "X-Ask")
	if inside.Len() != h.Len()+2 {
		t.Errorf("%q", inside.Bytes())
	}
}

// From inside the gateway may be asked; what only it and providers say is removed all the same.
func TestFirewallInside(t *testing.T) {
	const asks = "X-SIEGEL-sign: yes\r\nx-siegel-plain: yes\r\nX-Siegel-Encrypt: yes\r\nX-Siegel-TLS: verified\r\nx-siegel-demail: dispatch\r\nSubject: x\r\n"
	const says = "X-Siegel-DeMail-Level: high\r\nX-Siegel-Verdict: valid\r\nX-de-mail-auth-level: high\r\nX-DE-MAIL-confirmation-of-dispatch: yes\r\n"
	h, _, err := entity.Read(strings.NewReader(says+asks+says+"\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	Firewall(&h, "mx.example", true)
	if got := string(h.Bytes()); got != asks {
		t.Errorf("%q", got)
	}
}

func TestTrace(t *testing.T) {
	env := mail.Envelope{
		ID: "0123456789abcdefghij", Received: time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600)),
		Recipients: []mail.Recipient{{Address: mail.Address{Local: "a", Domain: "b.example"}}},
		Client:     mail.Client{Addr: netip.MustParseAddr("2001:db8::1"), Helo: "c(\";\n)é.example", TLS: "TLS1.3 TLS_AES_128_GCM_SHA256", User: "u"},
		SMTPUTF8:   true,
	}
	want := "from c??????.example ([IPv6:2001:db8::1]) by mx.example with UTF8SMTPSA id 0123456789abcdefghij" +
		" for <a@b.example> tls TLS_AES_128_GCM_SHA256; Sun, 1 Mar 2026 12:00:00 +0100"
	if got := trace(env, "mx.example", true); got != want {
		t.Errorf("%s", got)
	}
	env.Client.TLS = "TLS1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 P-384 resumed" // RFC 8314, 4.3: with the group, as IANA names it
	if got := trace(env, "mx.example", true); !strings.Contains(got, " tls TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 group secp384r1; ") {
		t.Errorf("%s", got)
	}
	env.Client.TLS = "TLS1.2 TLS_RSA_WITH_AES_128_GCM_SHA256 resumed" // the key exchange has none
	if got := trace(env, "mx.example", true); !strings.Contains(got, " tls TLS_RSA_WITH_AES_128_GCM_SHA256; ") {
		t.Errorf("%s", got)
	}
	env.Recipients = append(env.Recipients, env.Recipients[0]) // several recipients do not see each other
	env.Client = mail.Client{Helo: "[192.0.2.1]"}
	want = "from [192.0.2.1] by mx.example with SMTP id 0123456789abcdefghij; Sun, 1 Mar 2026 12:00:00 +0100"
	if got := trace(env, "mx.example", false); got != want {
		t.Errorf("%s", got)
	}
	for _, c := range []struct {
		utf8, tls, auth bool
		want            string
	}{{false, false, false, "ESMTP"}, {false, true, false, "ESMTPS"}, {false, false, true, "ESMTPA"}, {true, false, false, "UTF8SMTP"}, {true, true, false, "UTF8SMTPS"}} {
		e := mail.Envelope{SMTPUTF8: c.utf8}
		if c.tls {
			e.Client.TLS = "x"
		}
		if c.auth {
			e.Client.User = "x"
		}
		if got := protocol(e, true); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestCutPath(t *testing.T) {
	for in, want := range map[string][2]string{
		"<a@b> X=1":       {"a@b", " X=1"},
		"<>":              {"", ""},
		`<"a>b"@c> X`:     {`"a>b"@c`, " X"},
		`<"a\">b"@c>X`:    {`"a\">b"@c`, "X"},
		`<"a\\">`:         {`"a\\"`, ""},
		"a@b X=1":         {"a@b", " X=1"},
		"<@r,@s:a@b> X":   {"@r,@s:a@b", " X"},
		`<"unclosed@b> X`: {"!", ""},
		"<unclosed":       {"!", ""},
		"":                {"!", ""},
		" <a@b>":          {"!", ""},
	} {
		text, rest, ok := cutPath(in)
		if !ok {
			text, rest = "!", ""
		}
		if text != want[0] || rest != want[1] {
			t.Errorf("%q: %q and %q", in, text, rest)
		}
	}
}

// What a path gives is an address that can be written into another command.
func FuzzPath(f *testing.F) {
	for _, s := range []string{`FROM:<"a>b"@c> X=1`, "from: <>", "FROM:a@b X", "FROM:<@r:a@b>", `FROM:<"a\"> X"@b>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		p, err := parsePath("MAIL "+arg, "FROM")
		if err != nil || p.IsNull() {
			return
		}
		if again, err := parsePath("MAIL FROM:<"+p.String()+"> X=1", "FROM"); err != nil || again.Address != p.Address {
			t.Errorf("%q: %q, then %q, %v", arg, p, again, err)
		}
	})
}

func TestClientNetworks(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:25": "192.0.2.1/32", "[::ffff:192.0.2.1]:25": "192.0.2.1/32", "[2001:db8:1:2:3::4]:25": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:25": "fe80::/64", "pipe": "invalid Prefix",
	} {
		if got := clientOf(named(in)).network.String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

type named string

func (n named) Network() string { return "tcp" }
func (n named) String() string  { return string(n) }
