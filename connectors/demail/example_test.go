package demail_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
)

func Example() {
	const message = "From: erika.mustermann@dmda-a.de-mail.de\r\n" +
		"Subject: Hallo\r\n" +
		"x-de-mail-message-type: normal\r\n" +
		"x-de-mail-sender: Erika.Mustermann@dmda-a.de-mail.de\r\n" +
		"x-de-mail-auth-level: high\r\n" +
		"x-de-mail-confirmation-of-receipt: yes\r\n" +
		"\r\n" +
		"Guten Tag\r\n"
	r := bufio.NewReader(strings.NewReader(message))
	header, err := demail.ReadHeader(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	metadata, err := demail.ParseMetadata(header)
	if err != nil {
		fmt.Println(err)
		return
	}
	var v demail.Verifier // one without a Trust believes nobody
	result, err := v.Message(context.Background(), header, r)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(metadata.Sender, metadata.Level, metadata.Receipt)
	fmt.Println(result.State, result.Trusted())
	// Output:
	// erika.mustermann@dmda-a.de-mail.de high true
	// missing false
}

func ExampleSealer_Seal() {
	header := demail.NewHeader(demail.Field{Name: "Subject", Raw: []byte("Subject: Hallo\r\n")})
	sealed, err := demail.Sealer{}.Seal(header, strings.NewReader("Guten Tag\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var v demail.Verifier
	result, err := v.Message(context.Background(), sealed, strings.NewReader("Guten Tag\r\n"))
	fmt.Println(result.State, err)
	result, err = v.Message(context.Background(), sealed, strings.NewReader("Gute Nacht\r\n"))
	fmt.Println(result.State, err)
	// Output:
	// hashed <nil>
	// broken <nil>
}

func ExampleDomains_Has() {
	domains, err := demail.NewDomains("dmda-a.example")
	fmt.Println(domains.Has("Stadt.De-Mail.de"), domains.Has("firma.dmda-a.example"), domains.Has("firma.example"), err)
	// Output: true true false <nil>
}
