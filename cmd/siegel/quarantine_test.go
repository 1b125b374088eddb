package main

import (
	"fmt"
	"testing"
)

// A decision that names many recipients is made in portions that the gateway takes, and leaves nobody out.
func TestPortions(t *testing.T) {
	for _, n := range []int{0, 1, mostNamed, mostNamed + 1, 3*mostNamed + 7} {
		to := make([]string, n)
		for i := range to {
			to[i] = fmt.Sprintf("r%d@firma.example", i)
		}
		var got []string
		for _, d := range portions([]decision{{"06a", to}}) {
			if d.id != "06a" || len(d.to) > mostNamed {
				t.Errorf("of %d: %d for %s", n, len(d.to), d.id)
			}
			got = append(got, d.to...)
		}
		if fmt.Sprint(got) != fmt.Sprint(to) {
			t.Errorf("of %d: %d", n, len(got))
		}
	}
}
