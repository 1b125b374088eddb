package origin_test

import (
	"context"
	"fmt"
	"net"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/status"
)

// records is DNS for the example.
type records map[string]string

func (r records) LookupTXT(_ context.Context, name string) ([]string, error) {
	if text, ok := r[name]; ok {
		return []string{text}, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (r records) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (r records) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (r records) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

// Somebody writes in the name of a bank that wants such mail refused.
func Example() {
	judge, err := origin.New(origin.Options{
		Resolver: records{"_dmarc.bank.example": "v=DMARC1; p=reject"},
		Hostname: "mail.firma.example", Policy: mailauth.DefaultPolicy(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	forged := content("From: service@bank.example\r\n\r\nYour account\r\n")
	_, err = judge.Admit(context.Background(), mail.Envelope{}, forged)
	fmt.Println(status.For(err).Code, status.For(err).Status())
	// Output: 550 5.7.26
}
