package gateway_test

import (
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// The administrators get one mail about what ends, and none again after a restart.
func TestEndingsAreToldByMail(t *testing.T) {
	s := issuingSetting(t)
	s.options.Settings.WarnBefore = 400 * 24 * time.Hour
	s.options.Settings.Issue.CA.Lifetime = 20 * 24 * time.Hour
	s.options.Settings.Issue.RenewBefore = time.Hour
	s.options.Settings.MailTo = []mail.Address{postmaster}
	_, stop := s.start(t)
	s.found(t)
	if _, err := command[gateway.IssueAnswer](t, s, "issue", gateway.IssueOrder{Addresses: []string{"a@firma.example"}}); err != nil {
		t.Fatal(err)
	}
	stop()
	_, stop = s.start(t)
	got := strings.ReplaceAll(s.hop.wait(t), "=\r\n", "")
	if !strings.Contains(got, "Subject: Siegel: certificates end soon") || !strings.Contains(got, "a@firma.example") || strings.Count(got, "Sie erfahren") != 1 {
		t.Errorf("%s", got)
	}
	stop()
	g, _ := s.start(t)
	// What is issued to b may be told of, since it ends as soon.
	if next := s.sendAs(t, g, "b@firma.example"); strings.Contains(next, "certificates end soon") && strings.Contains(next, "a@firma.example") {
		t.Errorf("it is told again:\n%s", next)
	}
}
