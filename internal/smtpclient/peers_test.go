package smtpclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/internal/smtpclient"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

func message(body string, to ...string) smtpclient.Message {
	m := smtpclient.Message{From: "a@firma.example", Body: strings.NewReader(body), Size: int64(len(body))}
	for _, r := range to {
		m.Recipients = append(m.Recipients, smtpclient.Recipient{Address: r})
	}
	return m
}

const nasty = "Subject: dots\r\n\r\n.\r\n..\r\n...a\r\nline\r\n.b\r\n\r\n.\r\n"

// smtp-sink with its faults: what each reply or disconnection comes to.
func TestSink(t *testing.T) {
	cases := map[string]struct {
		options []string
		codes   string
		stage   smtpclient.Stage // of an error
		reuse   bool
	}{
		"well":               {nil, "250 250", "", true},
		"no pipelining":      {[]string{"-p"}, "250 250", "", true},
		"no ESMTP":           {[]string{"-e"}, "250 250", "", true},
		"PIX":                {[]string{"-P"}, "250 250", "", true},
		"connect refused":    {[]string{"-f", "CONNECT"}, "", smtpclient.StageGreeting, false},
		"connect later":      {[]string{"-r", "CONNECT"}, "", smtpclient.StageGreeting, false},
		"connect dropped":    {[]string{"-q", "CONNECT"}, "", smtpclient.StageGreeting, false},
		"EHLO refused":       {[]string{"-f", "EHLO"}, "250 250", "", true},
		"EHLO later":         {[]string{"-r", "EHLO"}, "", smtpclient.StageHello, false},
		"EHLO 421":           {[]string{"-Q", "EHLO"}, "", smtpclient.StageHello, false},
		"MAIL refused":       {[]string{"-f", "MAIL"}, "500 500", "", true},
		"MAIL later":         {[]string{"-r", "MAIL"}, "450 450", "", true},
		"MAIL dropped":       {[]string{"-q", "MAIL"}, "0 0", smtpclient.StageEnvelope, false},
		"MAIL 421":           {[]string{"-Q", "MAIL"}, "421 421", "", false},
		"RCPT refused":       {[]string{"-f", "RCPT", "-B", "550 5.1.1 who"}, "550 550", "", true},
		"RCPT later":         {[]string{"-r", "RCPT", "-b", "452 4.2.2 full"}, "452 452", "", true},
		"RCPT dropped":       {[]string{"-q", "RCPT"}, "0 0", smtpclient.StageEnvelope, false},
		"DATA refused":       {[]string{"-f", "DATA"}, "500 500", "", true},
		"DATA later":         {[]string{"-r", "DATA"}, "450 450", "", true},
		"DATA dropped":       {[]string{"-q", "DATA"}, "0 0", smtpclient.StageEnvelope, false},
		"message refused":    {[]string{"-f", "."}, "500 500", "", true},
		"message later":      {[]string{"-r", "."}, "450 450", "", true},
		"dropped after dot":  {[]string{"-q", "."}, "0 0", smtpclient.StageEnd, false},
		"421 after dot":      {[]string{"-Q", "."}, "421 421", "", false},
		"aborts within DATA": {[]string{"-A", "0"}, "550 550", "", false},
		"slow":               {[]string{"-w", "1"}, "250 250", "", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := smtptest.Sink(t, c.options...)
			client, err := smtpclient.Dial(t.Context(), addr, smtpclient.Options{Hello: "gw.example"})
			var res smtpclient.Result
			if err == nil {
				defer client.Close()
				res, err = client.Send(t.Context(), message(nasty, "b@x.example", "c@x.example"))
			}
			var failure *smtpclient.Error
			if c.stage == "" && err != nil || c.stage != "" && (!errors.As(err, &failure) || failure.Stage != c.stage) {
				t.Fatalf("error %v, want one at %q", err, c.stage)
			}
			var codes []string
			for _, r := range res.Recipients {
				codes = append(codes, fmt.Sprint(r.Code))
			}
			if got := strings.Join(codes, " "); got != c.codes {
				t.Errorf("codes %s, want %s", got, c.codes)
			}
			if client == nil || name == "aborts within DATA" {
				return
			}
			if client.Usable() != c.reuse {
				t.Fatalf("usable: %v", client.Usable())
			}
			if c.reuse {
				if _, err := client.Send(t.Context(), message(nasty, "b@x.example")); err != nil {
					t.Errorf("the next message: %v", err)
				}
			}
		})
	}
}

// What smtp-sink stores is what was sent, to the byte but for its LF line ends.
func TestSinkStores(t *testing.T) {
	dir := smtptest.Dir(t)
	addr := smtptest.Sink(t, "-d", dir+"/%M.")
	client, err := smtpclient.Dial(t.Context(), addr, smtpclient.Options{Hello: "gw.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Send(t.Context(), message(nasty, "b@x.example")); err != nil {
		t.Fatal(err)
	}
	if dump := smtptest.Dumps(t, dir, 1)[0]; !strings.Contains(dump, "\n"+strings.ReplaceAll(nasty, "\r\n", "\n")) {
		t.Errorf("stored:\n%s", dump)
	}
}

// taker is a go-smtp server's side.
type taker struct {
	bodies [][]byte
	from   []string
	opts   []*smtp.MailOptions
	rcpts  []*smtp.RcptOptions
}

func (k *taker) NewSession(*smtp.Conn) (smtp.Session, error) { return &takerSession{k}, nil }

type takerSession struct{ *taker }

func (s *takerSession) Reset()        {}
func (s *takerSession) Logout() error { return nil }
func (s *takerSession) Mail(from string, o *smtp.MailOptions) error {
	s.from, s.opts = append(s.from, from), append(s.opts, o)
	return nil
}
func (s *takerSession) Rcpt(to string, o *smtp.RcptOptions) error {
	s.rcpts = append(s.rcpts, o)
	return nil
}
func (s *takerSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.bodies = append(s.bodies, b)
	return err
}
func (s *takerSession) AuthMechanisms() []string { return []string{"PLAIN", "LOGIN"} }
func (s *takerSession) Auth(mech string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "gw" || password != "geheim" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// goSMTP starts a go-smtp server with a certificate that openssl made.
func goSMTP(t testing.TB) (*taker, string, *x509.CertPool) {
	t.Helper()
	certFile, keyFile := smtptest.Certificate(t, "mx.partner.example")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pem, _ := os.ReadFile(certFile)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	k := &taker{}
	s := smtp.NewServer(k)
	s.Domain, s.TLSConfig, s.EnableSMTPUTF8, s.EnableDSN = "mx.partner.example", &tls.Config{Certificates: []tls.Certificate{cert}}, true, true
	s.MaxLineLength = 1 << 17
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return k, l.Addr().String(), roots
}

// STARTTLS, AUTH, DSN parameters, SMTPUTF8, DATA and BDAT against go-smtp: the bytes arrive as they are.
func TestGoSMTP(t *testing.T) {
	big := strings.Repeat(nasty+strings.Repeat("x", 900)+"\r\n", 300)
	for _, chunking := range []bool{false, true} {
		k, addr, roots := goSMTP(t)
		o := smtpclient.Options{
			Hello: "gw.example", TLS: smtpclient.TLSVerified, Chunking: chunking,
			TLSConfig: &tls.Config{RootCAs: roots, ServerName: "mx.partner.example"},
			Auth:      &smtpclient.Auth{User: "gw", Password: func() string { return "geheim" }},
		}
		client, err := smtpclient.Dial(t.Context(), addr, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{nasty, big} {
			m := message(body, "ü@x.example")
			m.SMTPUTF8, m.Body8Bit, m.EnvID, m.Ret = true, true, "a+b c", "HDRS"
			m.Recipients[0].Notify, m.Recipients[0].ORcpt = []string{"FAILURE"}, "rfc822;x+y@x.example"
			if res, err := client.Send(t.Context(), m); err != nil || !res.Data.Positive() {
				t.Fatalf("%+v %v", res, err)
			}
		}
		client.Close()
		if string(k.bodies[0]) != nasty || string(k.bodies[1]) != big {
			t.Errorf("chunking %v: the bytes changed", chunking)
		}
		if o := k.opts[0]; o.EnvelopeID != "a+b c" || !o.UTF8 || o.Return != smtp.DSNReturnHeaders || o.Body != smtp.Body8BitMIME {
			t.Errorf("MAIL parameters %+v", o)
		}
		if o := k.rcpts[0]; o.OriginalRecipient != "x+y@x.example" || len(o.Notify) != 1 {
			t.Errorf("RCPT parameters %+v", o)
		}
	}
}

func TestGoSMTPRefusals(t *testing.T) {
	_, addr, roots := goSMTP(t)
	good := &tls.Config{RootCAs: roots, ServerName: "mx.partner.example"}
	cases := map[string]struct {
		o     smtpclient.Options
		stage smtpclient.Stage
	}{
		"wrong name":     {smtpclient.Options{TLS: smtpclient.TLSVerified, TLSConfig: &tls.Config{RootCAs: roots, ServerName: "other.example"}}, smtpclient.StageTLS},
		"unknown issuer": {smtpclient.Options{TLS: smtpclient.TLSVerified, TLSConfig: &tls.Config{ServerName: "mx.partner.example"}}, smtpclient.StageTLS},
		"no name given":  {smtpclient.Options{TLS: smtpclient.TLSVerified, TLSConfig: &tls.Config{RootCAs: roots}}, smtpclient.StageTLS},
		"wrong password": {smtpclient.Options{TLS: smtpclient.TLSVerified, TLSConfig: good, Auth: &smtpclient.Auth{User: "gw"}}, smtpclient.StageAuth},
		"own check": {smtpclient.Options{TLS: smtpclient.TLSRequired, TLSConfig: &tls.Config{
			VerifyConnection: func(tls.ConnectionState) error { return errors.New("pinned to another key") }}}, smtpclient.StageTLS},
	}
	for name, c := range cases {
		c.o.Hello = "gw.example"
		_, err := smtpclient.Dial(t.Context(), addr, c.o)
		var failure *smtpclient.Error
		if !errors.As(err, &failure) || failure.Stage != c.stage {
			t.Errorf("%s: %v, want an error at %q", name, err, c.stage)
		}
	}
}

// source sends count messages of 4 KB over sessions connections and returns messages per second.
func source(tb testing.TB, addr string, sessions, count int) float64 {
	tb.Helper()
	body := []byte("From: a@firma.example\r\nTo: b@x.example\r\nSubject: s\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 51))
	begin := time.Now()
	var wg sync.WaitGroup
	for range sessions {
		wg.Go(func() {
			client, err := smtpclient.Dial(context.Background(), addr, smtpclient.Options{Hello: "gw.example", TLS: smtpclient.TLSNone})
			if err != nil {
				tb.Error(err)
				return
			}
			defer client.Close()
			m := message("", "b@x.example")
			m.Size = int64(len(body))
			for range count / sessions {
				m.Body = bytes.NewReader(body)
				if res, err := client.Send(context.Background(), m); err != nil || !res.Data.Positive() {
					tb.Errorf("%+v %v", res, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(count) / time.Since(begin).Seconds()
}

// BenchmarkSend sends 4 KB messages over 20 connections to smtp-sink, and has smtp-source do the same.
func BenchmarkSend(b *testing.B) {
	addr := smtptest.Sink(b)
	const count = 20000
	for b.Loop() {
		b.ReportMetric(source(b, addr, 20, count), "msg/s")
		took := smtptest.Source(b, addr, "-d", "-s", "20", "-l", "4096", "-m", fmt.Sprint(count))
		b.ReportMetric(count/took.Seconds(), "smtp-source-msg/s")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLarge sends 25 MB messages to smtp-sink.
func BenchmarkLarge(b *testing.B) {
	addr := smtptest.Sink(b)
	body := bytes.Repeat([]byte(strings.Repeat("x", 76)+"\r\n"), 25<<20/78)
	client, err := smtpclient.Dial(b.Context(), addr, smtpclient.Options{Hello: "gw.example", TLS: smtpclient.TLSNone})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		m := message("", "b@x.example")
		m.Body = io.LimitReader(bytes.NewReader(body), int64(len(body)))
		if _, err := client.Send(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
