package keyring_test

import (
	"crypto/tls"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/keyring"
)

func Example() {
	ring, err := keyring.New(keyring.Options{Name: "mx", Files: []keyring.File{{Certificate: "/etc/siegel/tls/mail.pem", Key: "/etc/siegel/tls/mail.key"}}})
	if err != nil {
		fmt.Println("the files are not there")
		return
	}
	_ = &tls.Config{GetCertificate: ring.Get}
	// Output: the files are not there
}
