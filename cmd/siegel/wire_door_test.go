package main

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// Each limit of the configuration reaches the listener.
func TestLimitsAreWired(t *testing.T) {
	exempt := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	got := limits(configs.Limits{
		Connections: 1, ConnectionsPerClient: 2, ConnectionsPerMinute: 3, MessagesPerHour: 4, BytesPerHour: 5, RecipientsPerHour: 6,
		ErrorsPerHour: 7, Exempt: exempt, Messages: 8, Bytes: 9, Errors: 10, Idle: time.Second, Time: time.Minute, Rate: 11,
		HeaderSize: 12, HeaderFields: 13,
	})
	want := &smtpin.Limits{
		Connections: 1, PerClient: 2, ConnectionsPerMinute: 3, MessagesPerHour: 4, BytesPerHour: 5, RecipientsPerHour: 6,
		ErrorsPerHour: 7, Exempt: exempt, Messages: 8, Bytes: 9, Errors: 10, Idle: time.Second, Message: time.Minute, Rate: 11,
		Header: 12, Fields: 13,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
