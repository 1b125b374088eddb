package main

import (
	"fmt"
	"testing"

	"github.com/siegel-mail/siegel/configs"
)

// What the configuration says of reports reaches the gateway, our ends of connections as well.
func TestTLSReport(t *testing.T) {
	c := &configs.Config{}
	c.TLS.Report = configs.TLSReport{From: "tls@firma.example", Contact: "postmaster@firma.example", Organization: "Firma", Hour: 2, SendingIPs: []string{"9.9.9.25", "2620:fe::25"}}
	r := tlsReport(c)
	if got := fmt.Sprintln(r.From, r.Contact, r.Organization, r.Hour, r.SendingIPs, r.TLS != nil); got != "tls@firma.example postmaster@firma.example Firma 2 [9.9.9.25 2620:fe::25] true\n" {
		t.Error(got)
	}
}
