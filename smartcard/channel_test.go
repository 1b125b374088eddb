package smartcard

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/smartcard/apdu"
)

// A channel sends no PIN but for the policy.
func TestChannelRefusesPINs(t *testing.T) {
	ch := &Channel{ctx: t.Context(), link: gone{}}
	for _, ins := range []byte{0x20, 0x24, 0x2C} {
		if _, err := ch.Send(apdu.Command{INS: ins, Data: []byte("123456")}); err == nil || !strings.Contains(err.Error(), "only the PIN policy") || strings.Contains(err.Error(), "123456") {
			t.Error(err)
		}
	}
}
