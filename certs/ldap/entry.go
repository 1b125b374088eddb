package ldap

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// Entry is what a directory has under one name, as far as mail is concerned.
type Entry struct {
	// DN is its name, as the directory writes it.
	DN string
	// Addresses are the mail addresses of its attributes for addresses, in the form that certs.AddressKey gives, each once.
	Addresses []string
	// Partial says that it has more addresses than the directory gives at once, as Active Directory does beyond 1500 (MS-ADTS 3.1.1.3.1.3.3).
	Partial bool
	// Certificates are those of its attributes for certificates, each once. Nobody judged them.
	Certificates []*x509.Certificate
	// Values are those of Options.Show, as text for people.
	Values map[string][]string
	// Disabled says that it is an account that is disabled in Active Directory, and no mailbox of its own kind there.
	Disabled bool
	// Faults are values that could not be read.
	Faults []string
}

const (
	maxAddresses = 10_000 // of one entry
	maxShown     = 200    // letters of a value that is for people
	maxFaults    = 10
)

// The attributes of Active Directory that tell a person who left from a mailbox that nobody logs in to.
const (
	attributeAccount = "userAccountControl"         // MS-ADTS 2.2.16
	attributeMailbox = "msExchRecipientTypeDetails" // of Exchange
)

// entry reads what came.
func (d *Directory) entry(from *goldap.Entry) Entry {
	e := Entry{DN: from.DN}
	addresses, seen := map[string]bool{}, map[string]bool{}
	for _, a := range from.Attributes {
		name, option, _ := strings.Cut(a.Name, ";") // as ;binary (RFC 4522)
		switch {
		case has(d.o.Addresses, name):
			e.Partial = e.Partial || strings.HasPrefix(strings.ToLower(option), "range=") || len(a.Values) > maxAddresses
			for _, v := range a.Values {
				e.address(v, addresses)
			}
		case has(d.o.Certificates, name):
			for _, v := range a.ByteValues {
				e.certificates(name, v, seen)
			}
		case has(d.o.Show, name):
			for _, v := range a.Values[:min(len(a.Values), maxFaults)] {
				if e.Values == nil {
					e.Values = map[string][]string{}
				}
				e.Values[name] = append(e.Values[name], safetext.Line(v, maxShown))
			}
		}
	}
	e.Disabled = d.o.Accounts && disabled(from)
	return e
}

func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// address takes the value of an attribute: an address, or one with a kind before it as in proxyAddresses, where SMTP: marks the
// first one and smtp: the others. Other kinds (X400:, SIP:) are no mail addresses.
func (e *Entry) address(value string, seen map[string]bool) {
	if kind, rest, ok := strings.Cut(value, ":"); ok && !strings.ContainsAny(kind, `@"`) {
		if !strings.EqualFold(kind, "smtp") && !strings.EqualFold(kind, "mailto") {
			return
		}
		value = rest
	}
	k := key(strings.TrimSpace(value))
	if k != "" && len(e.Addresses) < maxAddresses && !seen[k] {
		seen[k] = true
		e.Addresses = append(e.Addresses, k)
	}
}

func (e *Entry) certificates(attribute string, value []byte, seen map[string]bool) {
	all, err := certificatesIn(value)
	if err != nil && len(e.Faults) < maxFaults {
		e.Faults = append(e.Faults, fmt.Sprintf("a value of %s with %d bytes: %v", attribute, len(value), err))
	}
	for _, c := range all {
		if len(e.Certificates) < maxCertificates && !seen[string(c.Raw)] {
			seen[string(c.Raw)] = true
			e.Certificates = append(e.Certificates, c)
		}
	}
}

// disabled reports whether an account is disabled and not one that is so by design: shared mailboxes, rooms and equipment of
// Exchange have accounts that nobody logs in to.
func disabled(from *goldap.Entry) bool {
	const accountDisable = 0x2
	var flags, kind uint64
	if _, err := fmt.Sscan(from.GetEqualFoldAttributeValue(attributeAccount), &flags); err != nil || flags&accountDisable == 0 {
		return false
	}
	if _, err := fmt.Sscan(from.GetEqualFoldAttributeValue(attributeMailbox), &kind); err != nil {
		return true
	}
	const (
		shared, room, equipment                   = 1 << 2, 1 << 4, 1 << 5
		remoteRoom, remoteEquipment, remoteShared = 1 << 33, 1 << 34, 1 << 35
	)
	return kind&(shared|room|equipment|remoteRoom|remoteEquipment|remoteShared) == 0
}
