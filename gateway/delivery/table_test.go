package delivery

import (
	"context"
	"errors"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// A route per domain is a destination for each domain, with the same transport and limits.
func TestTablePerDomain(t *testing.T) {
	hop := transportFunc(func(context.Context, Attempt) []Result { return nil })
	pattern := func(s string) mail.Patterns {
		p, err := mail.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		return mail.Patterns{p}
	}
	table := Table{
		{Match: pattern("@firma.example"), Route: Route{Name: "company", Transport: hop}},
		{Match: pattern("@nowhere.example"), Route: Route{Name: "nowhere"}, PerDomain: "mx:"},
		{Match: pattern("*"), Route: Route{Name: "internet", Transport: hop, Concurrency: 7}, PerDomain: "mx:"},
	}
	for to, want := range map[string]string{
		"a@firma.example": "company", "a@Partner.example": "mx:partner.example", "b@sub.partner.example": "mx:sub.partner.example",
		"a@[192.0.2.1]": "mx:[192.0.2.1]", "a@nowhere.example": "",
	} {
		name, err := table.Destination(address(t, to))
		if name != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, ErrNoRoute) {
			t.Errorf("%s: %q, %v", to, name, err)
		}
	}
	if r, err := table.Route(address(t, "a@partner.example")); err != nil || r.Concurrency != 7 || !r.PerDomain || table[2].Route.Name != "internet" {
		t.Errorf("%+v, %v; the table holds %q", r, err, table[2].Route.Name)
	}
}

type transportFunc func(context.Context, Attempt) []Result

// Deliver calls f.
func (f transportFunc) Deliver(ctx context.Context, a Attempt) []Result { return f(ctx, a) }
