package main

import (
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/recipients"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/throttle"
)

// limits are those of a listener. What is 0 where that is no limit is 0 there too, but for Bytes, which has
// a default that nobody reaches.
func limits(l configs.Limits) *smtpin.Limits {
	return &smtpin.Limits{
		Connections: l.Connections, PerClient: l.ConnectionsPerClient, ConnectionsPerMinute: l.ConnectionsPerMinute,
		MessagesPerHour: l.MessagesPerHour, BytesPerHour: int64(l.BytesPerHour), RecipientsPerHour: l.RecipientsPerHour,
		ErrorsPerHour: l.ErrorsPerHour, Exempt: l.Exempt,
		Messages: l.Messages, Bytes: int64(l.Bytes), Errors: l.Errors,
		Idle: l.Idle, Message: l.Time, Rate: int(l.Rate), Header: int(l.HeaderSize), Fields: l.HeaderFields,
	}
}

// knownRecipients are those of the file; nil where there is none.
func knownRecipients(c configs.Recipients, log logrus.FieldLogger) (smtpin.Recipients, error) {
	if c.File == "" {
		return nil, nil
	}
	f, err := recipients.Open(c.File.String(), recipients.Options{Tag: c.Tag, Log: log})
	if err != nil {
		return nil, fmt.Errorf("recipients.file: %w", err)
	}
	log.WithField("file", c.File.String()).Infof("recipients: %d entries are in force", f.Len())
	return f, nil
}

// throttling is how much a sender inside may send, and who is told.
func throttling(c *configs.Config) (o throttle.Options, mailTo []mail.Address, err error) {
	for _, text := range c.Admin.MailTo {
		a, err := mail.ParseAddress(text)
		if err != nil {
			return o, nil, fmt.Errorf("admin.mail_to: %w", err)
		}
		mailTo = append(mailTo, a)
	}
	t := c.Throttle
	return throttle.Options{Except: t.Except, Limits: throttle.Limits{
		MessagesPerHour: t.MessagesPerHour, MessagesPerDay: t.MessagesPerDay, RecipientsPerHour: t.RecipientsPerHour,
		RecipientsPerDay: t.RecipientsPerDay, DistinctPerDay: t.DistinctPerDay,
	}}, mailTo, nil
}
