package vault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/secret"
)

// The defaults of Options.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultConnections = 16
)

// Options of a client. Name, Addresses, Login and Log are needed.
type Options struct {
	Name      string   // in the configuration, in references, errors and metrics
	Addresses []string // https://HOST:PORT, of one cluster; http only on this machine, as a Vault Agent listens
	Namespace string   // of the keys, secrets and logins; empty: the root one
	Roots     *x509.CertPool
	// TLS is what connections must be like; nil: TLS 1.2 and later. Roots and Certificate are filled in, and it is not changed.
	TLS *tls.Config
	// Certificate is shown to the server, and logs in where Login says so. It may be nil.
	Certificate *tls.Certificate
	Login       Login
	Transit     string        // where the transit engine is mounted; empty: transit
	KV          string        // where the key-value engine, version 2, is mounted; empty: secret
	PKI         string        // where the PKI engine is mounted; empty: pki
	Timeout     time.Duration // of an operation as a whole; 0: DefaultTimeout
	Connections int           // at once, and so are requests; 0: DefaultConnections
	Log         logrus.FieldLogger
	Now         func() time.Time // nil: time.Now
	// Observe is told of every request: what for ("sign", "decrypt", "login"), how it ended ("ok", "unavailable",
	// "denied", "refused"), and how long it took. It may be nil.
	Observe func(operation, outcome string, elapsed time.Duration)
}

// Login says how the gateway proves who it is: by one of Token, RoleID with SecretID, and Certificate.
type Login struct {
	Token       secret.String
	RoleID      secret.String // of AppRole
	SecretID    secret.String
	Certificate bool   // by Options.Certificate
	Role        string // of the certificate's login; empty: whichever fits
	Mount       string // where the method is enabled; empty: approle or cert
}

// method is the kind of login, and why there is none.
func (l Login) method() (string, error) {
	var all []string
	if !l.Token.IsZero() {
		all = append(all, methodToken)
	}
	if !l.RoleID.IsZero() || !l.SecretID.IsZero() {
		all = append(all, methodAppRole)
	}
	if l.Certificate {
		all = append(all, methodCert)
	}
	if len(all) != 1 {
		return "", errors.New("one way to log in is needed: a token, the ids of an AppRole, or a certificate")
	}
	return all[0], nil
}

// The methods of login, and where they are mounted by default.
const (
	methodToken   = "token"
	methodAppRole = "approle"
	methodCert    = "cert"
)

// withDefaults is o with every default filled in, or why it cannot be used.
func (o Options) withDefaults() (Options, error) {
	for field, value := range map[*string]string{&o.Transit: "transit", &o.KV: "secret", &o.PKI: "pki"} {
		if *field = strings.Trim(*field, "/"); *field == "" {
			*field = value
		}
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Connections == 0 {
		o.Connections = DefaultConnections
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	method, err := o.Login.method()
	if err != nil {
		return o, err
	}
	if o.Login.Mount = strings.Trim(o.Login.Mount, "/"); o.Login.Mount == "" {
		o.Login.Mount = method
	}
	if o.Login.Certificate && o.Certificate == nil {
		return o, errors.New("to log in by certificate, a client certificate is needed")
	}
	if len(o.Addresses) == 0 {
		return o, errors.New("an address is needed, as in https://vault.firma.example:8200")
	}
	for _, a := range o.Addresses {
		if err := CheckAddress(a); err != nil {
			return o, err
		}
	}
	return o, nil
}

// CheckAddress says why an address is none that a client takes: a token or a secret never goes over an unencrypted
// network.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("this is no address of a Vault; write it as in https://vault.firma.example:8200")
	}
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("a Vault is asked by https only; http is for a Vault Agent on 127.0.0.1")
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// hostPort is an address without its scheme, for errors.
func hostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the vault"
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return u.Host
}
