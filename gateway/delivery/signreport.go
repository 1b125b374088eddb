package delivery

import (
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// SignReport signs a report with the key of the gateway's own domain (DKIM). It returns the content as it is where
// there is no key.
type SignReport func(mail.Content) (mail.Content, error)

// signedReport is a report as it goes into the queue. One that cannot be signed is better than none.
func (s *Scheduler) signedReport(about mail.ID, content mail.Content) mail.Content {
	if s.o.SignReport == nil {
		return content
	}
	signed, err := s.o.SignReport(content)
	if err != nil {
		s.o.Log.WithField("id", about).WithError(err).Warn("The report to the sender could not be signed by DKIM.")
		return content
	}
	return signed
}

// texts are the words of reports.
func (s *Scheduler) texts() *texts.Texts {
	if s.o.Texts == nil {
		return nil
	}
	return s.o.Texts()
}
