package ldap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

const (
	maxGroups  = 1000 // that one address may be in
	maxNesting = 20   // of groups in groups
	askedDNs   = 50   // in one filter
	maxDN      = 2 << 10
)

// groupClasses are the object classes of groups whose members are named by their distinguished names.
const groupClasses = "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers))"

var (
	errNoGroup    = errors.New("it has no such group; write its common name, its mail address or its distinguished name as it stands there, and see whether the account may read it and group_base is above it")
	errTwoGroups  = errors.New("it has more than one group of this name; write the distinguished name of the one that is meant")
	errNoMembers  = errors.New("the configuration does not say which attributes of groups hold their members")
	errManyGroups = fmt.Errorf("the address is in more than %d groups, or in groups more than %d deep", maxGroups, maxNesting)
)

// Group finds a group by its distinguished name, its mail address or its common name, which must be those of one group alone. id is what GroupsOf
// calls it; shown tells that the directory shows at least one member of it. The error is a *certs.UnavailableError, also where there is no such group:
// who is in it is not known.
func (d *Directory) Group(ctx context.Context, name string) (id string, shown bool, err error) {
	fault := CheckGroup(name)
	if !d.KnowsGroups() {
		fault = errNoMembers
	}
	if fault == nil {
		ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
		defer cancel()
		err = d.ask(ctx, func(c *conn) (int, error) {
			found, err := d.named(ctx, c, name)
			if fault = oneGroup(found); err != nil || fault != nil {
				return 0, err
			}
			id = DNKey(found[0].DN)
			r := d.groupRequest(found[0].DN, "(|("+strings.Join(d.o.Members, "=*)(")+"=*))", 1)
			r.Scope = goldap.ScopeBaseObject
			found, err = d.search(ctx, c, r)
			shown = len(found) > 0
			return 1, err
		})
	}
	if err = cmp.Or(err, fault); err != nil {
		return "", false, d.unavailable(fmt.Errorf("the group %q: %w", cut(name), err))
	}
	return id, shown, nil
}

// oneGroup is why what was found is not one group.
func oneGroup(found []*goldap.Entry) error {
	switch len(found) {
	case 0:
		return errNoGroup
	case 1:
		return nil
	}
	return errTwoGroups
}

// cut is a name for an error, which a configuration may make long.
func cut(name string) string {
	const most = 200
	return name[:min(len(name), most)]
}

// named are the groups of a name, two of them at most.
func (d *Directory) named(ctx context.Context, c *conn, name string) ([]*goldap.Entry, error) {
	const most = 2
	r := d.groupRequest(d.groupBase(), "(&"+groupClasses+"(cn="+goldap.EscapeFilter(name)+"))", most)
	switch address := key(name); {
	case isDN(name):
		r.BaseDN, r.Scope, r.Filter = name, goldap.ScopeBaseObject, groupClasses
	case address != "":
		r.Filter = "(&" + groupClasses + fill(d.o.Filter, address) + ")"
	}
	found, err := d.search(ctx, c, r)
	if errors.Is(err, errTooMany) || r.BaseDN == name && goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject) {
		err = nil
	}
	return found, err
}

// CheckGroup says why a text cannot be the name of a group, or nothing: a distinguished name, a mail address or a common name.
func CheckGroup(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("the name of a group is missing")
	case len(name) > maxDN:
		return fmt.Errorf("the name of a group has at most %d letters", maxDN)
	case strings.Contains(name, "=") && !isDN(name):
		return errors.New("this is no distinguished name, as in CN=Legal,OU=Groups,DC=firma,DC=example; a common name with = in it is written as a part of one")
	}
	return nil
}

// isDN reports whether a name is a distinguished name (RFC 4514).
func isDN(name string) bool {
	dn, err := goldap.ParseDN(name)
	return err == nil && len(dn.RDNs) > 0
}

// DNKey is the form in which distinguished names are compared, and that of ids of groups: case does not matter, as in all attributes that groups are named by. One that cannot
// be read is compared as it is.
func DNKey(name string) string {
	if dn, err := goldap.ParseDN(name); err == nil {
		name = dn.String()
	}
	return strings.ToLower(name)
}

// GroupsOf returns the groups that the entries of an address are in, themselves or by way of other groups, and these entries, since a group may write
// itself. It walks up from group to group, so that it does not matter whether the directory knows memberOf or rules for chains. The error is a
// *certs.UnavailableError: it is not known.
func (d *Directory) GroupsOf(ctx context.Context, address string) (ids []string, err error) {
	if !d.KnowsGroups() {
		return nil, d.unavailable(errNoMembers)
	}
	k := key(address)
	if k == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, errSilent)
	defer cancel()
	var fault error // of what the directory has, not of the directory
	err = d.ask(ctx, func(c *conn) (int, error) {
		r := d.request(d.o.BaseDN, fill(d.o.Filter, k), d.o.Entries)
		r.Attributes = []string{"1.1"}
		found, err := d.search(ctx, c, r)
		if err == nil {
			ids, err = d.climb(ctx, c, found)
		}
		if fault = nil; errors.Is(err, errManyGroups) {
			fault, err = err, nil
		}
		return len(ids), err
	})
	if err = cmp.Or(err, fault); err != nil {
		return nil, d.unavailable(err)
	}
	return ids, nil
}

// KnowsGroups reports whether the directory can be asked for groups.
func (d *Directory) KnowsGroups() bool { return len(d.o.Members) > 0 }

// climb walks from entries to the groups they are in, and on to the groups of these.
func (d *Directory) climb(ctx context.Context, c *conn, level []*goldap.Entry) (ids []string, err error) {
	seen := map[string]bool{}
	for range maxNesting {
		var names []string
		for _, e := range level {
			if id := DNKey(e.DN); !seen[id] {
				seen[id] = true
				ids, names = append(ids, id), append(names, e.DN)
			}
		}
		if len(names) == 0 {
			return ids, nil
		}
		level = nil
		for some := range slices.Chunk(names, askedDNs) {
			found, err := d.search(ctx, c, d.groupRequest(d.groupBase(), d.membersFilter(some), maxGroups))
			if errors.Is(err, errTooMany) {
				return nil, errManyGroups
			}
			if err != nil {
				return nil, err
			}
			if level = append(level, found...); len(ids)+len(level) > maxGroups+d.o.Entries {
				return nil, errManyGroups
			}
		}
	}
	return nil, errManyGroups
}

// membersFilter finds the groups that any of the names is a member of.
func (d *Directory) membersFilter(names []string) string {
	var b strings.Builder
	b.WriteString("(|")
	for _, name := range names {
		for _, attribute := range d.o.Members {
			b.WriteString("(" + attribute + "=" + goldap.EscapeFilter(name) + ")")
		}
	}
	b.WriteString(")")
	return b.String()
}

// groupBase is where groups lie.
func (d *Directory) groupBase() string {
	if d.o.GroupBase != "" {
		return d.o.GroupBase
	}
	return d.o.BaseDN
}

// groupRequest is a search for names alone.
func (d *Directory) groupRequest(base, filter string, most int) *goldap.SearchRequest {
	r := d.request(base, filter, most)
	r.Scope, r.Attributes = goldap.ScopeWholeSubtree, []string{"1.1"}
	return r
}
