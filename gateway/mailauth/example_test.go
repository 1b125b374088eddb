package mailauth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
)

// records is DNS for the examples; a gateway uses that of internal/dns.
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

// One gateway signs a message and publishes its key, another one judges it.
func Example() {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: "firma.example", Selector: "gw1", Key: key})
	if err != nil {
		fmt.Println(err)
		return
	}
	var signed strings.Builder
	letter := content("From: alice@firma.example\r\nSubject: Hello\r\n\r\nHello Bob\r\n")
	if err := mailauth.Sign(context.Background(), &signed, letter, signer); err != nil {
		fmt.Println(err)
		return
	}

	name, text, _ := signer.Record()
	dns := records{
		name: text, "firma.example": "v=spf1 ip4:192.0.2.1 -all", "_dmarc.firma.example": "v=DMARC1; p=reject",
	}
	checker, err := mailauth.New(mailauth.Options{Resolver: dns})
	if err != nil {
		fmt.Println(err)
		return
	}
	env := mail.Envelope{ // it was forwarded, so SPF fails
		From:   mail.Address{Local: "alice", Domain: "firma.example"},
		Client: mail.Client{Addr: netip.MustParseAddr("198.51.100.1"), Helo: "forwarder.example"},
	}
	result, err := checker.Check(context.Background(), env, content(signed.String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("SPF", result.SPF.Status)
	fmt.Println("DKIM", result.DKIM[0].Status, "by", result.DKIM[0].Domain)
	fmt.Println("DMARC", result.DMARC.Status)
	fmt.Println("so do:", mailauth.DefaultPolicy().Decide(result).Disposition)
	// Output:
	// SPF fail
	// DKIM pass by firma.example
	// DMARC pass
	// so do: none
}
