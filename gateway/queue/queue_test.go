package queue_test

import (
	"testing"

	"github.com/siegel-mail/siegel/gateway/queue"
)

func TestFinal(t *testing.T) {
	for state, want := range map[queue.State]bool{
		queue.Queued: false, queue.Held: false, "": false, queue.Delivered: true, queue.Failed: true, queue.Dropped: true,
	} {
		if state.Final() != want {
			t.Errorf("%q is final: %v", state, !want)
		}
	}
}
