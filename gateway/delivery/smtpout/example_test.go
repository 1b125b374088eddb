package smtpout_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// A smarthost with a second one to fall back on, never without a trusted certificate.
func ExampleNew() {
	transport, err := smtpout.New(smtpout.Options{
		Hosts: []string{"mx1.provider.example:587", "mx2.provider.example:587"},
		Hello: "gw.firma.example",
		TLS:   smtpout.Security{Level: smtpout.Verified},
		Auth:  &smtpclient.Auth{User: "gw", Password: func() string { return "read from a file" }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer transport.Close()
	fmt.Println("ready")
	// Output: ready
}
