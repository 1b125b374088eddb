package report_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/report"
)

// Telling a sender that a recipient does not exist.
func ExampleNew() {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	original := report.Original{
		Envelope: mail.Envelope{From: mail.Address{Local: "alice", Domain: "firma.example"}, Received: now},
		Header:   []byte("Subject: Offer\r\n"),
	}
	bob := mail.Recipient{Address: mail.Address{Local: "bob", Domain: "partner.example"}}
	if !report.Wanted(original.Envelope.From, bob, report.Failed) {
		return
	}
	envelope, content := report.New(nil, now, "gw.firma.example", original, []report.Recipient{{
		Recipient: bob, Action: report.Failed, Status: "5.1.1", Diagnostic: "550 5.1.1 no such user", Remote: true, Host: "mx.partner.example:25",
	}})
	fmt.Printf("from <%s> to <%s>\n", envelope.From, envelope.Recipients[0].Address)
	_, status, _ := strings.Cut(string(content), "Final-Recipient")
	fmt.Print(strings.ReplaceAll(status[:strings.Index(status, "\r\n\r\n")], "\r", ""))
	// Output:
	// from <> to <alice@firma.example>
	// : rfc822; bob@partner.example
	// Action: failed
	// Status: 5.1.1
	// Remote-MTA: dns; mx.partner.example
	// Diagnostic-Code: smtp; 550 5.1.1 no such user
}
