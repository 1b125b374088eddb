// Package exchange reads what Exchange Online says of a message in its header. It does not decide what a listener takes.
//
// The addresses and the certificate of Exchange Online are those of all its tenants. What tells them apart are
// the fields X-MS-Exchange-CrossTenant-*, which Exchange Online puts into each message that leaves it, after it
// removed what the sender had written into fields of these names. That it does so is an assumption, made from
// public headers of messages and from descriptions; it was tried against a stand-in only. What can be held without
// trusting in it is held: a field that stands twice, or in a form that Exchange does not write, proves nothing.
package exchange

import (
	"bytes"
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// The fields of Exchange Online that are looked at.
const (
	TenantField = "X-MS-Exchange-CrossTenant-Id"               // whose message it is
	authField   = "X-MS-Exchange-CrossTenant-AuthAs"           // Internal: its sender had logged in
	entityField = "X-MS-Exchange-CrossTenant-FromEntityHeader" // Hosted, HybridOnPrem or Internet: where it came from
)

// consumers is the tenant of everybody who has an address at outlook.com.
const consumers = "84df9e7f-e9f6-40af-b435-aaaaaaaaaaaa"

// Errors of this package.
var (
	ErrTenant      = errors.New("exchange: not a tenant ID, which looks like 6f1a2b3c-0d4e-4f56-8a9b-0c1d2e3f4a5b")
	ErrConsumers   = errors.New("exchange: this is the tenant of everybody who has an address at outlook.com")
	ErrNoTenant    = errors.New("exchange: the message does not say which tenant it is of")
	ErrUnsure      = errors.New("exchange: what the message says of its tenant is not as Exchange Online writes it")
	ErrOtherTenant = errors.New("exchange: the message is of another tenant")
)

// Tenant is the ID of an organization in Exchange Online. The zero Tenant is none, and no message is of it.
// Tenants compare with ==.
type Tenant struct {
	id string // in lower case
}

// ParseTenant reads a tenant ID, a GUID in its common form, in any case. ErrTenant, and ErrConsumers for the one
// that proves nothing.
func ParseTenant(s string) (Tenant, error) {
	if !isGUID(s) {
		return Tenant{}, ErrTenant
	}
	id := strings.ToLower(s)
	if id == consumers {
		return Tenant{}, ErrConsumers
	}
	return Tenant{id}, nil
}

// isGUID holds the form of RFC 9562, 4.
func isGUID(s string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		if form[i] == '-' && c != '-' || form[i] == 'x' && !isHex {
			return false
		}
	}
	return true
}

// IsZero reports whether t is no tenant.
func (t Tenant) IsZero() bool { return t.id == "" }

// String is the ID in lower case.
func (t Tenant) String() string { return t.id }

// Check returns nil where the header holds exactly one field X-MS-Exchange-CrossTenant-Id, on one line, with
// this tenant's ID and nothing else. ErrNoTenant, ErrUnsure, ErrOtherTenant.
func (t Tenant) Check(h entity.Header) error {
	value, err := sole(h, TenantField)
	switch {
	case err != nil:
		return err
	case !isGUID(value):
		return ErrUnsure
	case t.IsZero() || strings.ToLower(value) != t.id:
		return ErrOtherTenant
	}
	return nil
}

// FromInside reports whether Exchange Online says that the sender of the message had logged in to the tenant
// that it is of. It means nothing without [Tenant.Check].
func FromInside(h entity.Header) bool {
	as, err := sole(h, authField)
	if err != nil || !strings.EqualFold(as, "Internal") {
		return false
	}
	for _, from := range h.Values(entityField) {
		if strings.EqualFold(from, "Internet") { // both cannot be true
			return false
		}
	}
	return true
}

// sole is the value of the only field of a name, where it stands as Exchange writes it: on one line, the colon
// right after the name.
func sole(h entity.Header, name string) (string, error) {
	found, raw := 0, []byte(nil)
	for _, f := range h.Fields() {
		if f.Is(name) {
			found, raw = found+1, f.Raw
		}
	}
	if found == 0 {
		return "", ErrNoTenant
	}
	line, ended := bytes.CutSuffix(raw, []byte("\r\n"))
	if found > 1 || !ended || len(line) <= len(name) || line[len(name)] != ':' || bytes.ContainsAny(line, "\r\n\x00") {
		return "", ErrUnsure
	}
	return strings.Trim(string(line[len(name)+1:]), " "), nil
}
