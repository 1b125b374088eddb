package tlspolicy_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// benchShake measures handshakes of a client with a server, both of ours, over loopback, with the connection that each needs.
func benchShake(b *testing.B, profile string, kind tlstest.Kind, resume bool) {
	ca := tlstest.NewCA(b, tlstest.P256)
	pair := ca.Issue(kind, nil, "mx.example").Certificate
	p, _ := tlspolicy.Builtin(profile)
	p.Resumption = resume
	config := p.ServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn := tls.Server(raw, config)
				conn.Write([]byte("x")) // after the handshake, and so after the tickets
				io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}()
	b.Cleanup(func() {
		l.Close()
		<-done
	})
	c := &tlspolicy.Client{Profile: p, Verify: tlspolicy.PKI{Roots: ca.Pool()}}
	if resume {
		c.Sessions = tls.NewLRUClientSessionCache(4)
	}
	resumed := 0
	for b.Loop() {
		raw, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		conn, state, err := c.Handshake(b.Context(), raw, "mx.example")
		if err != nil {
			b.Fatal(err)
		}
		io.ReadFull(conn, make([]byte, 1))
		conn.Close()
		if state.Resumed {
			resumed++
		}
	}
	if resume && resumed < b.N/2 {
		b.Fatalf("%d of %d handshakes were resumed", resumed, b.N)
	}
}

func BenchmarkHandshake(b *testing.B) {
	for _, profile := range []string{"modern", "bsi-tr-03108"} {
		for _, kind := range []tlstest.Kind{tlstest.P256, tlstest.RSA3072} {
			for _, resume := range []bool{false, true} {
				name := profile + "/" + string(kind) + "/whole"
				if resume {
					name = profile + "/" + string(kind) + "/resumed"
				}
				b.Run(name, func(b *testing.B) { benchShake(b, profile, kind, resume) })
			}
		}
	}
}

// By utls, with OpenSSL as the server.
func BenchmarkLegacy(b *testing.B) {
	ca := tlstest.NewCA(b, tlstest.P256)
	pair := ca.Issue(tlstest.RSA2048, nil, "mx.example")
	s := tlstest.OpenSSL(b, "-tls1_2", "-cert", pair.CertFile, "-key", pair.KeyFile, "-cipher", "ECDHE-RSA-AES256-SHA384", "-curves", "P-521")
	p, _ := tlspolicy.Builtin("de-mail-legacy")
	p.ClientCertificate = tlspolicy.ClientOptional
	c := &tlspolicy.Client{Profile: p, Verify: tlspolicy.PKI{Roots: ca.Pool()}}
	for b.Loop() {
		if _, err := shake(b, s.Addr, "mx.example", c); err != nil {
			b.Fatal(err)
		}
	}
}
