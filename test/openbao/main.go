// Command openbao is a Vault-compatible server for tests: OpenBao as it is, with the parts that the tests use
// (transit, pki, kv, approle, cert) and without those that unseal by a cloud. It is never part of a release.
//
//	openbao -listen 127.0.0.1:0 -cert FILE -key FILE [-data DIR] [-unseal KEY] [-http1]
//
// The first line of its standard output is a JSON object with addr and, of a new server, token and unseal. It
// ends when its standard input does, so that it does not outlive a test that was killed.
package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	baohttp "github.com/openbao/openbao/http"
	"github.com/openbao/openbao/internalshared/configutil"
	"github.com/openbao/openbao/sdk/v2/physical"
	"github.com/openbao/openbao/sdk/v2/physical/file"
	"github.com/openbao/openbao/sdk/v2/physical/inmem"
	"github.com/openbao/openbao/vault"
)

// ready is what the server says of itself.
type ready struct {
	Addr   string `json:"addr"`
	Token  string `json:"token,omitempty"`
	Unseal string `json:"unseal,omitempty"`
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address and port")
	certificate, key := flag.String("cert", "", "certificate, PEM"), flag.String("key", "", "its key, PEM")
	data := flag.String("data", "", "folder of the storage; empty: memory")
	unseal := flag.String("unseal", "", "the key that unseals what is in the folder")
	http1 := flag.Bool("http1", false, "offer no HTTP/2")
	flag.Parse()
	go endWithInput()
	say, core, err := start(*data, *unseal)
	if err != nil {
		log.Fatal(err)
	}
	l, err := bind(*listen, *certificate, *key, *http1)
	if err != nil {
		log.Fatal(err)
	}
	say.Addr = "https://" + l.Addr().String()
	if err := json.NewEncoder(os.Stdout).Encode(say); err != nil {
		log.Fatal(err)
	}
	handler := baohttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: &configutil.Listener{Type: "tcp"}})
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(s.Serve(l))
}

// endWithInput ends the process with whoever started it.
func endWithInput() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// start opens the core, new or with the key that unseals it. A key that is absent leaves it sealed.
func start(data, unseal string) (say ready, core *vault.Core, err error) {
	lg := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	store, err := storage(data, lg)
	if err != nil {
		return say, nil, err
	}
	core, err = vault.NewCore(&vault.CoreConfig{
		Physical: store, Logger: lg, LogicalBackends: logicals(), CredentialBackends: creds(), BuiltinRegistry: registry{},
	})
	if err != nil {
		return say, nil, err
	}
	ctx := context.Background()
	initialised, err := core.Initialized(ctx)
	if err != nil {
		return say, nil, err
	}
	if !initialised {
		one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
		res, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
		if err != nil {
			return say, nil, err
		}
		unseal = base64.StdEncoding.EncodeToString(res.SecretShares[0])
		say.Token, say.Unseal = res.RootToken, unseal
	}
	if unseal == "" {
		return say, core, nil
	}
	share, err := base64.StdEncoding.DecodeString(unseal)
	if err != nil {
		return say, nil, err
	}
	if _, err := core.Unseal(share); err != nil {
		return say, nil, err
	}
	for core.Sealed() {
		time.Sleep(5 * time.Millisecond)
	}
	return say, core, nil
}

func storage(data string, lg hclog.Logger) (physical.Backend, error) {
	if data == "" {
		return inmem.NewInmem(nil, lg)
	}
	return file.NewFileBackend(map[string]string{"path": data}, lg)
}

func bind(listen, certificate, key string, http1 bool) (net.Listener, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	protocols := []string{"h2", "http/1.1"}
	if http1 {
		protocols = protocols[1:]
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, NextProtos: protocols}), nil
}
