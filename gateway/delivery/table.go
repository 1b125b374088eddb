package delivery

import "github.com/siegel-mail/siegel/gateway/mail"

// Table is a Router with fixed routes: the first entry that matches an address is its route. It is not
// changed after its first use.
type Table []Entry

// Entry is a line of a Table.
type Entry struct {
	Match mail.Patterns
	Route Route
}

// Route gives the way to an address.
func (t Table) Route(a mail.Address) (Route, error) {
	for i := range t {
		if t[i].Match.Match(a) {
			return t[i].Route, nil
		}
	}
	return Route{}, ErrNoRoute
}

// Destination names the route to an address.
func (t Table) Destination(a mail.Address) (string, error) {
	r, err := t.Route(a)
	return r.Name, err
}
