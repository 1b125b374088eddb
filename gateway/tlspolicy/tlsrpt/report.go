package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Report is a report as it is sent (RFC 8460, 4.4).
type Report struct {
	Organization string           `json:"organization-name"`
	Range        DateRange        `json:"date-range"`
	Contact      string           `json:"contact-info"`
	ID           string           `json:"report-id"`
	Policies     []PolicyOfReport `json:"policies"`
}

// DateRange is the time that a report is about. We report whole days in UTC (4.1).
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// PolicyOfReport is what is reported of the sessions to which one policy was applied.
type PolicyOfReport struct {
	Policy   AppliedPolicy   `json:"policy"`
	Summary  Summary         `json:"summary"`
	Failures []FailureDetail `json:"failure-details,omitempty"`
}

// AppliedPolicy is a policy in a report.
type AppliedPolicy struct {
	Type    PolicyType `json:"policy-type"`
	Strings Texts      `json:"policy-string,omitempty"`
	Domain  string     `json:"policy-domain"`
	MX      Texts      `json:"mx-host,omitempty"`
}

// Texts is a list of texts. One text alone, which some reporters write in place of a list, is read as such (RFC 8460, 4.4, describes
// mx-host as a string, and its appendix B shows a list).
type Texts []string

// UnmarshalJSON reads a list, one text or null.
func (t *Texts) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*t = nil
		if one != "" {
			*t = Texts{one}
		}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// Summary counts sessions.
type Summary struct {
	Successes uint64 `json:"total-successful-session-count"`
	Failures  uint64 `json:"total-failure-session-count"`
}

// FailureDetail is one kind of failure.
type FailureDetail struct {
	Result      Result `json:"result-type"`
	SendingIP   string `json:"sending-mta-ip,omitempty"`
	MX          string `json:"receiving-mx-hostname,omitempty"`
	HELO        string `json:"receiving-mx-helo,omitempty"`
	ReceivingIP string `json:"receiving-ip,omitempty"`
	Sessions    uint64 `json:"failed-session-count"`
	Information string `json:"additional-information,omitempty"`
	Reason      string `json:"failure-reason-code,omitempty"`
}

// Sender is who reports.
type Sender struct {
	Organization string
	Contact      string // an address
	Submitter    string // the domain of Contact (RFC 8460, 5.3)
}

// newReport makes the report of a day. The same tally gives the same report.
func newReport(s Sender, day Day, id string, t *Tally) Report {
	t.sort()
	r := Report{
		Organization: s.Organization, Contact: s.Contact, ID: id, Policies: []PolicyOfReport{},
		Range: DateRange{day.Start(), (day + 1).Start().Add(-time.Second)}, // as in RFC 8460, appendix B
	}
	for _, c := range t.Policies {
		p := PolicyOfReport{
			Policy:  AppliedPolicy{Type: c.Policy.Type, Strings: c.Policy.Strings, Domain: c.Policy.Domain, MX: c.Policy.MX},
			Summary: Summary{Successes: c.Successes, Failures: c.failed()},
		}
		for _, f := range c.Failures {
			p.Failures = append(p.Failures, FailureDetail{
				Result: f.Result, SendingIP: ip(f.SendingIP), MX: f.MX, HELO: f.HELO, ReceivingIP: ip(f.ReceivingIP), Sessions: f.Sessions, Reason: f.Reason,
			})
		}
		r.Policies = append(r.Policies, p)
	}
	return r
}

func ip(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// pack is the report as compressed JSON (5.2).
func (r Report) pack() ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("tlsrpt: %w", err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text) // a bytes.Buffer takes everything
	z.Close()
	return b.Bytes(), nil
}

// fileName is what the compressed report is called (5.1).
func fileName(submitter, domain string, day Day) string {
	return submitter + "!" + domain + "!" + strconv.FormatInt(day.Start().Unix(), 10) + "!" + strconv.FormatInt((day+1).Start().Unix()-1, 10) + ".json.gz"
}
