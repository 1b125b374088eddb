package sqlqueue_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := sqlqueue.Open(ctx, sqlqueue.Options{Dir: dir, Key: atrest.NewKey()})
	if err != nil {
		panic(err)
	}
	defer store.Close()

	entry := queuetest.Entry(time.Now(), queuetest.Bytes("Subject: hello\r\n\r\n"), "smarthost")
	fmt.Println("put:", store.Put(ctx, []queue.New{entry})) // nil: it is on stable storage

	claims, err := store.Claim(ctx, "smarthost", time.Now(), 10*time.Minute, 20)
	if err != nil {
		panic(err)
	}
	for _, c := range claims {
		fmt.Println("to:", c.Message.Recipients[0].Address)
		delivered := queue.Outcome{Index: c.Due[0], State: queue.Delivered, Reply: "250 2.0.0 ok"}
		fmt.Println("settled:", store.Settle(ctx, c, []queue.Outcome{delivered}, nil))
	}
	// Output:
	// put: <nil>
	// to: bob0@partner.example
	// settled: <nil>
}
