package rehearsal

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors/dmda"
)

// frontHeader is where nginx writes the certificate that it has verified. The provider behind it listens on a socket of a folder that is its user's alone.
const frontHeader = "X-Simulated-Client-Certificate"

// frontCertificate reads it.
func frontCertificate(r *http.Request) *x509.Certificate {
	text, err := url.QueryUnescape(strings.ReplaceAll(r.Header.Get(frontHeader), "+", "%2B"))
	if err != nil {
		return nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return c
}

// front is nginx before a provider.
type front struct {
	dir     string
	command *exec.Cmd
	ended   chan error
}

// legacy is how nginx ends TLS. %[1]s is its folder, %[2]s where it listens, %[3]s how it treats client certificates, %[4]s the user's line.
const legacy = `%[4]sdaemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events {}
http {
	access_log off;
	server_tokens off;
	client_max_body_size 128m;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen %[2]s ssl;
		ssl_certificate %[1]s/server.pem;
		ssl_certificate_key %[1]s/server.key;
		%[3]s
		ssl_protocols TLSv1.2;
		ssl_ciphers ECDHE-RSA-AES256-SHA384;
		ssl_ecdh_curve secp521r1;
		location / {
			proxy_pass http://unix:%[1]s/provider;
			proxy_http_version 1.1;
			proxy_request_buffering off;
			proxy_buffering off;
			proxy_read_timeout 1h;
			proxy_set_header ` + frontHeader + ` $ssl_client_escaped_cert;
		}
	}
}
`

// startFront lets the provider listen on a socket, and nginx before it.
func (w *World) startFront(p *Provider, address string, certificate tls.Certificate) (*front, error) {
	dir, err := os.MkdirTemp("", "siegel-simulated-")
	if err != nil {
		return nil, err
	}
	f := &front{dir: dir, ended: make(chan error, 1)}
	if err := f.start(w, p, address, certificate); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *front) start(w *World, p *Provider, address string, certificate tls.Certificate) error {
	key, err := dmda.KeyPEM(certificate)
	if err != nil {
		return err
	}
	verify, user := "ssl_verify_client optional; ssl_client_certificate "+f.dir+"/ca.pem;", ""
	switch {
	case len(w.o.Clients) > 0: // as config does
		verify = "ssl_verify_client optional_no_ca;"
	case w.o.TLS.Mutual:
		verify = "ssl_verify_client on; ssl_client_certificate " + f.dir + "/ca.pem;"
	}
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	for name, text := range map[string][]byte{
		"server.key": key, "server.pem": dmda.CertificatePEM(certificate.Leaf), "ca.pem": dmda.CertificatePEM(w.Keys.TLS.Certificate),
		"nginx.conf": fmt.Appendf(nil, legacy, f.dir, address, verify, user),
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	l, err := net.Listen("unix", filepath.Join(f.dir, "provider"))
	if err != nil {
		return err
	}
	go func() { _ = p.server.Serve(l) }()
	said := &strings.Builder{}
	f.command = exec.Command(w.o.TLS.Nginx, "-c", filepath.Join(f.dir, "nginx.conf"), "-p", f.dir, "-e", "stderr")
	f.command.Stderr = said
	if err := f.command.Start(); err != nil {
		return fmt.Errorf("nginx, which ends TLS as old providers do, does not start: %w; install nginx-light", err)
	}
	go func() { f.ended <- f.command.Wait() }()
	return f.listening(address, said)
}

// patience is how long nginx may take to listen.
const patience = time.Minute

// listening waits for it.
func (f *front) listening(address string, said *strings.Builder) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return c.Close()
		}
		select {
		case err := <-f.ended:
			f.ended <- err
			return fmt.Errorf("nginx ended: %s", strings.TrimSpace(said.String()))
		case <-ctx.Done():
			return errors.New("nginx does not listen")
		case <-tick.C:
		}
	}
}

// close ends nginx, and removes what was made for it.
func (f *front) close() {
	if f.command != nil && f.command.Process != nil {
		_ = f.command.Process.Signal(os.Interrupt)
		<-f.ended
		f.command = nil
	}
	_ = os.RemoveAll(f.dir)
}
