package track_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
)

func TestMetrics(t *testing.T) {
	m := track.NewMetrics()
	for _, e := range []track.Event{
		{Kind: track.Accepted, Direction: mail.Outgoing, Size: 1000, Client: mail.Client{TLS: "TLS1.3 TLS_AES_128_GCM_SHA256"}},
		{Kind: track.Accepted, Direction: mail.Incoming, Size: 500},
		{Kind: track.Refused, Size: 77},
		{Kind: track.Deferred, Direction: mail.Outgoing, Host: "mx:25", Attempt: 1, Elapsed: 2 * time.Second},
		{Kind: track.Delivered, Direction: mail.Outgoing, Size: 3000, Host: "mx:25", TLS: "TLS1.2 X verified", Attempt: 2, Elapsed: time.Second},
		{Kind: track.Delivered, Direction: mail.Incoming, Size: 500, Host: "exchange:25", Attempt: 1, Elapsed: 20 * time.Millisecond},
		{Kind: track.Failed, Direction: mail.Outgoing, Host: "mx:25", TLS: "TLS1.3 Y", Attempt: 6, Elapsed: time.Second},
		{Kind: track.Judged, Authentication: track.Authentication{SPF: "softfail", DKIM: "pass", DMARC: "pass", Action: "none"}},
		{Kind: track.Judged, Authentication: track.Authentication{SPF: "softfail", DKIM: "none", DMARC: "stranger", Action: "mark", By: "spf"}},
	} {
		m.Record(e)
	}
	want := `
# HELP siegel_authentication_total Incoming messages by result of SPF, DKIM and DMARC, and by what was done.
# TYPE siegel_authentication_total counter
siegel_authentication_total{method="action",result="mark"} 1
siegel_authentication_total{method="action",result="none"} 1
siegel_authentication_total{method="dkim",result="none"} 1
siegel_authentication_total{method="dkim",result="pass"} 1
siegel_authentication_total{method="dmarc",result="other"} 1
siegel_authentication_total{method="dmarc",result="pass"} 1
siegel_authentication_total{method="spf",result="softfail"} 2
# HELP siegel_message_bytes_total Bytes of accepted, queued and delivered messages.
# TYPE siegel_message_bytes_total counter
siegel_message_bytes_total{direction="incoming",kind="accepted"} 500
siegel_message_bytes_total{direction="incoming",kind="delivered"} 500
siegel_message_bytes_total{direction="outgoing",kind="accepted"} 1000
siegel_message_bytes_total{direction="outgoing",kind="delivered"} 3000
# HELP siegel_messages_total Steps of messages, by kind of step and direction.
# TYPE siegel_messages_total counter
siegel_messages_total{direction="incoming",kind="accepted"} 1
siegel_messages_total{direction="incoming",kind="delivered"} 1
siegel_messages_total{direction="none",kind="judged"} 2
siegel_messages_total{direction="none",kind="refused"} 1
siegel_messages_total{direction="outgoing",kind="accepted"} 1
siegel_messages_total{direction="outgoing",kind="deferred"} 1
siegel_messages_total{direction="outgoing",kind="delivered"} 1
siegel_messages_total{direction="outgoing",kind="failed"} 1
# HELP siegel_tls_connections_total Transfers by side, TLS version and whether the certificate was verified.
# TYPE siegel_tls_connections_total counter
siegel_tls_connections_total{side="in",verified="no",version="TLS1.3"} 1
siegel_tls_connections_total{side="in",verified="no",version="none"} 1
siegel_tls_connections_total{side="out",verified="no",version="TLS1.3"} 1
siegel_tls_connections_total{side="out",verified="no",version="none"} 1
siegel_tls_connections_total{side="out",verified="yes",version="TLS1.2"} 1
`
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want),
		"siegel_messages_total", "siegel_message_bytes_total", "siegel_tls_connections_total", "siegel_authentication_total"); err != nil {
		t.Error(err)
	}
	for name, series := range map[string]int{"siegel_delivery_seconds": 4, "siegel_delivery_attempts": 3} {
		if n, err := testutil.GatherAndCount(m.Registry(), name); err != nil || n != series {
			t.Errorf("%s: %d series, want %d (%v)", name, n, series, err)
		}
	}
	if problems, err := testutil.GatherAndLint(m.Registry(), "siegel_messages_total", "siegel_message_bytes_total",
		"siegel_tls_connections_total", "siegel_delivery_seconds", "siegel_delivery_attempts"); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// However many strangers say whatever they like, the number of series stays small (and none of their words is in it).
func TestMetricsBounded(t *testing.T) {
	m := track.NewMetrics()
	for i := range 2000 {
		word := fmt.Sprintf("stranger%d", i)
		for _, kind := range []track.Kind{track.Accepted, track.Refused, track.Delivered, track.Failed, track.Judged, track.Kind(word)} {
			m.Record(track.Event{Kind: kind, Direction: mail.Direction(word), From: word, To: []string{word}, Host: word, TLS: word + " " + word,
				Client: mail.Client{TLS: word, Helo: word}, Rule: word, Reply: word, Authentication: track.Authentication{SPF: word, DKIM: word, DMARC: word, Action: word}, Attempt: i, Elapsed: time.Duration(i), Size: int64(i - 5)})
		}
	}
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "siegel_") {
			continue
		}
		series += len(f.GetMetric())
		if strings.Contains(f.String(), "stranger") {
			t.Errorf("%s holds a stranger's word", f.GetName())
		}
	}
	if series > 20 {
		t.Errorf("%d series", series)
	}
}

// Two gateways in one process do not share figures.
// Algorithms are counted by what they are, never by a text of somebody's.
func TestMetricsAlgorithms(t *testing.T) {
	m := track.NewMetrics()
	for _, text := range []string{"aes256-gcm, rsa-oaep, ecdh, signed rsapss", "signed ecdsa", "", "aes256-gcm, planted"} {
		m.Record(track.Event{Kind: track.Protected, Algorithms: text})
	}
	want := `
# HELP siegel_algorithms_total Copies that were signed or encrypted, by each algorithm that was used.
# TYPE siegel_algorithms_total counter
siegel_algorithms_total{algorithm="aes256-gcm"} 2
siegel_algorithms_total{algorithm="ecdh"} 1
siegel_algorithms_total{algorithm="other"} 1
siegel_algorithms_total{algorithm="rsa-oaep"} 1
siegel_algorithms_total{algorithm="signed ecdsa"} 1
siegel_algorithms_total{algorithm="signed rsapss"} 1
`
	if err := testutil.GatherAndCompare(m.Registry(), strings.NewReader(want), "siegel_algorithms_total"); err != nil {
		t.Error(err)
	}
}

func TestMetricsOwnRegistry(t *testing.T) {
	a, b := track.NewMetrics(), track.NewMetrics()
	a.Record(track.Event{Kind: track.Accepted})
	if n, _ := testutil.GatherAndCount(b.Registry(), "siegel_messages_total"); n != 0 {
		t.Errorf("%d", n)
	}
}
