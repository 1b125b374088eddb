package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/revocation/fetch"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// oldServer speaks TLS 1.2 with CBC and nothing better, and counts the handshakes that succeed.
func oldServer(t *testing.T, pair tls.Certificate) (addr string, shaken *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shaken = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS12,
				CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}})
			raw.SetDeadline(time.Now().Add(2 * time.Minute))
			if conn.Handshake() == nil {
				shaken.Add(1)
				conn.Write([]byte("this is no protocol\r\n"))
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String(), shaken
}

// tlsConfig is a configuration whose connections all lead to one server, under one profile.
func tlsConfig(t *testing.T, addr, ca, profile string, listener tlstest.Pair) *configs.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n", "token": "t\n", "siegel.yaml": fmt.Sprintf(`
hostname: mail.firma.example
state: .
domains: [firma.example]
at_rest: {key: {file: key}}
vault: [{name: v, addresses: ["https://%[1]s"], ca: %[2]s, profile: %[3]s, login: {token: {file: token}}}]
certificates:
  directories: [{name: d, kind: openldap, servers: ["ldaps://%[1]s"], base: "dc=x", tls: {ca: %[2]s, profile: %[3]s}}]
  revocation: {profile: %[3]s}
listeners: [{name: in, address: "127.0.0.1:0", role: internal, networks: [127.0.0.1], tls: {certificate: %[4]s, key: %[5]s, profile: %[3]s}}]
routes:
  - {name: exchange, domains: firma.example, host: 127.0.0.1, tls: {profile: %[3]s}}
  - {name: rest, domains: "*", host: 127.0.0.2}
dns: {servers: [127.0.0.1]}
admin: {socket: run/control.sock}
`, addr, ca, profile, listener.CertFile, listener.KeyFile)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := configs.Load(filepath.Join(dir, "siegel.yaml"), configs.Options{Environ: []string{}})
	if c == nil {
		t.Fatal(problems)
	}
	return c
}

// Each connection that a library makes is held to the profile of its key: one that does not have what the server speaks does not come about.
func TestProfileOfEveryConnection(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	server, own := ca.Issue(tlstest.RSA2048, nil, "127.0.0.1"), ca.Issue(tlstest.RSA2048, nil, "mail.firma.example")
	log, _ := logtest.NewNullLogger()
	for profile, reaches := range map[string]bool{"modern": false, "compatible": true} {
		addr, shaken := oldServer(t, server.Certificate)
		c := tlsConfig(t, addr, ca.File, profile, own)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		for what, connect := range map[string]func() error{
			"directory": func() error {
				d, err := ldap.New(c.Certificates.Directories[0].LDAP())
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				return d.Check(ctx)
			},
			"vault": func() error {
				set, err := newVaults(c, log, newVaultMetrics())
				if err != nil {
					t.Fatal(err)
				}
				defer set.Close()
				return set.Clients()[0].Login(ctx)
			},
			"revocation": func() error {
				s := c.Certificates.Revocation.Settings()
				f := fetch.New(fetch.Options{Dial: new(net.Dialer).DialContext, TLS: s.TLS, Roots: ca.Pool()})
				return f.Get(ctx, "https://"+addr+"/list.crl", 1000, func([]byte) error { return nil })
			},
			"revocation by LDAP": func() error {
				s := c.Certificates.Revocation.Settings()
				f := fetch.New(fetch.Options{Dial: new(net.Dialer).DialContext, TLS: s.TLS, Roots: ca.Pool(), Directory: "ldaps://" + addr})
				return f.Get(ctx, "ldap:///cn=x?certificateRevocationList;binary", 1000, func([]byte) error { return nil })
			},
		} {
			before := shaken.Load()
			if err := connect(); err == nil {
				t.Errorf("%s, %s: no error from a server that speaks no protocol", profile, what)
			}
			if shook := shaken.Load() > before; shook != reaches {
				t.Errorf("%s, %s: the handshake succeeded: %v", profile, what, shook)
			}
		}
		if got := route(c.Routes[0]).SMTP.TLS.Profile.Name; got != profile {
			t.Errorf("the route has the profile %s", got)
		}
	}
}

// The listeners of a configuration have their profile, and follow their files while the gateway runs.
func TestListenerTLS(t *testing.T) {
	ca := tlstest.NewCA(t, tlstest.P256)
	pair, renewed := ca.Issue(tlstest.RSA2048, nil, "mail.firma.example"), ca.Issue(tlstest.RSA2048, nil, "mail.firma.example")
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	c := tlsConfig(t, "127.0.0.1:1", ca.File, "modern", pair)
	l, err := listener(c.Listeners[0])
	if err != nil {
		t.Fatal(err)
	}
	var s gateway.Settings
	if err := useTLS(&s, &l, c.Listeners[0], log); err != nil {
		t.Fatal(err)
	}
	try := func(client *tls.Config) (serial string, err error) {
		here, there := net.Pipe()
		defer here.Close()
		go func() {
			tls.Server(there, l.TLSConfig).Handshake()
			there.Close()
		}()
		client.ServerName, client.RootCAs = "mail.firma.example", ca.Pool()
		conn := tls.Client(here, client)
		if err := conn.Handshake(); err != nil {
			return "", err
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}
	if _, err := try(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}); err == nil {
		t.Error("the listener speaks what its profile does not have")
	}
	if serial, err := try(&tls.Config{}); err != nil || serial != pair.Leaf.SerialNumber.String() {
		t.Errorf("%s, %v", serial, err)
	}
	if len(s.Companions) != 1 || s.Companions[0].Run == nil || s.Companions[0].Check.Run(t.Context()) != nil {
		t.Fatalf("%+v", s.Companions)
	}
	for from, to := range map[string]string{renewed.CertFile: pair.CertFile, renewed.KeyFile: pair.KeyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := useTLS(&s, &l, c.Listeners[0], log); err != nil { // as a reload does
		t.Fatal(err)
	}
	if serial, err := try(&tls.Config{}); err != nil || serial != renewed.Leaf.SerialNumber.String() {
		t.Errorf("%s, %v", serial, err)
	}
	small := ca.Issue(tlstest.RSA1024, nil, "mail.firma.example")
	if err := mayServe(c.Listeners[0].TLS.Policy(), small.Certificate, true); err == nil || !strings.Contains(err.Error(), "1024") {
		t.Errorf("%v, log %v", err, hook.AllEntries())
	}
}
