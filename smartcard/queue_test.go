package smartcard

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// Who comes first goes first, who gives up is passed over, and no more wait than may.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{most: 3}
		if err := q.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var order []int
		for i, c := range []context.Context{t.Context(), ctx, t.Context()} {
			go func() {
				if err := q.enter(c); err != nil {
					order = append(order, -i)
					return
				}
				order = append(order, i)
				q.leave()
			}()
			synctest.Wait()
		}
		if err := q.enter(t.Context()); !errors.Is(err, ErrBusy) || q.length() != 3 {
			t.Error(err, q.length())
		}
		cancel()
		synctest.Wait()
		q.leave()
		synctest.Wait()
		if len(order) != 3 || order[0] != -1 || order[1] != 0 || order[2] != 2 || q.held {
			t.Error(order, q.held)
		}
		if err := q.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// A channel sends no PIN but for the policy.
func TestChannelRefusesPINs(t *testing.T) {
	ch := &Channel{ctx: t.Context(), link: gone{}}
	for _, ins := range []byte{0x20, 0x24, 0x2C} {
		if _, err := ch.Send(apdu.Command{INS: ins, Data: []byte("123456")}); err == nil || !strings.Contains(err.Error(), "only the PIN policy") || strings.Contains(err.Error(), "123456") {
			t.Error(err)
		}
	}
}
