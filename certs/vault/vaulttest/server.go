// Package vaulttest runs a real Vault-compatible server for tests; it simulates nothing. The server is OpenBao, a module
// of its own in test/openbao, which is built once per machine.
package vaulttest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/siegel-mail/siegel/internal/freeport"
)

// startTime bounds the start of a server, on a machine at work.
const startTime = 2 * time.Minute

// Options of a server. The zero value is one in memory that speaks HTTP/2.
type Options struct {
	Keep  bool // on disk, so that it can be restarted
	HTTP1 bool // no HTTP/2
}

// Server is a server that runs on a free port of the loopback address until the test ends. It is unsealed, and has
// nothing mounted but what every server has. Its methods end the test where they fail.
type Server struct {
	Address string // https://127.0.0.1:PORT
	Token   string // of root
	Unseal  string // the key that unseals it
	CA      string // file with the certificate that its own comes from, PEM

	o    Options
	dir  string
	root *api.Client
	cmd  *exec.Cmd
	stop func()
}

// Start starts a server, and builds it before where this machine has none. A test that cannot have one fails.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{o: o, dir: t.TempDir()}
	s.CA = filepath.Join(s.dir, "ca.pem")
	writePair(t, s.CA, filepath.Join(s.dir, "key.pem"))
	s.run(t, freeport.Address(t)) // which nobody takes while it is restarted
	t.Cleanup(s.Stop)
	return s
}

// run starts the process and reads its first line.
func (s *Server) run(t testing.TB, listen string) {
	t.Helper()
	program, err := Program()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-listen", listen, "-cert", s.CA, "-key", filepath.Join(s.dir, "key.pem"), "-unseal", s.Unseal}
	if s.o.HTTP1 {
		args = append(args, "-http1")
	}
	if s.o.Keep {
		args = append(args, "-data", filepath.Join(s.dir, "data"))
	}
	s.cmd = exec.Command(program, args...)
	stdin, err := s.cmd.StdinPipe() // it ends with this process
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log := new(strings.Builder)
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stop = func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		stdin.Close()
	}
	timer := time.AfterFunc(startTime, func() { s.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	timer.Stop()
	if err != nil {
		s.Stop()
		t.Fatalf("the server did not start: %v\n%s", err, log)
	}
	go io.Copy(io.Discard, out)
	var said struct{ Addr, Token, Unseal string }
	if err := json.Unmarshal(line, &said); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	s.Address = said.Addr
	if said.Token != "" {
		s.Token, s.Unseal = said.Token, said.Unseal
	}
	s.root = s.client(t)
}

// Stop ends the server as a crash would. A second call does nothing.
func (s *Server) Stop() {
	if s.stop != nil {
		s.stop()
	}
	s.stop = nil
}

// Restart starts a server with Options.Keep again after Stop, at the same address, unsealed or not.
func (s *Server) Restart(t testing.TB, unsealed bool) {
	t.Helper()
	s.Stop()
	key := s.Unseal
	if !unsealed {
		s.Unseal = ""
	}
	s.run(t, strings.TrimPrefix(s.Address, "https://"))
	s.Unseal = key
}

// Root is a client of the API with the token of root.
func (s *Server) Root() *api.Client { return s.root }

func (s *Server) client(t testing.TB) *api.Client {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(s.CA)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal("the certificate of the server cannot be read: ", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := api.NewClient(&api.Config{Address: s.Address, Timeout: startTime, HttpClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(s.Token)
	return c
}

// SetSealed seals or unseals the server.
func (s *Server) SetSealed(t testing.TB, sealed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if sealed {
		if err := s.root.Sys().SealWithContext(ctx); err != nil {
			t.Fatal(err)
		}
		return
	}
	for {
		st, err := s.root.Sys().UnsealWithContext(ctx, s.Unseal)
		if err != nil {
			t.Fatal(err)
		}
		if h, err := s.root.Sys().HealthWithContext(ctx); !st.Sealed && err == nil && !h.Sealed && !h.Standby {
			return
		}
	}
}

// writePair writes a certificate for 127.0.0.1 that is its own CA, and its key.
func writePair(t testing.TB, certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vault.firma.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certificate, "CERTIFICATE", der)
	writePEM(t, key, "PRIVATE KEY", keyDER)
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
