package gateway

import "github.com/siegel-mail/siegel/gateway/delivery"

// Archive implements delivery.Router.
func (r *router) Archive(name string) (delivery.Route, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	route, ok := r.current.archives[name]
	if !ok {
		return delivery.Route{}, delivery.ErrNoRoute
	}
	return route, nil
}
