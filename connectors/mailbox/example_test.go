package mailbox_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/mailbox"
	"github.com/siegel-mail/siegel/internal/secret"
)

func Example() {
	// Whoever calls brings up TLS: with a key on a card, a profile, roots of its own. Here the card is away.
	shake := func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
		return nil, tls.ConnectionState{}, errors.New("the card is away")
	}
	nobody := func(context.Context, string, string) (net.Conn, error) { a, _ := net.Pipe(); return a, nil }
	p, err := mailbox.New(mailbox.Options{
		Submission: mailbox.Server{Address: "smtp.provider.example:465", User: "firma", Password: secret.New("…"), Dial: nobody, TLS: shake},
		Retrieval:  mailbox.Server{Address: "imap.provider.example:993", User: "firma", Password: secret.New("…"), Dial: nobody, TLS: shake},
		Hello:      "gw.firma.example", Domains: []string{"firma.de-mail.de"}, Done: "Abgeholt",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = p.Domains(context.Background())
	fmt.Println(errors.Is(err, connectors.ErrUnavailable), err)
	// Output:
	// true connectors: the provider is not available: retrieval: the server cannot be reached
}
