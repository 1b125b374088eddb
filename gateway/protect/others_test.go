package protect

import (
	"bytes"
	"testing"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// Mail that is kept for others passes as it came, though a key of the company could open it, and without what is
// said to those inside; the company's own copy is opened. One copy for both, as a reload or an operator may bring about,
// is not.
func TestPrepareForOthers(t *testing.T) {
	b := newBench(t, nil)
	const alice, stranger = "alice@firma.example", "carol@backup.example"
	wire := b.fromBob(t, "")
	stored := "Authentication-Results: gw.firma.example; spf=pass\r\nX-Siegel-Origin: doubtful\r\n" + wire
	wire = "Authentication-Results: gw.firma.example; spf=pass\r\n" + wire
	for name, c := range map[string]struct {
		due    []int
		opened bool
	}{
		"for the company": {[]int{0}, true}, "for others": {[]int{1}, false}, "for both": {[]int{0, 1}, false},
	} {
		env := envelope(t, alice, stranger)
		env.Internal = false
		claim := queue.Claim{Message: queue.Message{Envelope: env, Size: int64(len(stored))}, Due: c.due}
		for _, r := range env.Recipients {
			claim.Message.Recipients = append(claim.Message.Recipients, queue.Recipient{Recipient: r})
		}
		parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(stored)}, claim)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, onePart(t, parts))
		release()
		if opened := bytes.Contains(got, []byte("we accept")); opened != c.opened || !opened && string(got) != wire {
			t.Errorf("%s: opened %v:\n%.500s", name, opened, got)
		}
	}
}
