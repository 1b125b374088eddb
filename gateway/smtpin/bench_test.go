package smtpin_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	smtp "github.com/emersion/go-smtp"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/smtpin"
)

func itoa(n int) string { return strconv.Itoa(n) }

// nothing is a handler that does nothing.
type nothing struct{}

func (nothing) Accept(context.Context, mail.Envelope, mail.Content) error { return nil }

// quietServer is one external listener that records nothing.
func quietServer(b *testing.B, config *tls.Config) *smtpin.Server {
	o := options(b, &sink{}, listener(smtpin.External, config))
	o.Handler, o.Recorder = nothing{}, nil
	o.Limits.Messages = 1 << 30
	return serve(b, o)
}

// BenchmarkGoClient sends with go-smtp's client over loopback, in one connection for each processor and two.
func BenchmarkGoClient(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
		tls  bool
	}{{"4KB", 4 << 10, false}, {"4KB-TLS", 4 << 10, true}, {"1MB", 1 << 20, false}, {"25MB", 25 << 20, false}} {
		b.Run(c.name, func(b *testing.B) {
			var config *tls.Config
			if c.tls {
				config = serverTLS()
			}
			s := quietServer(b, config)
			content := []byte("Subject: bench\r\n\r\n" + strings.Repeat(strings.Repeat("x", 74)+"\r\n", c.size/76))
			b.SetBytes(int64(len(content)))
			b.SetParallelism(2)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				client := connect(b, s, c.tls)
				defer client.Close()
				for pb.Next() {
					if err := client.SendMail("bob@partner.example", []string{"alice@firma.example"}, bytes.NewReader(content)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

func connect(b *testing.B, s *smtpin.Server, secure bool) *smtp.Client {
	addr := s.Addr("external").String()
	if !secure {
		c, err := smtp.Dial(addr)
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	c, err := smtp.DialStartTLS(addr, clientTLS())
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkSMTPSource runs Postfix's smtp-source against this listener, and against Postfix's smtp-sink.
func BenchmarkSMTPSource(b *testing.B) {
	source, sinkProgram := program(b, "smtp-source"), program(b, "smtp-sink")
	load := func(b *testing.B, address string) {
		b.ResetTimer()
		args := []string{"-s", "20", "-m", itoa(b.N), "-l", "4096", "-f", "bob@partner.example", "-t", "alice@firma.example", "inet:" + address}
		if out, err := exec.Command(source, args...).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	}
	b.Run("siegel", func(b *testing.B) { load(b, quietServer(b, nil).Addr("external").String()) })
	b.Run("smtp-sink", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		address := l.Addr().String()
		l.Close()
		cmd := exec.Command(sinkProgram, "-u", "nobody", "inet:"+address, "1000")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
		reach(b, address)
		load(b, address)
	})
}

// reach returns when something answers.
func reach(b *testing.B, address string) {
	for start := time.Now(); time.Since(start) < patience; {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	b.Fatal("nothing listens on " + address)
}

// BenchmarkIdle holds connections open and reports the memory that each takes up in the process, which is server
// and client, once the server has noticed that nothing comes.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct{ name, said string }{
		{"silent", ""}, {"EHLO", "EHLO c\r\n"}, {"DATA", "HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@firma.example>\r\nDATA\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			o := options(b, &sink{}, listener(smtpin.External, nil))
			o.Limits.Connections, o.Limits.PerClient = 1<<20, 1<<20
			s := serve(b, o)
			before := memory()
			for range b.N {
				conn, err := net.Dial("tcp", s.Addr("external").String())
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, c.said); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, make([]byte, 10)); err != nil {
					b.Fatal(err)
				}
			}
			least := memory()
			for start := time.Now(); time.Since(start) < 3*time.Second; {
				least = min(least, memory())
			}
			b.ReportMetric(float64(least-before)/float64(b.N), "B/conn")
		})
	}
}

func memory() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
