package smtpclient_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// Sending one message to two recipients.
func Example() {
	send := func(ctx context.Context) error {
		c, err := smtpclient.Dial(ctx, "mx.partner.example:25", smtpclient.Options{
			Hello: "gw.firma.example", TLS: smtpclient.TLSVerified,
		})
		if err != nil {
			return err // nothing was sent: try later
		}
		defer c.Close()
		result, err := c.Send(ctx, smtpclient.Message{
			From:       "alice@firma.example",
			Recipients: []smtpclient.Recipient{{Address: "bob@partner.example"}, {Address: "carl@partner.example"}},
			Body:       strings.NewReader("Subject: Hello\r\n\r\nHello.\r\n"),
		})
		for i, reply := range result.Recipients {
			fmt.Println(i, reply.Positive(), reply.Temporary(), reply.Permanent(), reply)
		}
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(send(ctx))
	// Output: connecting: dial tcp: lookup mx.partner.example: operation was canceled
}
