package legacy_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/legacy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

func Example() {
	for _, id := range legacy.Suites() {
		fmt.Println(tlsnames.SuiteName(id))
	}
	// Output:
	// TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384
	// TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
	// TLS_RSA_WITH_AES_256_CBC_SHA256
}
