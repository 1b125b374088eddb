package dane_test

import (
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/internal/dns"
)

// Records that somebody holds in his hands demand what they would if they had been looked up.
func TestPolicyOf(t *testing.T) {
	one := issue(t, kind{names: []string{host}}, nil)
	for _, matching := range []uint8{dane.MatchSHA2_256, dane.MatchSHA2_512} {
		r := dane.Of(one.cert, dane.UsageEE, dane.SelectorSPKI, matching)
		looked, held := policy(t, r), dane.PolicyOf(host, []dns.TLSA{r})
		if !slices.Equal(looked.Strings(), held.Strings()) || !held.Authenticates() || held.Base != host || !slices.Equal(held.Names, []string{host}) {
			t.Errorf("%+v, %+v", looked, held)
		}
	}
	if dane.PolicyOf(host, nil).Authenticates() {
		t.Error("no records authenticate")
	}
}
