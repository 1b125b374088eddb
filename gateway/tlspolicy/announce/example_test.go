package announce_test

import (
	"fmt"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
)

// The policy of a company with one mail server, and where it is told of.
func ExamplePlan() {
	p := announce.Plan{Mode: mtasts.Testing, MaxAge: 24 * time.Hour, MX: []string{"mx.firma.example"}}
	records, err := p.Domain("firma.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(records[0].Zone())
	// Output: _mta-sts.firma.example. IN TXT "v=STSv1; id=665669fca248e599;"
}
