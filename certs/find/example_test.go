package find_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/find"
)

// A directory that has nobody.
type empty struct{}

func (empty) Name() string { return "directory" }

func (empty) Certificates(context.Context, string) ([]*x509.Certificate, error) { return nil, nil }

func Example() {
	f, err := find.New(find.Options{
		Own:     &own{err: certs.ErrNotFound}, // the certificate store, say
		Sources: []find.Source{empty{}},
		Judge:   certs.NewValidator(nil, nil),
		Timeout: 2 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	defer f.Close()
	_, err = f.Recipient(context.Background(), "bob@partner.example", time.Now())
	fmt.Println(certs.Why(err, "bob@partner.example"))
	// Output: no certificate of bob@partner.example is known
}
