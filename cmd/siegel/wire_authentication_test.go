package main

import (
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/internal/dns"
)

// What Exchange Online hands over on a round trip comes from its address, which no sender's SPF record names.
func TestWhoIsJudged(t *testing.T) {
	r, err := dns.New(dns.Options{Servers: []string{"127.0.0.1:53"}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := originOptions(&configs.Config{Listeners: []configs.Listener{
		{Name: "internet", Role: configs.RoleExternal, Authentication: true},
		{Name: "filtered", Role: configs.RoleExternal},
		{Name: "exchange", Role: configs.RoleInternal, Authentication: true},
		{Name: "online", Role: configs.RoleRoundTrip, Authentication: true},
	}}, r)
	if err != nil || o.Resolver == nil || !slices.Equal(o.Unjudged, []string{"filtered", "online"}) {
		t.Errorf("%v, %v", o.Unjudged, err)
	}
}
