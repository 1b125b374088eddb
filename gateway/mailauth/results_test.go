package mailauth_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/authres"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/smime/entity"
)

func TestField(t *testing.T) {
	for _, c := range []struct {
		result mailauth.Result
		want   string
	}{
		{
			mailauth.Result{
				SPF: mailauth.SPF{Status: mailauth.Pass, Domain: "firma.example", Sender: "alice@firma.example", Client: client},
				DKIM: []mailauth.DKIM{
					{Status: mailauth.Pass, Domain: "firma.example", Selector: "s1", Identifier: "@firma.example", Algorithm: "rsa-sha256", Bits: 2048},
					{Status: mailauth.Unacceptable, Domain: "old.example", Selector: "a.b", Algorithm: "rsa-sha1", Reason: "the key is too short", Testing: true},
				},
				DMARC: mailauth.DMARC{Status: mailauth.Pass, Domain: "firma.example", Policy: mailauth.Reject, Apply: mailauth.Nothing},
			},
			"mx.bank.example; spf=pass smtp.mailfrom=alice@firma.example; dkim=pass header.a=rsa-sha256 header.d=firma.example header.i=@firma.example header.s=s1; " +
				`dkim=policy reason="the key is too short, the key is for tests" header.a=rsa-sha1 header.d=old.example header.s=a.b; dmarc=pass reason="policy is reject" header.from=firma.example`,
		},
		{
			mailauth.Result{
				SPF:   mailauth.SPF{Status: mailauth.TempError, Domain: "mx.firma.example", Helo: true, Reason: "DNS does not answer"},
				DMARC: mailauth.DMARC{Status: mailauth.PermError, BadFrom: true, Reason: "the message has more than one From field"},
			},
			`mx.bank.example; spf=temperror reason="DNS does not answer" smtp.helo=mx.firma.example; dkim=none; dmarc=permerror reason="the message has more than one From field"`,
		},
		{
			mailauth.Result{
				SPF:   mailauth.SPF{Status: mailauth.None, Sender: "a@[192.0.2.1]", Reason: "there is no domain to ask"},
				DKIM:  []mailauth.DKIM{{Status: mailauth.PermError, Reason: "the signature is malformed"}},
				DMARC: mailauth.DMARC{Status: mailauth.None, Domain: "[192.0.2.1]"},
			},
			`mx.bank.example; spf=none reason="there is no domain to ask"; dkim=permerror reason="the signature is malformed"; dmarc=none`,
		},
		{ // local parts that would need quotes are left out
			mailauth.Result{
				SPF:   mailauth.SPF{Status: mailauth.Fail, Domain: "firma.example", Sender: `"a b;"@firma.example`},
				DMARC: mailauth.DMARC{Status: mailauth.None, Domain: "firma.example"},
			},
			"mx.bank.example; spf=fail smtp.mailfrom=firma.example; dkim=none; dmarc=none header.from=firma.example",
		},
	} {
		f, err := c.result.Field("mx.bank.example")
		if err != nil || f.Value() != c.want || f.Name != "Authentication-Results" {
			t.Errorf("%v\n%s, want\n%s", err, f.Value(), c.want)
		}
		for l := range strings.Lines(string(f.Raw)) {
			if len(l) > 78 || strings.Trim(l, printable+"\r\n") != "" {
				t.Errorf("line %q", l)
			}
		}
	}
}

// Whatever the sender writes, the field stays one field of ASCII with the results that were put in: read back
// they are the same, and none is added.
func FuzzField(f *testing.F) {
	s := signer(f, mailauth.SignerOptions{})
	c := checker(f, dnstest.Start(f, record(f, s)+spfZone+dmarcZone), mailauth.Options{})
	f.Add("alice@firma.example", "mx.firma.example", "alice@example.com", "v=1; a=rsa-sha256; d=firma.example; s=s1; h=from; bh=AAAA; b=AAAA; i=a@firma.example")
	f.Add(`"x; dmarc=pass"@firma.example`, "[1.2.3.4]", "a@example.com;dkim=pass", `a=x;dkim=pass; d=firma.example; s=s1;i="; dmarc=pass (`)
	f.Add("a!b@firma.example", "mx.firma.example", "alice@example.com", "d=firma.example; s=s1; i=a!b@firma.example")
	f.Add("", "a.b; spf=pass", "", "d=a.example;s=b;a=1")
	f.Add("\u00fc@firma.example", "x", "\u00fc <\u00fc@b\u00fccher.example>", "d=b\u00fccher.example; s=\u00fc; b=; a=\u00fc")
	f.Fuzz(func(t *testing.T, from, helo, author, signature string) {
		env := envelope(t, "", "192.0.2.1")
		if a, err := parseAddress(from); err == nil {
			env.From = a
		}
		env.Client.Helo = helo
		message := "DKIM-Signature: " + oneLine(signature) + "\r\nFrom: " + oneLine(author) + "\r\n\r\nx\r\n"
		r, err := c.Check(t.Context(), env, content(message))
		if err != nil {
			t.Skip(err)
		}
		checkField(t, r)
	})
}

func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

func checkField(t *testing.T, r mailauth.Result) {
	t.Helper()
	field, err := r.Field("mx.bank.example")
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	if h, _, err := entity.Read(strings.NewReader(string(field.Raw)+"\r\n"), 0); err != nil || h.Len() != 1 {
		t.Fatalf("%q: %d fields, %v", field.Raw, h.Len(), err)
	}
	if strings.Trim(string(field.Raw), printable+"\r\n") != "" {
		t.Errorf("%q is not ASCII", field.Raw)
	}
	id, results, err := authres.Parse(field.Value())
	if err != nil || id != "mx.bank.example" || len(results) != 2+max(1, len(r.DKIM)) {
		t.Fatalf("%q: %d results of %s, %v", field.Value(), len(results), id, err)
	}
	spf, ok := results[0].(*authres.SPFResult)
	if !ok || string(spf.Value) != string(r.SPF.Status) || r.SPF.Helo && spf.Helo != r.SPF.Domain || !strings.HasSuffix(spf.From, r.SPF.Domain) && !r.SPF.Helo {
		t.Errorf("%+v, want %+v", results[0], r.SPF)
	}
	for i, k := range r.DKIM {
		got, ok := results[1+i].(*authres.DKIMResult)
		if !ok || string(got.Value) != string(k.Status) || got.Domain != k.Domain || got.Identifier != k.Identifier {
			t.Errorf("%+v, want %+v", results[1+i], k)
		}
	}
	dmarc, ok := results[len(results)-1].(*authres.DMARCResult)
	if !ok || string(dmarc.Value) != string(r.DMARC.Status) || dmarc.From != r.DMARC.Domain && !strings.HasPrefix(r.DMARC.Domain, "[") {
		t.Errorf("%+v, want %+v", results[len(results)-1], r.DMARC)
	}
}

func ExampleResult_Field() {
	r := mailauth.Result{
		SPF:   mailauth.SPF{Status: mailauth.Pass, Domain: "partner.example", Sender: "bob@partner.example", Client: netip.MustParseAddr("192.0.2.7")},
		DMARC: mailauth.DMARC{Status: mailauth.Pass, Domain: "partner.example", Policy: mailauth.Quarantine},
	}
	field, err := r.Field("gw.firma.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(string(field.Raw), "\r\n", "\n"))
	// Output:
	// Authentication-Results: gw.firma.example; spf=pass
	//  smtp.mailfrom=bob@partner.example; dkim=none; dmarc=pass reason="policy is
	//  quarantine" header.from=partner.example
}
