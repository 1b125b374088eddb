package delivery

import "github.com/siegel-mail/siegel/gateway/mail"

// Table is a Router with fixed routes: the first entry that matches an address is its route. It is not
// changed after its first use.
type Table []Entry

// Entry is a line of a Table. One whose Route has no Transport leads nowhere, and later entries are not asked.
type Entry struct {
	Match mail.Patterns
	Route Route
	// PerDomain, where it is set, makes each domain of a recipient a destination of its own, whose name is this
	// and the domain: "mx:" gives "mx:partner.example".
	PerDomain string
}

// Route gives the way to an address.
func (t Table) Route(a mail.Address) (Route, error) {
	for i := range t {
		if !t[i].Match.Match(a) {
			continue
		}
		if t[i].Route.Transport == nil {
			break
		}
		r := t[i].Route
		if t[i].PerDomain != "" {
			r.Name, r.PerDomain = t[i].PerDomain+a.Domain, true
		}
		return r, nil
	}
	return Route{}, ErrNoRoute
}

// DeMail is ErrNoRoute: a Table has no accounts.
func (t Table) DeMail(string) (Route, error) { return Route{}, ErrNoRoute }

// Archive is ErrNoRoute: a Table has no archives.
func (t Table) Archive(string) (Route, error) { return Route{}, ErrNoRoute }

// Destination names the route to an address.
func (t Table) Destination(a mail.Address) (string, error) {
	r, err := t.Route(a)
	return r.Name, err
}
