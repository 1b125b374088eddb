package publicnet_test

import (
	"net/netip"
	"testing"

	"github.com/siegel-mail/siegel/internal/publicnet"
)

// What is public is what the registries say, in every spelling of an address.
func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"9.9.9.9": true, "193.0.14.129": true, "2620:fe::fe": true, "::ffff:9.9.9.9": true, "64:ff9b::909:909": true, "2002:909:909::1": true,
		"127.0.0.1": false, "127.255.0.1": false, "::1": false, "::": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false,
		"172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false, "100.64.0.1": false, "100.128.0.1": true,
		"169.254.169.254": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "fec0::1": false, "224.0.0.1": false, "ff02::1": false,
		"255.255.255.255": false, "240.0.0.1": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "198.18.0.1": false, "192.88.99.1": false,
		"2001:db8::1": false, "2001::1": false, "3fff::1": false, "100::1": false, "4000::1": false, "::ffff:10.0.0.1": false,
		"64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::1": false, "2002:a00:1::1": false, "fe80::1%eth0": false,
	} {
		if got := publicnet.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: public %v", text, got)
		}
	}
	if publicnet.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
