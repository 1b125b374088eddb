package ldap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// attributeName is the name of an attribute, or its object identifier (RFC 4512, 2.5).
var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)$`)

var (
	errAttribute = errors.New("this is no name of an attribute, as in msExchMailboxGuid")
	errTemplate  = errors.New("its base hangs on the domain of an address, so it finds nobody by anything else; give it a base without {dc}")
)

// CheckAttribute says why a text cannot be the name of an attribute, or nothing.
func CheckAttribute(name string) error {
	if !attributeName.MatchString(name) || len(name) > 200 {
		return errAttribute
	}
	return nil
}

// AddressesWith returns the addresses of the entry whose attribute has this value, in the form that certs.AddressKey gives. It returns none where there is no such entry, or
// more than one, or one that is disabled: whose it is must be certain. The error is a *certs.UnavailableError.
func (d *Directory) AddressesWith(ctx context.Context, attribute string, value []byte) ([]string, error) {
	err := CheckAttribute(attribute)
	if err == nil && strings.Contains(d.o.BaseDN, placeDC) {
		err = errTemplate
	}
	if err != nil {
		return nil, d.unavailable(err)
	}
	if len(value) == 0 || len(value) > maxText {
		return nil, nil
	}
	all, err := d.owner(ctx, d.o.BaseDN, "("+attribute+"="+escapeAll(value)+")")
	return all, err
}

// AddressesOf returns the addresses of the entry that has this one among them, this one too. It is AddressesWith else.
func (d *Directory) AddressesOf(ctx context.Context, address string) ([]string, error) {
	k := key(address)
	if k == "" {
		return nil, nil
	}
	all, err := d.owner(ctx, fillBase(d.o.BaseDN, k), fill(d.o.Filter, k))
	if err != nil || !slices.Contains(all, k) { // a filter may find more than it should
		return nil, err
	}
	return all, nil
}

// owner are the addresses of the one entry that a filter finds.
func (d *Directory) owner(ctx context.Context, base, filter string) (addresses []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
	defer cancel()
	const most = 2
	err = d.ask(ctx, func(c *conn) (int, error) {
		addresses = nil
		found, err := d.search(ctx, c, d.request(base, filter, most))
		if errors.Is(err, errTooMany) || base != d.o.BaseDN && goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
			return 0, nil // more than one; or the directory does not have the domain
		}
		if err != nil || len(found) != 1 {
			return 0, err
		}
		if e := d.entry(found[0]); !e.Disabled {
			addresses = e.Addresses
		}
		return len(addresses), nil
	})
	if err != nil {
		return nil, d.unavailable(err)
	}
	return addresses, nil
}

// escapeAll is a value of any bytes in a filter (RFC 4515, 3).
func escapeAll(value []byte) string {
	var b strings.Builder
	for _, c := range value {
		fmt.Fprintf(&b, `\%02x`, c)
	}
	return b.String()
}
