package mtasts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

const good = "version: STSv1\nmode: enforce\nmx: mx.partner.example\nmx: *.Mail.Partner.example\nmax_age: 604800\n"

func TestParse(t *testing.T) {
	p, err := mtasts.Parse(good)
	if err != nil || p.Mode != mtasts.Enforce || p.MaxAge != 7*24*time.Hour || !slices.Equal(p.MX, []string{"mx.partner.example", "*.mail.partner.example"}) || p.Text != good {
		t.Fatalf("%+v, %v", p, err)
	}
	if lines := p.Lines(); len(lines) != 5 || lines[0] != "version: STSv1" {
		t.Errorf("%q", lines)
	}
	for _, text := range []string{
		strings.ReplaceAll(good, "\n", "\r\n"), strings.TrimSuffix(good, "\n"), good + "\n\r\n", strings.ReplaceAll(good, ": ", ":"),
		strings.ReplaceAll(good, "\n", " \t\n"), good + "mode: none\nversion: STSv9\nmax_age: x\n", "future_field: with words — and more\n" + good,
		strings.ReplaceAll(good, "mx.partner.example", "MX.partner.example"),
	} {
		q, err := mtasts.Parse(text)
		if err != nil || q.Mode != p.Mode || q.MaxAge != p.MaxAge || !slices.Equal(q.MX, p.MX) {
			t.Errorf("%q: %+v, %v", text, q, err)
		}
	}
	if p, err := mtasts.Parse("version: STSv1\nmode: none\nmax_age: 9999999999\n"); err != nil || p.Mode != mtasts.None || p.MaxAge != mtasts.MaxAge {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := mtasts.Parse(strings.ReplaceAll(good, "mx.partner.example", "mx.bücher.example")); err != nil || p.MX[0] != "mx.xn--bcher-kva.example" {
		t.Errorf("%+v, %v", p, err)
	}
}

// What is wrong makes the whole policy wrong, with a reason that its administrator understands.
func TestParseInvalid(t *testing.T) {
	without := func(name string) string {
		return strings.Join(slices.DeleteFunc(strings.SplitAfter(good, "\n"), func(l string) bool { return strings.HasPrefix(l, name) }), "")
	}
	for text, why := range map[string]string{
		"": "no field", "\n\n" + good: "no field", "<html>\n" + good: "no field", strings.Replace(good, "mode:", "mode :", 1): "no field",
		without("version"): "no version", without("mode"): "no mode", without("max_age"): "no max_age", without("mx"): "names no mx",
		strings.Replace(good, "STSv1", "STSv2", 1):                            "version",
		strings.Replace(good, "enforce", "Enforce", 1):                        "mode",
		strings.Replace(good, "604800", "-1", 1):                              "max_age",
		strings.Replace(good, "604800", "+1", 1):                              "max_age",
		strings.Replace(good, "604800", "00000000001", 1):                     "max_age",
		strings.Replace(good, "604800", "7d", 1):                              "max_age",
		strings.Replace(good, "604800", "", 1):                                "empty",
		strings.Replace(good, "mx.partner.example", "*", 1):                   "mx",
		strings.Replace(good, "mx.partner.example", "*.*.example", 1):         "mx",
		strings.Replace(good, "mx.partner.example", "mx*.example", 1):         "mx",
		strings.Replace(good, "mx.partner.example", "a.*.example", 1):         "mx",
		strings.Replace(good, "mx.partner.example", "192.0.2.1", 1):           "mx",
		strings.Replace(good, "mx.partner.example", "mx.partner.example.", 1): "mx",
		strings.Replace(good, "mx.partner.example", ".partner.example", 1):    "mx",
		strings.Replace(good, "mx.partner.example", "a\rb", 1):                "must not",
		strings.Replace(good, "mx.partner.example", "a\x00b", 1):              "must not",
		strings.Replace(good, "mx.partner.example", "a\xffb", 1):              "must not",
		strings.Repeat("x", 33) + ": y\n" + good:                              "no field",
		good + strings.Repeat("a: b\n", mtasts.MaxSize/5):                     "larger",
		good + strings.Repeat("mx: a.example\n", 1000):                        "1000 mx",
	} {
		_, err := mtasts.Parse(text)
		if !errors.Is(err, mtasts.ErrInvalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.80q: %v, wanted %q", text, err, why)
		}
	}
}

// RFC 8461, 4.1: the star is one label, the first, and nothing else.
func TestMatches(t *testing.T) {
	p, err := mtasts.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"mx.partner.example": true, "MX.Partner.Example.": true, "a.mail.partner.example": true, "A.MAIL.partner.example": true,
		"mail.partner.example": false, "a.b.mail.partner.example": false, "partner.example": false, "mx2.partner.example": false,
		"xmail.partner.example": false, "": false, "*.mail.partner.example": false, "..": false, "mx.partner.example.evil.example": false, "192.0.2.1": false,
	} {
		if p.Matches(host) != want {
			t.Errorf("%q: %t", host, !want)
		}
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		texts  []string
		id     string
		broken bool
	}{
		{[]string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z", false},
		{[]string{"v=STSv1;id=1"}, "1", false},
		{[]string{"v=STSv1 ; id=1 ; x-y.z=1:!~ ; "}, "1", false},
		{[]string{"v=STSv1; a=b; id=1; id=2"}, "1", false},
		{[]string{"v=spf1 -all", "v=STSv1; id=1", "v=STSv2; id=2", "v=STSv1", "V=STSv1; id=3"}, "1", false},
		{nil, "", false},
		{[]string{"hello"}, "", false},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=2"}, "", true},
		{[]string{"v=STSv1;"}, "", true},
		{[]string{"v=STSv1; "}, "", true},
		{[]string{"v=STSv1; id="}, "", true},
		{[]string{"v=STSv1; ID=1"}, "", true},
		{[]string{"v=STSv1; id=a-b"}, "", true},
		{[]string{"v=STSv1; id=é"}, "", true},
		{[]string{"v=STSv1; id=1;; a=b"}, "", true},
		{[]string{"v=STSv1; id=1 2"}, "", true},
		{[]string{"v=STSv1; id=" + strings.Repeat("1", 33)}, "", true},
	} {
		id, err := mtasts.ParseRecord(c.texts)
		if id != c.id || (err != nil) != c.broken || err != nil && !errors.Is(err, mtasts.ErrRecord) {
			t.Errorf("%q: %q, %v", c.texts, id, err)
		}
	}
}

func ExampleParse() {
	p, err := mtasts.Parse("version: STSv1\nmode: enforce\nmx: *.partner.example\nmax_age: 86400\n")
	fmt.Println(p.Mode, p.MX, p.MaxAge, err)
	fmt.Println(p.Matches("mx1.partner.example"), p.Matches("partner.example"), p.Matches("mx.evil.example"))
	// Output:
	// enforce [*.partner.example] 24h0m0s <nil>
	// true false false
}

// Whatever a policy host serves: what is read stays within bounds and says the same when it is read again.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("version: STSv1\r\nmode: none\r\nmax_age: 1\r\n")
	f.Add("version: STSv1\nmode: testing\nmx: *.a.b\nmax_age: 99999999999\nmx:")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := mtasts.Parse(text)
		if err != nil {
			if !errors.Is(err, mtasts.ErrInvalid) || len(err.Error()) > 1000 {
				t.Errorf("%v", err)
			}
			return
		}
		if p.MaxAge < 0 || p.MaxAge > mtasts.MaxAge || p.Mode != mtasts.None && len(p.MX) == 0 {
			t.Errorf("%+v", p)
		}
		again, err := mtasts.Parse(strings.Join(p.Lines(), "\r\n"))
		if err != nil || again.Mode != p.Mode || !slices.Equal(again.MX, p.MX) || again.MaxAge != p.MaxAge {
			t.Errorf("%+v, %v", again, err)
		}
		for _, pattern := range p.MX {
			if host := strings.Replace(pattern, "*", "any", 1); !p.Matches(host) && len(host) < 250 {
				t.Errorf("%q does not match %q", pattern, host)
			}
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add("v=STSv1; id=1;", "v=STSv1; id=2")
	f.Add("v=STSv1;id=a;x=y", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		id, err := mtasts.ParseRecord([]string{a, b})
		if len(id) > 32 || err != nil && id != "" || err != nil && !errors.Is(err, mtasts.ErrRecord) {
			t.Errorf("%q, %v", id, err)
		}
	})
}
