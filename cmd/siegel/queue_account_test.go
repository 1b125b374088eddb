package main

import (
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// The list says by which account a De-Mail goes, and nothing of the kind of other mail.
func TestQueueListShowsTheAccount(t *testing.T) {
	var out strings.Builder
	m := admin.Message{ID: "06h1gn3bq4nu9qf5nae3", Recipients: []admin.Recipient{
		{Address: "amt@stadt.de-mail.de", Destination: "demail:telekom", State: queue.Queued},
		{Address: "bob@partner.example", Destination: "mx:partner.example", State: queue.Queued},
	}}
	if err := printList(&out, admin.List{Messages: []admin.Message{m}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "amt@stadt.de-mail.de (telekom)") || strings.Contains(got, "partner.example (") {
		t.Errorf("the list is\n%s", got)
	}
}
