package delivery_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// Routes by domain: the first entry that matches is the way.
func ExampleTable() {
	patterns := func(s string) mail.Patterns {
		p, err := mail.ParsePattern(s)
		if err != nil {
			panic(err)
		}
		return mail.Patterns{p}
	}
	smarthost := transportFunc(func(context.Context, delivery.Attempt) []delivery.Result { return nil })
	routes := delivery.Table{
		{Match: patterns("@firma.example"), Route: delivery.Route{Name: "company", Transport: smarthost, Concurrency: 5}},
		{Match: patterns("@*.de-mail.example")}, // no transport: nothing goes there
		{Match: patterns("*"), Route: delivery.Route{Name: "internet", Transport: smarthost}},
	}
	for _, s := range []string{"alice@firma.example", "bob@partner.example", "carl@x.de-mail.example"} {
		a, err := mail.ParseAddress(s)
		if err != nil {
			panic(err)
		}
		name, err := routes.Destination(a)
		fmt.Println(name, errors.Is(err, delivery.ErrNoRoute))
	}
	// Output:
	// company false
	// internet false
	//  true
}
