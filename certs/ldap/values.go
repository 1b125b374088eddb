package ldap

import (
	"context"
	"errors"
	"slices"
)

const (
	maxValues = 20   // of one attribute
	maxText   = 1024 // bytes of one
)

var errLongValue = errors.New("a value of the attribute is longer than is taken")

// Values returns the values of an attribute in the entries that bear an address among theirs, each once; none is an empty slice. The error is a
// *certs.UnavailableError, also where there are more or longer ones than can be meant.
func (d *Directory) Values(ctx context.Context, address, attribute string) (values []string, err error) {
	k := key(address)
	if k == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
	defer cancel()
	var fault error // of what the directory has, not of the directory
	err = d.ask(ctx, func(c *conn) (int, error) {
		values, fault = nil, nil
		r := d.request(fillBase(d.o.BaseDN, k), fill(d.o.Filter, k), d.o.Entries)
		if !has(r.Attributes, attribute) {
			r.Attributes = append(r.Attributes, attribute)
		}
		found, err := d.search(ctx, c, r)
		for _, one := range found {
			e := d.entry(one)
			if e.Disabled || !e.Partial && !slices.Contains(e.Addresses, k) {
				continue
			}
			for _, v := range one.GetEqualFoldAttributeValues(attribute) {
				switch {
				case len(v) > maxText:
					fault = errLongValue
				case !slices.Contains(values, v):
					values = append(values, v)
				}
			}
		}
		if len(values) > maxValues {
			fault = errTooMany
		}
		return len(values), err
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, d.unavailable(err)
	}
	return values, nil
}
