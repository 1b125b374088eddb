package smtpin

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
)

const (
	defaultMaxSize       = 50 << 20
	defaultMaxRecipients = 1000
)

// ErrOptions is what the errors of New and Reload about their options wrap.
var ErrOptions = errors.New("smtpin: options")

// settings are checked Options with defaults filled in. They are not changed any more.
type settings struct {
	Options
	sites      []*site
	postmaster mail.Address // who <postmaster> without a domain is (RFC 5321, 4.5.1)
}

// site is one listener with the settings it belongs to.
type site struct {
	*settings
	Listener
	limits Limits
}

func newSettings(o Options) (*settings, error) {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi{}
	}
	if o.Log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		o.Log = quiet
	}
	set := &settings{Options: o}
	errs := set.check()
	for _, l := range o.Listeners {
		site := &site{settings: set, Listener: l, limits: o.Limits}
		if l.Limits != nil {
			site.limits = l.Limits.withDefaults()
		}
		errs = append(errs, site.check(set.sites)...)
		set.sites = append(set.sites, site)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrOptions, errors.Join(errs...))
	}
	return set, nil
}

func (set *settings) check() (errs []error) {
	if set.Handler == nil || set.Spool == nil {
		errs = append(errs, errors.New("a Handler and a Spool are needed"))
	}
	postmaster, err := mail.ParseAddress("postmaster@" + set.Hostname)
	if err != nil || strings.HasPrefix(set.Hostname, "[") {
		errs = append(errs, fmt.Errorf("hostname %q is no host name: set the name by which others know this host", set.Hostname))
	}
	set.Hostname = postmaster.Domain
	set.postmaster = postmaster
	for _, p := range set.Local {
		if domain := p.Domain(); domain != "" {
			set.postmaster.Domain = domain
			break
		}
	}
	return errs
}

// check fills in defaults and reports every fault of one listener.
func (l *site) check(others []*site) (errs []error) {
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("listener %q: %s", l.Name, fmt.Sprintf(format, args...)))
	}
	if l.MaxSize <= 0 {
		l.MaxSize = defaultMaxSize
	}
	if l.MaxRecipients <= 0 {
		l.MaxRecipients = defaultMaxRecipients
	}
	for _, o := range others {
		if o.Name == l.Name {
			fault("another listener has this name")
		}
	}
	if l.TLSConfig == nil && (l.Implicit || l.RequireTLS) {
		fault("it demands TLS: give it a certificate")
	}
	if l.Normalise && l.Role != Internal {
		fault("line ends are mended on internal listeners only")
	}
	if l.Clients != nil {
		if l.TLSConfig == nil || len(l.Clients.Names) == 0 {
			fault("client certificates need a certificate of the listener's own and the names that are allowed")
		} else {
			l.TLSConfig = askCertificate(l.TLSConfig)
		}
	}
	switch l.Role {
	case External:
	case Internal:
		if len(l.Networks) == 0 && l.Clients == nil || len(l.Senders) == 0 {
			fault("role internal needs the networks that may connect, or client certificates, and the senders they may use")
		}
	case Submission:
		if l.Auth == nil || l.TLSConfig == nil {
			fault("role submission needs users and, since passwords travel under TLS only, a certificate")
		}
	case RoundTrip:
		if len(l.Networks) == 0 && l.Clients == nil || len(l.Senders) == 0 || l.Tenant.IsZero() || l.Marks == nil {
			fault("role roundtrip needs the networks that may connect or the names of client certificates, the senders inside, a tenant, and marks")
		}
	default:
		fault("role %q is none of internal, external, submission, roundtrip", l.Role)
	}
	if !l.Tenant.IsZero() && l.Role != Internal && l.Role != RoundTrip {
		fault("role %s has no tenant", l.Role)
	}
	return errs
}

// words are what people inside, or others, are told in.
func (l *site) words(inside bool) *texts.Texts {
	if inside {
		return l.Texts
	}
	return l.Texts.Outside()
}

// permits reports whether a client at this address may connect.
func (l *site) permits(c client) bool {
	for _, n := range l.Networks {
		if n.Contains(c.addr) {
			return true
		}
	}
	return len(l.Networks) == 0 && (l.Role != Internal && l.Role != RoundTrip || l.Clients != nil)
}
