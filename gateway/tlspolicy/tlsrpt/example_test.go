package tlsrpt_test

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
)

// Who wants reports about a domain, by the TXT records of _smtp._tls.partner.example.
func ExampleFindRecord() {
	record, err := tlsrpt.FindRecord([]string{"v=TLSRPTv1; rua=mailto:tls@partner.example,https://tls.partner.example/v1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(record.Mail[0], record.Posts[0])
	// Output: tls@partner.example https://tls.partner.example/v1
}

// A report that came in.
func ExampleRead() {
	report, err := tlsrpt.Read(strings.NewReader(`{"organization-name": "Company-X", "report-id": "1",
		"date-range": {"start-datetime": "2016-04-01T00:00:00Z", "end-datetime": "2016-04-01T23:59:59Z"},
		"policies": [{"policy": {"policy-type": "no-policy-found", "policy-domain": "firma.example"},
			"summary": {"total-successful-session-count": 23, "total-failure-session-count": 0}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Organization, report.Policies[0].Policy.Domain, report.Policies[0].Summary.Successes)
	// Output: Company-X firma.example 23
}
