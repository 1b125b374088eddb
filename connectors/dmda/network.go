package dmda

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
)

// Simulation is said by everything that a simulated provider writes.
const Simulation = "SIMULATED DE-MAIL - proves nothing / SIMULIERTE DE-MAIL - beweist nichts"

// MaxStored is how many bytes all mailboxes of a network hold together; then nothing more is taken.
const MaxStored = 1 << 30

// Network is a number of simulated providers that reach each other. It is safe for concurrent use, and so is everything made from it.
type Network struct {
	now       func() time.Time
	mu        sync.Mutex
	providers []*Simulated
	ids       int
	stored    int
}

// NewNetwork makes an empty one. now tells the time; its zone is that of days and of what is written.
func NewNetwork(now func() time.Time) *Network { return &Network{now: now} }

// Simulated is one simulated provider.
type Simulated struct {
	net      *Network
	domain   string
	seal     demail.Sealer
	accounts []*account
	// overlooks: it finds no malware in what its own customers send, so that the recipient's provider has to.
	overlooks bool
}

// Overlook makes the provider find no malware in what its customers send, or find it again.
func (p *Simulated) Overlook(overlooks bool) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.overlooks = overlooks
}

// Add puts a provider into the network. Its domain is where its system addresses are, and may be that of persons, too; seal is its key, which
// signs confirmations and what is authoritative.
func (n *Network) Add(domain string, seal demail.Sealer) (*Simulated, error) {
	domain, err := demail.ParseDomain(domain)
	if err != nil {
		return nil, err
	}
	if seal.Key == nil || seal.Certificate == nil {
		return nil, errors.New("dmda: a simulated provider has a key with a certificate, since it signs confirmations")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.ContainsFunc(n.providers, func(p *Simulated) bool { return p.domain == domain }) {
		return nil, fmt.Errorf("dmda: there is a simulated provider %s already", domain)
	}
	p := &Simulated{net: n, domain: domain, seal: seal}
	n.providers = append(n.providers, p)
	return p, nil
}

// Account is somebody's account.
type Account struct {
	Holder    string           // a person's or an institution's name
	Addresses []demail.Address // the first is the one that counts; pseudonyms among them
	Domains   []string         // of an institution: every address in them is the account's
	Highest   demail.Level     // how its holder can log in at most
	// PublicBody may ask for confirmations of retrieve (TR-01201 3.1, 3.3.5).
	PublicBody bool
	Closed     bool  // nothing is delivered to it any more
	Limit      int64 // bytes that the mailbox holds of other people's messages; zero: as many as the network
}

type account struct {
	Account
	letters []*letter
	sent    map[string]sent // by private id
	day     string          // on which it has sent
	count   int             // messages on that day at level normal
	reach   int             // their recipients
}

// sent is a message that was taken.
type sent struct {
	id string
	at time.Time
}

// letter is a message in a mailbox.
type letter struct {
	id       string
	to       demail.Address
	header   demail.Header
	body     []byte
	arrived  time.Time
	private  bool     // to be read at level high only
	retrieve *receipt // to be confirmed at the next login at level high
}

// Open makes an account. The error wraps demail.ErrAddress, or says whose an address is already.
func (p *Simulated) Open(a Account) error {
	if len(a.Addresses) == 0 || a.Highest != demail.LevelNormal && a.Highest != demail.LevelHigh {
		return errors.New("dmda: an account has an address, and a level")
	}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	for _, address := range a.Addresses {
		if _, other := p.net.find(address); address.IsZero() || other != nil || address.Form() == demail.FormSystem && address.Domain() == p.domain {
			return fmt.Errorf("dmda: the address %s is somebody's already, or nobody's", address)
		}
	}
	for i, d := range a.Domains {
		domain, err := demail.ParseDomain(d)
		if err != nil {
			return err
		}
		a.Domains[i] = domain
	}
	p.accounts = append(p.accounts, &account{Account: a, sent: make(map[string]sent)})
	return nil
}

// find looks for the account of an address, by the address and then by its domain.
func (n *Network) find(a demail.Address) (*Simulated, *account) {
	for _, owns := range []func(*account) bool{
		func(c *account) bool { return slices.Contains(c.Addresses, a) },
		func(c *account) bool { return slices.Contains(c.Domains, a.Domain()) },
	} {
		for _, p := range n.providers {
			if i := slices.IndexFunc(p.accounts, owns); i >= 0 {
				return p, p.accounts[i]
			}
		}
	}
	return nil, nil
}

// owns tells whether an address is the account's.
func (c *account) owns(a demail.Address) bool {
	return slices.Contains(c.Addresses, a) || slices.Contains(c.Domains, a.Domain())
}

// domains are those of the account's addresses.
func (c *account) domains() []string {
	out := slices.Clone(c.Domains)
	for _, a := range c.Addresses {
		if !slices.Contains(out, a.Domain()) {
			out = append(out, a.Domain())
		}
	}
	return out
}

// knows tells whether a domain is one of this network, so that an address in it can be there.
func (n *Network) knows(domain string) bool {
	if (demail.Domains{}).Has(domain) {
		return true
	}
	for _, p := range n.providers {
		if p.domain == domain || slices.ContainsFunc(p.accounts, func(c *account) bool { return slices.Contains(c.domains(), domain) }) {
			return true
		}
	}
	return false
}

// id makes one that nothing else in the network has.
func (n *Network) id(p *Simulated) string {
	n.ids++
	return fmt.Sprintf("%d.%d@pvd.%s", n.now().Unix(), n.ids, p.domain)
}
