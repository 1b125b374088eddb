package tlspolicy_test

import (
	"crypto/tls"
	"fmt"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

func ExampleProfile_Check() {
	profile, _ := tlspolicy.Builtin("bsi-tr-03108")
	fmt.Println(profile.Check(tlspolicy.State{Version: tls.VersionTLS13, Suite: tls.TLS_AES_256_GCM_SHA384, Group: tls.CurveP384}))
	fmt.Println(profile.Check(tlspolicy.State{Version: tls.VersionTLS13, Suite: tls.TLS_AES_256_GCM_SHA384, Group: tls.X25519}))
	// Output:
	// <nil>
	// TLS: the keys were agreed on by the group X25519, which the profile does not allow (profile bsi-tr-03108); have the other end use a group of the profile, or add this one to a profile of your own
}

func ExampleParsePin() {
	pin, err := tlspolicy.ParsePin("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	fmt.Println(pin, err)
	// Output: key:sha256:0000000000000000000000000000000000000000000000000000000000000000 <nil>
}
