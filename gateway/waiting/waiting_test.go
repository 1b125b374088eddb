package waiting_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/waiting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves one door that speaks and one that does not.
func serve(t *testing.T) (speaks, silent string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	bound, done := make(chan []net.Addr, 1), make(chan error, 1)
	go func() {
		done <- waiting.Serve(ctx, waiting.Options{
			Hostname: "mail.firma.example", Addresses: []string{"127.0.0.1:0"}, Silent: []string{"127.0.0.1:0"}, Bound: func(a []net.Addr) { bound <- a },
		})
	}()
	a := <-bound
	return a[0].String(), a[1].String(), func() error { cancel(); return <-done }
}

// read is all that a door says to who says something himself.
func read(t *testing.T, address string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "EHLO partner.example\r\nMAIL FROM:<a@partner.example>\r\n")
	text, _ := io.ReadAll(c)
	return string(text)
}

// Everybody is asked to come again, in words that a mail server knows; whoever speaks TLS first is not spoken to.
func TestServe(t *testing.T) {
	speaks, silent, stop := serve(t)
	for range 3 {
		if got := read(t, speaks); got != "421 4.3.2 mail.firma.example is not ready, please try again later\r\n" {
			t.Errorf("%q", got)
		}
	}
	if got := read(t, silent); got != "" {
		t.Errorf("%q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", speaks); err == nil {
		t.Error("the door is open after the end")
	}
}

// Those who stay do not keep the gateway from beginning, and crowds cost nothing.
func TestCrowd(t *testing.T) {
	speaks, _, stop := serve(t)
	for range 300 {
		c, err := net.Dial("tcp", speaks)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A port that is taken is said, as at any start.
func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = waiting.Serve(t.Context(), waiting.Options{Hostname: "x", Addresses: []string{"127.0.0.1:0", l.Addr().String()}})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
}

func ExampleServe() {
	ctx, cancel := context.WithCancel(context.Background())
	err := waiting.Serve(ctx, waiting.Options{Hostname: "mail.firma.example", Addresses: []string{"127.0.0.1:0"}, Bound: func(a []net.Addr) {
		c, _ := net.Dial("tcp", a[0].String())
		defer c.Close()
		var code string
		fmt.Fscan(c, &code)
		fmt.Println(code)
		cancel()
	}})
	fmt.Println(err)
	// Output:
	// 421
	// <nil>
}
