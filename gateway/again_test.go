package gateway

import "testing"

// A destination stands for itself, and one that ends in a colon for all that begin with it.
func TestStands(t *testing.T) {
	all := []string{"exchange", "mx:", "protect:card:berlin"}
	for name, want := range map[string]bool{
		"exchange": true, "exchange2": false, "mx:partner.example": true, "protect:card:berlin": true, "protect:card:berlin2": false, "": false, "backup:x": false,
	} {
		if got := stands(all, name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
