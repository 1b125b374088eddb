package smtpin_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	smtp "github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// printer is a handler that shows what it gets. A real one puts it into a queue first.
type printer struct{}

func (printer) Accept(_ context.Context, env mail.Envelope, content mail.Content) error {
	fmt.Println("from", env.From, "to", env.Recipients[0].Address)
	return nil
}

func Example() {
	dir, _ := os.MkdirTemp("", "spool")
	defer os.RemoveAll(dir)
	spool, _ := atrest.NewSpool(dir, atrest.NewKey(), 0)
	ours, _ := mail.ParsePatterns("@firma.example")
	server, err := smtpin.New(smtpin.Options{
		Hostname:  "mx.firma.example",
		Local:     ours,
		Listeners: []smtpin.Listener{{Name: "internet", Address: "127.0.0.1:0", Role: smtpin.External}},
		Handler:   printer{},
		Spool:     spool,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server.Listen()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx) }()

	client, err := smtp.Dial(server.Addr("internet").String())
	if err != nil {
		panic(err)
	}
	message := strings.NewReader("Subject: hello\r\n\r\nHello.\r\n")
	fmt.Println(client.SendMail("bob@partner.example", []string{"alice@firma.example"}, message))
	fmt.Println(client.SendMail("bob@partner.example", []string{"x@elsewhere.example"}, message))
	client.Close()
	stop()
	<-done
	// Output:
	// from bob@partner.example to alice@firma.example
	// <nil>
	// SMTP error 550: Relaying denied: x@elsewhere.example is not a recipient here. Check the address, or send it through your own mail server.
}
