package smtpout_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/delivery/smtpout"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// While the key of the certificate is away nothing goes to a host that asks for it, not without TLS either, and the reason is that of the key; no
// host is blamed. A host that does not ask needs no key.
func TestPresentAway(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	clientFile, clientKey := smtptest.Certificate(t, "gw.firma.example")
	pair, err := tls.LoadX509KeyPair(clientFile, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	for asks, settings := range map[bool]map[string]string{
		true:  {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": clientFile},
		false: {},
	} {
		settings["smtpd_tls_cert_file"], settings["smtpd_tls_key_file"], settings["smtpd_tls_security_level"] = certFile, keyFile, "may"
		p := smtptest.StartPostfix(t, settings)
		host, dial := named(t, "mx.partner.example", p.Addr)
		for _, level := range []smtpout.Level{smtpout.Opportunistic, smtpout.Required, smtpout.Verified} {
			away := true
			asked := 0
			tr, err := smtpout.New(smtpout.Options{
				Hosts: []string{host, host}, Dial: dial, Hello: "gw.firma.example", TLS: smtpout.Security{Level: level, Roots: pool(t, certFile)},
				Present: func(ctx context.Context) (tls.Certificate, error) {
					if _, limited := ctx.Deadline(); !limited {
						t.Error("the wait for the key has no end")
					}
					if asked++; away {
						return tls.Certificate{}, errors.New("the card is away")
					}
					return pair, nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			deliver := func() delivery.Result {
				return tr.Deliver(t.Context(), attempt(t, "Subject: x\r\n\r\nx\r\n", "bob@partner.example"))[0]
			}
			r := deliver()
			switch {
			case !asks && (r.Status != delivery.Delivered || asked != 0):
				t.Errorf("%s: %+v, asked %d times", level, r, asked)
			case asks && (r.Status != delivery.Deferred || r.Text != "the client certificate cannot be shown: the card is away" || r.Insecure || !r.Unreachable || r.Remote || asked != 1):
				t.Errorf("%s: %+v, asked %d times", level, r, asked)
			}
			away = false
			if r := deliver(); r.Status != delivery.Delivered || !strings.HasPrefix(r.TLS, "TLS1.3") {
				t.Errorf("%s, with the key: %+v", level, r)
			}
			tr.Close()
		}
	}
}
