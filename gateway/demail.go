package gateway

import (
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/gateway/delivery"
	"github.com/siegel-mail/siegel/gateway/dispatch"
)

// DeMail is what the settings have for De-Mail.
type DeMail struct {
	// Desk knows which domains are De-Mail, and who may send what. Its accounts are those of Accounts, by name.
	Desk     *dispatch.Desk
	Accounts []DeMailAccount
	Incoming DeMailIncoming
}

// DeMailAccount is an account with a provider of De-Mail.
type DeMailAccount struct {
	Name        string
	Provider    connectors.Provider
	Host        string         // of the provider, as events name it; empty: the account's name
	Concurrency int            // messages being submitted at once; 0: 2
	Retry       delivery.Retry // no steps: that of the settings
	Expire      time.Duration  // 0: that of the settings
	Fetch       DeMailFetch
	// Close lets go of what the provider holds, such as connections that are not in use; nil: nothing. It is called once, when other settings
	// are in force; attempts that are under way may go on.
	Close func()
}

// isDeMail reports whether a domain is De-Mail: by its name, and by what the settings and the providers say.
func (s Settings) isDeMail(domain string) bool { return s.desk().IsDeMail(domain) }

// desk decides on De-Mail; nil where the settings have none. It still knows the domains that all providers share then.
func (s Settings) desk() *dispatch.Desk {
	if s.DeMail == nil {
		return nil
	}
	return s.DeMail.Desk
}

// deMailLifetime is how long a message may wait for the provider of an account; 0 where there is no such account.
func (r *router) deMailLifetime(account string) time.Duration {
	route, err := r.DeMail(account)
	if err != nil {
		return 0
	}
	return route.Lifetime
}

// DeMail implements delivery.Router.
func (r *router) DeMail(account string) (delivery.Route, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a := r.current.accounts[account]
	if a == nil {
		return delivery.Route{}, delivery.ErrNoRoute
	}
	return a.route, nil
}
