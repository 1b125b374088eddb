package admin

import "testing"

func TestParseLogin(t *testing.T) {
	for text, want := range map[string]int{"1000": 1000, "0\n": 0, "4294967295": -1, "": -1, "-1": -1, "x": -1, "4294967296": -1} {
		if got := parseLogin(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
