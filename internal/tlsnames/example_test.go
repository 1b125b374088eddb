package tlsnames_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/internal/tlsnames"
)

func Example() {
	id, err := tlsnames.ParseSuite("ECDHE-RSA-AES256-SHA384")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("0x%04X %s\n", id, tlsnames.SuiteName(id))
	group, _ := tlsnames.ParseGroup("secp521r1")
	fmt.Println(tlsnames.GroupName(group))
	fmt.Println(tlsnames.AlertSentence(116))
	// Output:
	// 0xC028 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384
	// P-521
	// It demands a client certificate and got none.
}
