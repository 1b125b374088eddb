package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/smtpin"
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
