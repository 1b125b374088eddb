package stand

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLogWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		done := make(chan error, 1)
		go func() { done <- l.Wait(t.Context(), 0, regexp.MustCompile("two"), nil) }()
		fmt.Fprintln(&l, "one")
		synctest.Wait()
		if len(done) != 0 {
			t.Error("it did not wait")
		}
		fmt.Fprintln(&l, "two")
		if err := <-done; err != nil {
			t.Error(err)
		}
		from := l.Size()
		fmt.Fprintln(&l, "three")
		if err := l.Wait(t.Context(), from, regexp.MustCompile("^three"), nil); err != nil {
			t.Error(err)
		}
	})
}

// A wait that ends in vain says what there was instead.
func TestLogGivesUp(t *testing.T) {
	var l Log
	fmt.Fprintln(&l, "something else")
	ended := make(chan struct{})
	close(ended)
	ctx, cancel := context.WithCancel(t.Context())
	err := l.Wait(ctx, 0, regexp.MustCompile("this"), ended)
	if err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("the process ended: %v", err)
	}
	cancel()
	if err = l.Wait(ctx, 0, regexp.MustCompile("this"), nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "something else") {
		t.Errorf("the time was over: %v", err)
	}
}

func TestRoot(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", "siegel")); err != nil {
		t.Error(err)
	}
	t.Chdir("/")
	if _, err := Root(); err == nil {
		t.Error("there is no module at the root of the file system")
	}
}

func TestAuthority(t *testing.T) {
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	server, client := net.Pipe()
	go tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}}).HandshakeContext(t.Context())
	if err := tls.Client(client, &tls.Config{RootCAs: a.Pool(), ServerName: "127.0.0.1"}).HandshakeContext(t.Context()); err != nil {
		t.Error(err)
	}
}

// A configuration that cannot be used: the error holds what the command said.
func TestServeFails(t *testing.T) {
	binary, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "siegel.yaml")
	if err := os.WriteFile(config, []byte("nonsense: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Serve(t.Context(), binary, config); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("the error is %v", err)
	}
}
