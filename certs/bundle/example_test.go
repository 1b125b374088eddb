package bundle_test

import (
	"crypto/x509"
	"fmt"

	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/certs/democa"
)

// A bundle of certificates is written as Windows has it, and read whatever its form is.
func ExampleRead() {
	ca, err := democa.NewCA(now)
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := bundle.PKCS7([]*x509.Certificate{ca.Certificate()})
	if err != nil {
		fmt.Println(err)
		return
	}
	contents, err := bundle.Read(file, bundle.Options{})
	fmt.Println(len(contents.Certificates), len(contents.Keys), err)
	// Output: 1 0 <nil>
}
