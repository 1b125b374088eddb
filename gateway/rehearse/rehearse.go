// Package rehearse says what would become of a message that nobody sends, by the parts of a gateway or by a configuration and what is assumed of the rest. It sends and keeps nothing.
package rehearse

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/dispatch"
	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/smtpin"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Options are what a configuration says of mail.
type Options struct {
	Hostname   string
	Local      mail.Patterns // the company's own domains
	Policy     *policy.Policy
	Vocabulary policy.Vocabulary
	SMIME      protect.SMIME
	// Listeners need no more than Name, Role, Senders, Tenant, MaxSize and MaxRecipients.
	Listeners []smtpin.Listener
	Routes    []Route // the first that matches a recipient serves it
	// DeMail has the accounts and senders; its Groups, Budget and look-ups are replaced by what is assumed. nil: there are no accounts.
	DeMail *dispatch.Options
	Ask    func(to mail.Address) bool // as protect.Ask.May; nil: nobody is asked
	Texts  *texts.Texts               // what senders are told; nil: in English
	Now    func() time.Time           // nil: time.Now
}

// Route is a way to some recipients.
type Route struct {
	Domains mail.Patterns
	// WithoutTLS reports whether the way to a domain does without TLS; nil: none does.
	WithoutTLS func(domain string) bool
}

// Facts are what is assumed. Addresses in it are patterns: alice@firma.example, "@partner.example".
type Facts struct {
	// Certificates are those who have a usable certificate, and of the company's own those who have the key as well; nobody else has.
	Certificates mail.Patterns
	// Groups are the members of the groups of the directory, by the names that the configuration has for them; who is not here is in none.
	Groups map[string]mail.Patterns
}

// Rehearsal explains. It may be used at once.
type Rehearsal struct {
	o     Options
	spool *atrest.Spool
	dir   string
}

// New makes a Rehearsal; the caller closes it. The error names what is wrong with the options.
func New(o Options) (*Rehearsal, error) {
	if o.Policy == nil {
		return nil, errors.New("rehearse: no policy")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dir, err := os.MkdirTemp("", "siegel-rehearsal-") // messages of explanations that do not fit into memory, encrypted
	if err != nil {
		return nil, err
	}
	r := &Rehearsal{o: o, dir: dir}
	if r.spool, err = atrest.NewSpool(dir, atrest.NewKey(), 0); err == nil {
		_, err = r.server()
	}
	if err == nil {
		_, err = r.protector(Facts{})
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close removes what the rehearsal has on disk.
func (r *Rehearsal) Close() error { return os.RemoveAll(r.dir) }

// Explain says what would become of a message if the facts held. Its errors are those of gateway.Explain.
func (r *Rehearsal) Explain(ctx context.Context, q explain.Question, f Facts) (explain.Answer, error) {
	m, err := q.Read()
	if err != nil {
		return explain.Answer{}, err
	}
	s, err := r.server()
	if err != nil {
		return explain.Answer{}, err
	}
	p, err := r.protector(f)
	if err != nil {
		return explain.Answer{}, err
	}
	return Ask(ctx, m, q.Listener, s, nil, p)
}

// server is what listens, without listening.
func (r *Rehearsal) server() (*smtpin.Server, error) {
	o := smtpin.Options{
		Hostname: r.o.Hostname, Local: r.o.Local, Handler: nobody{}, Spool: r.spool, Marks: nobody{}, Texts: r.o.Texts, Asks: r.o.Vocabulary.Fields(), Now: r.o.Now,
	}
	for _, l := range r.o.Listeners {
		made := smtpin.Listener{
			Name: l.Name, Address: l.Address, Role: l.Role, Senders: l.Senders, Tenant: l.Tenant, MaxSize: l.MaxSize, MaxRecipients: l.MaxRecipients,
			Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, // nobody connects
		}
		if l.Role == smtpin.Submission {
			made.Auth, made.TLSConfig = nobody{}, new(tls.Config)
		}
		o.Listeners = append(o.Listeners, made)
	}
	return smtpin.New(o)
}

// protector is what decides.
func (r *Rehearsal) protector(f Facts) (*protect.Protector, error) {
	desk, err := r.desk(f)
	if err != nil {
		return nil, err
	}
	return protect.New(protect.Options{
		Local: r.o.Local, Policy: r.o.Policy, Vocabulary: r.o.Vocabulary, Certs: people{f}, Validator: certs.NewValidator(nil, nil), Groups: people{f}, Desk: desk,
		Router: roads{r, desk}, WithoutTLS: roads{r, desk}.withoutTLS, SMIME: r.o.SMIME, Expire: time.Hour, Ask: protect.Ask{May: r.o.Ask}, Spool: r.spool, Texts: r.o.Texts, Now: r.o.Now,
	})
}

// desk decides on De-Mail.
func (r *Rehearsal) desk(f Facts) (*dispatch.Desk, error) {
	if r.o.DeMail == nil {
		return nil, nil
	}
	o := *r.o.DeMail
	o.Groups, o.Budget, o.Now = people{f}, purse{}, r.o.Now
	o.Senders = nil
	for _, s := range r.o.DeMail.Senders {
		if s.Lookup != nil {
			s.Lookup = namesake{r.domainOf(s.Account)}
		}
		o.Senders = append(o.Senders, s)
	}
	return dispatch.New(o)
}

// domainOf is a domain from which an account sends.
func (r *Rehearsal) domainOf(account string) string {
	for _, a := range r.o.DeMail.Accounts {
		if a.Name == account && len(a.Domains) > 0 {
			return a.Domains[0]
		}
	}
	return ""
}

// roads are the routes, as far as they are there.
type roads struct {
	*Rehearsal
	desk *dispatch.Desk
}

func (r roads) to(a mail.Address) *Route {
	if r.desk.IsDeMail(a.Domain) && !r.o.Local.Match(a) { // invariant 3
		return nil
	}
	for i := range r.o.Routes {
		if r.o.Routes[i].Domains.Match(a) {
			return &r.o.Routes[i]
		}
	}
	return nil
}

// Destination implements protect.Router.
func (r roads) Destination(to mail.Address) (string, error) {
	if r.to(to) == nil {
		return "", fmt.Errorf("rehearse: no route leads to %s", to.Domain)
	}
	return "route", nil
}

func (r roads) withoutTLS(to mail.Address) bool {
	route := r.to(to)
	return route != nil && route.WithoutTLS != nil && route.WithoutTLS(to.Domain)
}

// nobody stands where a listener needs somebody.
type nobody struct{ smtpin.Marks }

// Accept implements smtpin.Handler.
func (nobody) Accept(context.Context, mail.Envelope, mail.Content) error {
	return status.Refuse(451, "4.3.0", "this is a rehearsal")
}

// Authenticate implements smtpin.Authenticator.
func (nobody) Authenticate(context.Context, string, string) (mail.Patterns, error) {
	return nil, smtpin.ErrCredentials
}
