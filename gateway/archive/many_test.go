package archive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// A long list of visible recipients is read once, however many recipients the message has.
func TestManyRecipients(t *testing.T) {
	const n = 2000
	var list []string
	c := Copy{MessageID: "<copy@gw.firma.example>", Record: Record{ID: "copy", Direction: mail.Outgoing, Received: time.Unix(0, 0)}}
	for i := range n {
		a := fmt.Sprintf("user%d@partner.example", i)
		if list = append(list, a); i%2 == 0 {
			list[i] = fmt.Sprintf("other%d@partner.example", i)
		}
		c.Record.Recipients = append(c.Record.Recipients, Recipient{Address: address(t, a)})
	}
	c.Original = text("From: a@firma.example\r\nTo: " + strings.Join(list, ",\r\n ") + "\r\nCc: user1@partner.example\r\n\r\nhi\r\n")
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := c.Journal(); err != nil {
			t.Fatal(err)
		}
	})
	for i, to := range c.Record.Recipients {
		if want := []string{"Bcc", "To"}[i%2]; to.Field != want {
			t.Fatalf("%s stands in %s", to.Address, to.Field)
		}
	}
	if most := 200.0 * n; allocated > most { // n times n would be far more
		t.Errorf("%.0f allocations for %d recipients", allocated, n)
	}
}
