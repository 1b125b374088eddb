package mailauth_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
)

func TestParseRecord(t *testing.T) {
	rec := func(p, sp mailauth.Disposition, percent int, strict string) mailauth.Record {
		return mailauth.Record{Policy: p, Subdomains: sp, Percent: percent, StrictDKIM: strings.Contains(strict, "d"), StrictSPF: strings.Contains(strict, "s")}
	}
	const n, q, r = mailauth.Nothing, mailauth.Quarantine, mailauth.Reject
	for text, want := range map[string]mailauth.Record{
		// RFC 7489, B.2.1 to B.2.4.
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com":                                                          rec(n, n, 100, ""),
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com":                     rec(n, n, 100, ""),
		"v=DMARC1; p=none; ruf=mailto:auth-reports@thirdparty.example.net":                                                 rec(n, n, 100, ""),
		"v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; pct=25": rec(q, q, 25, ""),
		// Forms.
		"v=DMARC1;p=reject":                                 rec(r, r, 100, ""),
		"v=DMARC1; p=reject;":                               rec(r, r, 100, ""),
		"v = DMARC1 ; p = reject ; sp = quarantine":         rec(r, q, 100, ""),
		"v=DMARC1; p=Reject; SP=none":                       rec(r, r, 100, ""), // tags have a case, values have none
		"v=DMARC1; sp=none; adkim=s; aspf=S; p=reject":      rec(r, n, 100, "ds"),
		"v=DMARC1; p=reject; adkim=s; aspf=r; fo=1; rf=x:y": rec(r, r, 100, "d"),
		"v=DMARC1; p=reject; unknown=1; x_2=; pct=0":        rec(r, r, 0, ""),
		"v=DMARC1; p=reject; pct=101; adkim=strict; ri=-1":  rec(r, r, 100, ""), // no values: the defaults
		"v=DMARC1; p=reject; pct=; aspf=":                   rec(r, r, 100, ""),
		// No policy, but somebody wants reports (6.6.3).
		"v=DMARC1; rua=mailto:r@example.com":             rec(n, n, 100, ""),
		"v=DMARC1; p=rejct; rua=nonsense, mailto:r@x":    rec(n, n, 100, ""),
		"v=DMARC1; p=reject; sp=some; rua=https://x/r!1": rec(n, n, 100, ""),
	} {
		if got, err := mailauth.ParseRecord(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "v=DMARC1", "v=DMARC1; ", "v=DMARC1; p", "v=DMARC1; p=", "v=DMARC1; p=rejct", "v=DMARC1; p=reject; sp=some", "v=DMARC1; p=some; rua=nonsense",
		"v=DMARC1; p=reject; p=none", "v=DMARC1; p=reject; v=DMARC1", "p=reject; v=DMARC1", "v=dmarc1; p=reject", "V=DMARC1; p=reject",
		"v=DMARC12; p=reject", "v=DMARC1 p=reject", " ; v=DMARC1; p=reject", "v=spf1 -all", "v=DMARC1; p=reject; =x", "v=DMARC1; p=reject; 1a=x",
	} {
		if got, err := mailauth.ParseRecord(text); !errors.Is(err, mailauth.ErrRecord) || got != (mailauth.Record{}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

// A record is read to a policy that can be applied, or not at all; what is said twice is not believed.
func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{
		"v=DMARC1; p=none", "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=s; pct=50", "v=DMARC1; rua=mailto:a@b!10m,https://x",
		"v=DMARC1;p=reject;;;", "v=DMARC1; p=reject; p=none", "v=DMARC1\t;\tp\t=\treject", "v=DMARC1; p=reject; pct=256", "v=DMARC1; rua=%zz:,://",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := mailauth.ParseRecord(s)
		if err != nil {
			if !errors.Is(err, mailauth.ErrRecord) || r != (mailauth.Record{}) {
				t.Errorf("%q: %+v, %v", s, r, err)
			}
			return
		}
		for _, d := range []mailauth.Disposition{r.Policy, r.Subdomains} {
			if d != mailauth.Nothing && d != mailauth.Quarantine && d != mailauth.Reject {
				t.Errorf("%q: %+v", s, r)
			}
		}
		if r.Percent < 0 || r.Percent > 100 {
			t.Errorf("%q: %d percent", s, r.Percent)
		}
		if again, err := mailauth.ParseRecord(s + "; p=none; p=none"); err == nil {
			t.Errorf("%q with p twice: %+v", s, again)
		}
	})
}

func ExampleParseRecord() {
	r, err := mailauth.ParseRecord("v=DMARC1; p=reject; sp=quarantine; aspf=s; rua=mailto:reports@firma.example")
	fmt.Println(r.Policy, r.Subdomains, r.StrictSPF, r.StrictDKIM, r.Percent, err)
	// Output: reject quarantine true false 100 <nil>
}
