package sqlqueue

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
)

func entries(size int, ids ...string) []entry {
	var out []entry
	for _, id := range ids {
		out = append(out, entry{id: id, plain: bytes.Repeat([]byte(id[:1]), size)})
	}
	return out
}

func (r *recent) has(id mail.ID) bool {
	_, known := r.content(id)
	return known
}

func TestRecent(t *testing.T) {
	r := newRecent(100)
	r.learn(entries(40, "a", "b"))
	if plain, known := r.content("a"); !known || !bytes.Equal(plain, bytes.Repeat([]byte("a"), 40)) {
		t.Errorf("a: %q", plain)
	}
	r.learn(entries(40, "c"))
	if r.has("a") || !r.has("b") || !r.has("c") {
		t.Error("the oldest is to go where there is too much, and nothing else")
	}
	r.forget("b")
	r.learn(entries(60, "d"))
	if r.has("b") || !r.has("c") || !r.has("d") || r.bytes != 100 {
		t.Errorf("what is forgotten makes room: %d bytes", r.bytes)
	}
}

func TestRecentLeavesOut(t *testing.T) {
	r := newRecent(100)
	r.learn(entries(101, "large"))
	r.learn([]entry{{id: "filed", file: "name"}})
	if r.has("large") || r.has("filed") || r.bytes != 0 {
		t.Errorf("%d bytes", r.bytes)
	}
	r.forget("unknown")
	if r.bytes != 0 {
		t.Errorf("%d bytes after forgetting what was never there", r.bytes)
	}
}

// What is put and soon forgotten, a day long, leaves nothing behind.
func TestRecentIsBounded(t *testing.T) {
	r := newRecent(1000)
	for i := range 10_000 {
		id := fmt.Sprintf("id%d", i)
		r.learn(entries(1, id))
		r.forget(mail.ID(id))
		r.learn(entries(1, id)) // put under the same id anew
		r.forget(mail.ID(id))
	}
	if r.bytes != 0 || len(r.byID) != 0 || len(r.order) > 100 {
		t.Errorf("%d bytes, %d contents, an order of %d", r.bytes, len(r.byID), len(r.order))
	}
}
