package dane_test

import (
	"context"
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/internal/dns"
)

// What a client does before and after the handshake with a mail server.
func Example() {
	resolver := given{{Usage: dane.UsageEE, Selector: dane.SelectorSPKI, MatchingType: dane.MatchSHA2_256, Data: make([]byte, 32)}}
	policy, err := dane.Find(context.Background(), resolver, dane.Target{
		Host: "mx.partner.example", Port: 25, Secure: true, SecureAddresses: true, Domain: "partner.example", Owner: "partner.example",
	})
	switch {
	case err != nil:
		fmt.Println("do not talk to this host now")
	case policy == nil:
		fmt.Println("DANE says nothing")
	case policy.Authenticates():
		fmt.Println("TLS with the name", policy.Base)
	default:
		fmt.Println("TLS with any certificate")
	}
	_, err = policy.Verify(nil, time.Now()) // the chain of the handshake
	fmt.Println(err)
	fmt.Println(dane.Text(dns.TLSA{Usage: 3, Selector: 1, MatchingType: 1, Data: []byte{0xe3, 0xb0}}))
	// Output:
	// TLS with the name mx.partner.example
	// DANE: mx.partner.example: the server showed no certificate; its administrator must bring certificate and TLSA records together
	// 3 1 1 e3b0
}
