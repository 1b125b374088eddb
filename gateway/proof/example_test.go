package proof_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// A message is in the record before it is submitted; a process that finds it there asks the provider first.
func ExampleStore_Begin() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := proof.Open(ctx, proof.Options{Dir: filepath.Join(dir, "demail"), Key: atrest.NewKey()})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	sender, _ := demail.ParseAddress("kontakt@firma.de-mail.de")
	to, _ := demail.ParseAddress("amt@stadt.de-mail.de")
	m := proof.Submission{Key: "0v8g", Account: "main", Sender: sender, Recipients: demail.Recipients{To: []demail.Mailbox{{Address: to}}},
		Content: content("Subject: Antrag\r\n\r\nGuten Tag.\r\n")}
	for range 2 { // the second time stands for another process
		before, err := s.Begin(ctx, m)
		fmt.Printf("%q %v\n", before, err)
	}
	fmt.Println(s.Settle(ctx, m.Key, proof.Result{State: proof.Taken, Receipt: connectors.Receipt{ID: "4711"}}))
	// Output:
	// "" <nil>
	// "trying" <nil>
	// <nil>
}
