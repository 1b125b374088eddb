package dispatch_test

import (
	"context"
	"fmt"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/mail"
)

func Example() {
	desk, err := dispatch.New(dispatch.Options{
		Accounts: []dispatch.Account{{
			Name: "main", Domains: []string{"firma.de-mail.de"}, Level: demail.LevelHigh, Entitled: demail.Options{Dispatch: true, Receipt: true},
		}},
		Senders: []dispatch.Sender{{
			Name: "sales", From: mail.Patterns{{}}, Account: "main", Address: "{local}@firma.de-mail.de", May: demail.Options{Dispatch: true},
		}},
	})
	if err != nil {
		panic(err)
	}
	request := dispatch.Request{
		From: mail.Address{Local: "Erika", Domain: "firma.example"}, Authorised: true,
		Recipients: []mail.Address{{Local: "amt", Domain: "stadt.de-mail.de"}}, Asked: demail.Options{Dispatch: true},
	}
	fmt.Println(desk.IsDeMail("stadt.de-mail.de"))
	fmt.Println(desk.Decide(context.Background(), request))
	request.Asked.Receipt = true
	_, err = desk.Decide(context.Background(), request)
	fmt.Println(err)
	// Output:
	// true
	// De-Mail by account main as erika@firma.de-mail.de, with dispatch, by sender sales <nil>
	// The message to amt@stadt.de-mail.de was not sent: Erika@firma.example may not ask for receipt. Leave that out, or ask for permission. Help: your administrator.
}
