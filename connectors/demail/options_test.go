package demail

import (
	"strings"
	"testing"
)

func TestOptionWords(t *testing.T) {
	all := Options{Dispatch: true, Receipt: true, Retrieve: true, Authoritative: true, Private: true}
	if got := strings.Join(all.Names(), " "); got != "dispatch receipt retrieve authoritative private" {
		t.Error(got)
	}
	var sum Options
	for _, name := range all.Names() {
		o, ok := ParseOption(strings.ToUpper(name))
		if got := o.Names(); !ok || len(got) != 1 || got[0] != name {
			t.Errorf("%s: %v", name, got)
		}
		if o.Without(o) != (Options{}) || all.Without(o) == all || all.Without(o).Or(o) != all {
			t.Errorf("%s: %v", name, all.Without(o))
		}
		sum = sum.Or(o)
	}
	if sum != all || (Options{}).Names() != nil {
		t.Errorf("%v", sum)
	}
	for _, word := range []string{"", "yes", "dispatch ", "di\u017fpatch", "Versandbestätigung"} {
		if o, ok := ParseOption(word); ok || o != (Options{}) {
			t.Errorf("%q: %v", word, o)
		}
	}
}
