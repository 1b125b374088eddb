package exchange_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/smime/entity"
)

const ours = "6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"

func tenant(t testing.TB) exchange.Tenant {
	t.Helper()
	id, err := exchange.ParseTenant(ours)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func header(t testing.TB, text string) entity.Header {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParseTenant(t *testing.T) {
	if upper, err := exchange.ParseTenant(strings.ToUpper(ours)); err != nil || upper != tenant(t) || upper.String() != ours {
		t.Errorf("%v, %v", upper, err)
	}
	for s, want := range map[string]error{
		"": exchange.ErrTenant, "firma.onmicrosoft.com": exchange.ErrTenant, "{" + ours + "}": exchange.ErrTenant, " " + ours: exchange.ErrTenant,
		strings.ReplaceAll(ours, "-", ""):             exchange.ErrTenant,
		strings.Replace(ours, "6", "g", 1):            exchange.ErrTenant,
		strings.Replace(ours, "-", "0", 1):            exchange.ErrTenant,
		"84DF9E7F-e9f6-40af-b435-aaaaaaaaaaaa":        exchange.ErrConsumers,
		"6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b\u0000":  exchange.ErrTenant,
		"６f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b"[:36+2]: exchange.ErrTenant,
	} {
		if id, err := exchange.ParseTenant(s); !errors.Is(err, want) || !id.IsZero() {
			t.Errorf("%q: %v, %v", s, id, err)
		}
	}
}

// Every way in which a message of somebody else might look like one of ours.
func TestCheck(t *testing.T) {
	const name, other = exchange.TenantField, "11111111-2222-3333-4444-555555555555"
	for text, want := range map[string]error{
		name + ": " + ours + "\r\n":                               nil,
		strings.ToUpper(name + ": " + ours + "\r\n"):              nil,
		name + ":" + ours + "\r\n":                                nil,
		name + ": " + ours + "  \r\n":                             nil,
		name + ": " + other + "\r\n":                              exchange.ErrOtherTenant,
		"":                                                        exchange.ErrNoTenant,
		"X-" + name + ": " + ours + "\r\n":                        exchange.ErrNoTenant,
		name + "-2: " + ours + "\r\n":                             exchange.ErrNoTenant,
		"Subject: a\r\n " + name + ": " + ours + "\r\n":           exchange.ErrNoTenant,
		"From: a@b\r\n\r\n" + name + ": " + ours + "\r\n":         exchange.ErrNoTenant,
		"no field\r\n" + name + ": " + ours + "\r\n":              exchange.ErrNoTenant,
		name + ": " + ours + "\r\n" + name + ": " + ours + "\r\n": exchange.ErrUnsure,
		name + ": " + ours + "\r\n" + strings.ToLower(name) + ": " + other + "\r\n":    exchange.ErrUnsure,
		name + ": " + other + "\r\nA: b\r\n" + name + ": " + ours + "\r\n":             exchange.ErrUnsure,
		name + ":\r\n " + ours + "\r\n":                                                exchange.ErrUnsure,
		name + ": " + ours + "\r\n " + other + "\r\n":                                  exchange.ErrUnsure,
		name + ": " + ours + "\r\n \r\n":                                               exchange.ErrUnsure,
		name + " : " + ours + "\r\n":                                                   exchange.ErrUnsure,
		name + ": " + ours + " (" + other + ")\r\n":                                    exchange.ErrUnsure,
		name + ": (ours) " + ours + "\r\n":                                             exchange.ErrUnsure,
		name + ": " + ours + "," + other + "\r\n":                                      exchange.ErrUnsure,
		name + ": \"" + ours + "\"\r\n":                                                exchange.ErrUnsure,
		name + ": {" + ours + "}\r\n":                                                  exchange.ErrUnsure,
		name + ": =?us-ascii?q?" + ours + "?=\r\n":                                     exchange.ErrUnsure,
		name + ":\t" + ours + "\r\n":                                                   exchange.ErrUnsure,
		name + ": " + ours + "\n":                                                      exchange.ErrUnsure,
		name + ":\r\n":                                                                 exchange.ErrUnsure,
		name + ": " + strings.ReplaceAll(ours, "-", "\u2010") + "\r\n":                 exchange.ErrUnsure,
		name + ": " + other + "\r\nContent-Type: text/plain;\r\n " + name + "=" + ours: exchange.ErrOtherTenant,
	} {
		if err := tenant(t).Check(header(t, text)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if err := (exchange.Tenant{}).Check(header(t, name+": "+ours+"\r\n")); !errors.Is(err, exchange.ErrOtherTenant) {
		t.Errorf("a message is of no tenant: %v", err)
	}
}

func TestFromInside(t *testing.T) {
	const auth, where = "X-MS-Exchange-CrossTenant-AuthAs: ", "X-MS-Exchange-CrossTenant-FromEntityHeader: "
	for text, want := range map[string]bool{
		auth + "Internal\r\n":                              true,
		auth + "INTERNAL\r\n" + where + "Hosted\r\n":       true,
		auth + "Internal\r\n" + where + "HybridOnPrem\r\n": true,
		"":                     false,
		where + "Hosted\r\n":   false,
		auth + "Anonymous\r\n": false,
		auth + "Partner\r\n":   false,
		auth + "Internal\r\n" + auth + "Anonymous\r\n":                        false,
		auth + "Internal\r\n" + auth + "Internal\r\n":                         false,
		auth + "Internal (really)\r\n":                                        false,
		auth + "\r\n Internal\r\n":                                            false,
		auth + "Internal\r\n" + where + "Internet\r\n":                        false,
		auth + "Internal\r\n" + where + "\r\n internet\r\n":                   false,
		auth + "Internal\r\n" + where + "Hosted\r\n" + where + "Internet\r\n": false,
	} {
		if got := exchange.FromInside(header(t, text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestAuthor(t *testing.T) {
	for text, want := range map[string]string{
		"From: Alice <Alice@Firma.example>\r\n":                                            "Alice@firma.example",
		"from: alice@firma.example (at: work; now)\r\n":                                    "alice@firma.example",
		"From: \"a: b; <eve@x.example>\" <alice@firma.example>\r\nSender: e@x.example\r\n": "alice@firma.example",
		"From: =?x-none?q?A?= <alice@firma.example>\r\nResent-From: e@x.example\r\n":       "alice@firma.example",
		"": "",
		"From: alice@firma.example\r\nFrom: alice@firma.example\r\n": "",
		"From: alice@firma.example, eve@x.example\r\n":               "",
		"From: team: alice@firma.example;\r\n":                       "",
		"From: team:;\r\n":                                           "",
		"From: \"q\" team: <alice@firma.example>;\r\n":               "",
		"From: <alice@firma.example> <eve@x.example>\r\n":            "",
		"From: alice\r\n":                                            "",
		"From: <>\r\n":                                               "",
		"From: \"a@b\"@firma.example\r\n":                            "",
		"From: <@x.example:alice@firma.example>\r\n":                 "",
		"From: alice@firma.example\\\r\n":                            "",
	} {
		got, err := exchange.Author(header(t, text))
		if (err == nil) != (want != "") || err == nil && got.String() != want || err != nil && !errors.Is(err, exchange.ErrAuthor) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// Whatever a header holds: a tenant that is found stands there on one line of its own, and once.
func FuzzCheck(f *testing.F) {
	f.Add(exchange.TenantField + ": " + ours + "\r\n")
	f.Add("From: a\r\n" + exchange.TenantField + " : " + ours + "\r\n folded\r\n")
	f.Add("From: team: a@b;\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, _, err := entity.Read(strings.NewReader(text), 0)
		if err != nil {
			return
		}
		if a, err := exchange.Author(h); err == nil && (a.IsNull() || len(h.Values("From")) != 1) {
			t.Errorf("author %q of %q", a, text)
		}
		if tenant(t).Check(h) != nil {
			return
		}
		lines := 0
		for line := range strings.SplitSeq(text, "\r\n") {
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, exchange.TenantField) && strings.EqualFold(strings.Trim(value, " "), ours) {
				lines++
			}
		}
		if lines == 0 || len(h.Values(exchange.TenantField)) != 1 {
			t.Errorf("%q is taken for ours", text)
		}
	})
}

func ExampleTenant_Check() {
	id, _ := exchange.ParseTenant("6F1A2B3C-0D4E-4F56-8A9B-0C1D2E3F4A5B")
	for _, text := range []string{
		"X-MS-Exchange-CrossTenant-Id: 6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b\r\n\r\n",
		"X-MS-Exchange-CrossTenant-Id: 11111111-2222-3333-4444-555555555555\r\n\r\n",
	} {
		h, _, _ := entity.Read(strings.NewReader(text), 0)
		fmt.Println(id.Check(h))
	}
	// Output:
	// <nil>
	// exchange: the message is of another tenant
}
