// Package ldap asks LDAP directories for certificates and addresses; it judges no certificate and keeps no answer.
//
// A [Directory] is one directory with any number of servers. Every question is bounded in time, in the number and size of
// what comes back, and in the connections it takes up. A password that was refused is not tried again for half an hour, so
// that no account is locked by its gateway.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Method is how the gateway says who it is (RFC 4513, 5).
type Method string

// The methods.
const (
	Anonymous Method = "anonymous"
	Simple    Method = "simple"   // a name and a password, under TLS
	External  Method = "external" // by the client certificate, or by the user of a Unix socket (RFC 4422, appendix A)
)

// Scope is how far below the base is looked (RFC 4511, 4.5.1.2).
type Scope string

// The scopes.
const (
	Subtree Scope = "subtree"
	One     Scope = "one"
	Base    Scope = "base"
)

// Options describe a directory. Name, Servers and Filter are required.
type Options struct {
	Name string // in the configuration
	// Servers are URLs, asked in this order: ldap://host:port, ldaps://host:port, or ldapi://%2Fpath%2Fof%2Fsocket.
	Servers []string
	// StartTLS begins TLS on connections of ldap:// (RFC 4513, 3) before anything else is said.
	StartTLS bool
	// TLS says whom to believe and which certificate to show; the name of each server is filled in where it has none, and
	// nothing below TLS 1.2 is spoken. nil: the authorities of the machine.
	TLS      *tls.Config
	Method   Method // empty: Anonymous
	DN       string // for Simple: a distinguished name, or what else the directory takes, as a userPrincipalName
	Password secret.String
	// BaseDN is where it is looked; {dc} in it stands for the domain of an address, as dc=firma,dc=example.
	BaseDN string
	Scope  Scope // empty: Subtree
	// Filter finds the entries of one address, see CheckFilter; All those that have an address. Without All there is no list.
	Filter, All string
	// Addresses and Certificates are the attributes with addresses and certificates; Show those that Look returns besides.
	Addresses, Certificates, Show []string
	// Members are the attributes of groups that hold the names of their members; GroupBase is where groups lie, where it is another place than
	// BaseDN.
	Members   []string
	GroupBase string
	// Accounts looks at whether accounts are disabled, as Active Directory writes it; those that are count as absent.
	Accounts bool
	// Serves says for which addresses Certificates asks; nil: all. Addresses that are asked about are in lower case, the domain in ASCII.
	Serves func(address string) bool
	// Referrals are URLs of servers, as in Servers, that the directory may send us on to, under the same name and password.
	// Others are not followed.
	Referrals   []string
	Timeout     time.Duration // of one question; 0: 10 seconds
	Connect     time.Duration // until one server has taken us in; 0: 3 seconds
	ListTimeout time.Duration // of a whole list; 0: 5 minutes
	Connections int           // at once; 0: 4
	Entries     int           // most for one address; 0: 20
	Page        int           // entries at once in a list (RFC 2696); 0: 500
	// Dial opens connections; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time // nil: time.Now
}

// ErrOptions is the error of options that cannot be used.
var ErrOptions = errors.New("certs/ldap: the options cannot be used")

// Directory is one directory. It may be used at once. It has no goroutines but those of connections that are open.
type Directory struct {
	o         Options
	servers   []*server
	referrals []*server
	room      chan struct{} // one for each connection in use
	binding   chan struct{} // one at a time, so that a wrong password is tried once

	mu     sync.Mutex
	idle   []*conn
	closed bool
	state  State
	away   error     // that was met last, and
	until  time.Time // for how long nothing is asked because of it
}

// State is how a directory does.
type State struct {
	Err       error         // why it cannot be asked; nil where it can, or was not asked yet
	Since     time.Time     // when that began; zero without Err
	Found     uint64        // questions with an answer that was not empty
	Nothing   uint64        // questions with an empty answer
	Failed    uint64        // questions without an answer
	Time      time.Duration // that all questions took
	Connected int           // connections that are open
	Server    string        // the one that answered last
}

// New makes a Directory; it asks nothing yet. The error is ErrOptions.
func New(o Options) (*Directory, error) {
	o.defaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	d := &Directory{o: o, room: make(chan struct{}, o.Connections), binding: make(chan struct{}, 1)}
	for _, url := range o.Servers {
		s, err := parseServer(url)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		if err := s.mayHear(o); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
		d.servers = append(d.servers, s)
	}
	for _, url := range o.Referrals {
		s, err := parseServer(url)
		if err == nil {
			err = s.mayHear(o)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: referrals: %w", ErrOptions, err)
		}
		d.referrals = append(d.referrals, s)
	}
	return d, nil
}

func (o *Options) defaults() {
	fallback := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	number := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	fallback(&o.Timeout, 10*time.Second)
	fallback(&o.Connect, 3*time.Second)
	fallback(&o.ListTimeout, 5*time.Minute)
	number(&o.Connections, 4)
	number(&o.Entries, 20)
	number(&o.Page, 500)
	if o.Method == "" {
		o.Method = Anonymous
	}
	if o.Scope == "" {
		o.Scope = Subtree
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{}
	}
}

func (o *Options) check() error {
	if len(o.Servers) == 0 {
		return errors.New("no server is named")
	}
	if err := CheckFilter(o.Filter, false); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	if o.All != "" {
		if err := CheckFilter(o.All, true); err != nil {
			return fmt.Errorf("filter for all: %w", err)
		}
	}
	if err := CheckBase(o.BaseDN); err != nil {
		return fmt.Errorf("base: %w", err)
	}
	if err := CheckBase(o.GroupBase); err != nil || strings.Contains(o.GroupBase, placeDC) {
		return errors.New("the base of groups is no distinguished name")
	}
	if o.All != "" && strings.Contains(o.BaseDN, placeDC) {
		return errors.New("a list of all needs a base without {dc}")
	}
	if o.TLS.InsecureSkipVerify {
		return errors.New("the certificates of servers are always verified")
	}
	if o.Method == Simple && (o.DN == "" || o.Password.IsZero()) {
		return errors.New("a name and a password are needed; an empty password would log in as nobody (RFC 4513, 5.1.2)")
	}
	return nil
}

// Name is the directory's name in the configuration.
func (d *Directory) Name() string { return d.o.Name }

// Certificates returns the certificates of the entries of an address, whatever their quality. None is an empty slice; the
// error is a *certs.UnavailableError.
func (d *Directory) Certificates(ctx context.Context, address string) ([]*x509.Certificate, error) {
	if d.o.Serves != nil && !d.o.Serves(key(address)) {
		return nil, nil
	}
	entries, err := d.look(ctx, address)
	var all []*x509.Certificate
	seen := map[string]bool{}
	for _, e := range entries {
		for _, c := range e.Certificates {
			if !e.Disabled && !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				all = append(all, c)
			}
		}
	}
	if err != nil && !(errors.Is(err, errTooMany) && len(all) > 0) {
		return nil, d.unavailable(err)
	}
	return all, nil
}

// Exists reports whether an entry bears the address among its addresses. The error is a *certs.UnavailableError: it is not known.
func (d *Directory) Exists(ctx context.Context, address string) (bool, error) {
	entries, err := d.look(ctx, address)
	k := key(address)
	for _, e := range entries {
		if !e.Disabled && (e.Partial || slices.Contains(e.Addresses, k)) {
			return true, nil
		}
	}
	if err != nil {
		return false, d.unavailable(err)
	}
	return false, nil
}

// Look returns the entries of an address, for people. Beside a *certs.UnavailableError there may be some.
func (d *Directory) Look(ctx context.Context, address string) ([]Entry, error) {
	entries, err := d.look(ctx, address)
	if err != nil {
		return entries, d.unavailable(err)
	}
	return entries, nil
}

// Addresses returns the addresses of all entries that All finds, in the form that certs.AddressKey gives; some may be there
// twice. The error is a *certs.UnavailableError: no list is better than half of one.
func (d *Directory) Addresses(ctx context.Context) ([]string, error) {
	if d.o.All == "" {
		return nil, d.unavailable(errors.New("no filter for all addresses is set"))
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.ListTimeout)
	defer cancel()
	var all []string
	err := d.ask(ctx, func(c *conn) (n int, err error) {
		all = all[:0]
		err = d.list(ctx, c, func(e Entry) {
			if !e.Disabled {
				all = append(all, e.Addresses...)
			}
		})
		return len(all), err
	})
	if err != nil {
		return nil, d.unavailable(err)
	}
	return all, nil
}

// Check asks the directory whether it answers at all: one connection, logged in, and a look at its base.
func (d *Directory) Check(ctx context.Context) error {
	if err := d.probe(ctx); err != nil {
		return d.unavailable(err)
	}
	return nil
}

// State tells how the directory does.
func (d *Directory) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.Connected = len(d.room) + len(d.idle)
	return s
}

// Close ends the connections that are not in use; those in use end with their questions. Whoever asks later gets an answer
// by a connection of its own.
func (d *Directory) Close() error {
	d.mu.Lock()
	idle := d.idle
	d.idle, d.closed = nil, true
	d.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	return nil
}

func (d *Directory) unavailable(err error) error {
	var already *certs.UnavailableError
	if errors.As(err, &already) {
		return err
	}
	return &certs.UnavailableError{Source: d.o.Name, Err: err}
}
