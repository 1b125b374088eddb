package addin

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// The bounds of a table of users.
const (
	maxTable     = 16 << 20 // bytes
	maxTableLine = 16 << 10
	maxOwn       = 200 // addresses of one user
)

// Table says whose addresses are whose, by ID.
type Table map[string][]mail.Address

// Fault is a line of a table that cannot be used.
type Fault struct {
	Line int // from 1
	Text string
}

// ReadTable reads a file as [ParseTable] does.
func ReadTable(file string) (Table, []Fault, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxTable {
		return nil, nil, fmt.Errorf("%s is larger than %d bytes", file, maxTable)
	}
	table, faults := ParseTable(string(text))
	return table, faults, nil
}

// ParseTable reads a table: a line for each user with an ID, a colon, and addresses with commas between them. What follows a # is a remark.
func ParseTable(text string) (Table, []Fault) {
	out := Table{}
	var faults []Fault
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxTableLine)
	n := 0
	for lines.Scan() {
		n++
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if why := out.add(line); why != "" {
			faults = append(faults, Fault{n, why})
		}
	}
	if lines.Err() != nil {
		faults = append(faults, Fault{n + 1, fmt.Sprintf("a line has at most %d bytes", maxTableLine)})
	}
	return out, faults
}

// add takes one line, or says what is wrong with it.
func (t Table) add(line string) string {
	id, list, ok := strings.Cut(line, ":")
	id = strings.ToLower(strings.TrimSpace(id))
	switch {
	case !ok:
		return "there is no colon after the ID; write it as in 5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f: alice@firma.example"
	case !token.IsID(id):
		return "this begins with no ID, which is a GUID as 5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f, of Exchange mostly with @ and a name after it"
	case t[id] != nil:
		return "this ID stands further up already; write all addresses of a user on one line"
	}
	var own []mail.Address
	for part := range strings.SplitSeq(list, ",") {
		a, err := mail.ParseAddress(strings.TrimSpace(part))
		if err != nil {
			return "this holds no usable address" + strings.TrimPrefix(err.Error(), mail.ErrAddress.Error())
		}
		own = append(own, a)
	}
	if len(own) > maxOwn {
		return fmt.Sprintf("a user has at most %d addresses", maxOwn)
	}
	t[id] = own
	return ""
}

// Directory finds users of the company. Its errors are temporary: who cannot be found has no addresses and no error.
type Directory interface {
	// AddressesWith are the addresses of the one entry whose attribute has a value, and none where there is no such entry, or more than one.
	AddressesWith(ctx context.Context, attribute string, value []byte) ([]string, error)
	// AddressesOf are the addresses of the one entry that has this address.
	AddressesOf(ctx context.Context, address string) ([]string, error)
}

// UsersOptions say how the addresses of users are found.
type UsersOptions struct {
	Table     Table     // comes first
	Directory Directory // nil: there is none
	// EntraAttribute is the attribute that holds the object ID of Entra, plain or after "User_", or the user principal name where it is userPrincipalName;
	// empty: the entry is found by the user principal name as an address.
	EntraAttribute string
	// ExchangeAttribute is the attribute that holds the GUID of the mailbox.
	ExchangeAttribute string
	Local             mail.Patterns    // addresses of others are nobody's here
	Now               func() time.Time // nil: time.Now
}

// How long, and of how many users, the answers of the directory are kept.
const (
	usersFor  = 5 * time.Minute
	maxUsers  = 20_000
	upnName   = "userPrincipalName"
	userUnder = "User_" // what Entra Connect writes before the object ID in msDS-ExternalDirectoryObjectId
)

// Users knows which addresses are whose. It may be used at once.
type Users struct {
	o UsersOptions

	mu    sync.Mutex
	known map[token.Identity]ownership
}

// ownership is what the directory said.
type ownership struct {
	addresses []mail.Address
	until     time.Time
}

// NewUsers returns Users.
func NewUsers(o UsersOptions) *Users {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Users{o: o, known: map[token.Identity]ownership{}}
}

// errDirectory is the error where the directory cannot tell.
var errDirectory = errors.New("addin: the directory does not tell whose addresses are whose")

// Of returns the addresses that somebody may ask for; none where nothing is known. The error is temporary.
func (u *Users) Of(ctx context.Context, who token.Identity) ([]mail.Address, error) {
	if own, ok := u.o.Table[who.ID]; ok {
		return own, nil
	}
	if u.o.Directory == nil {
		return u.usable([]string{who.UPN}), nil // of Entra alone; see token.Identity.UPN
	}
	now := u.o.Now()
	u.mu.Lock()
	own, ok := u.known[who]
	u.mu.Unlock()
	if ok && now.Before(own.until) {
		return own.addresses, nil
	}
	found, err := u.look(ctx, who)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDirectory, err)
	}
	own = ownership{u.usable(found), now.Add(usersFor)}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.known) >= maxUsers {
		clear(u.known)
	}
	u.known[who] = own
	return own.addresses, nil
}

// look asks the directory.
func (u *Users) look(ctx context.Context, who token.Identity) ([]string, error) {
	d := u.o.Directory
	guid, _, _ := strings.Cut(who.ID, "@")
	switch {
	case who.Kind == token.OfExchange:
		return d.AddressesWith(ctx, u.o.ExchangeAttribute, guidBytes(guid))
	case strings.EqualFold(u.o.EntraAttribute, upnName) && who.UPN == "", u.o.EntraAttribute == "" && who.UPN == "":
		return nil, nil
	case strings.EqualFold(u.o.EntraAttribute, upnName):
		return d.AddressesWith(ctx, u.o.EntraAttribute, []byte(who.UPN))
	case u.o.EntraAttribute != "":
		found, err := d.AddressesWith(ctx, u.o.EntraAttribute, []byte(userUnder+guid))
		if err != nil || len(found) > 0 {
			return found, err
		}
		return d.AddressesWith(ctx, u.o.EntraAttribute, []byte(guid))
	}
	if a, err := mail.ParseAddress(who.UPN); err != nil || !u.o.Local.Match(a) {
		return nil, nil
	}
	return d.AddressesOf(ctx, who.UPN)
}

// usable are those of texts that are addresses of the company, each once.
func (u *Users) usable(texts []string) []mail.Address {
	var out []mail.Address
	for _, text := range texts {
		a, err := mail.ParseAddress(text)
		if err != nil || !u.o.Local.Match(a) || len(out) == maxOwn || owns(out, a) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// owns reports whether an address is among others.
func owns(all []mail.Address, a mail.Address) bool {
	return slices.ContainsFunc(all, func(other mail.Address) bool { return other.Key() == a.Key() })
}

// guidBytes is a GUID as Active Directory keeps it in an attribute of bytes: the first three groups in the order of little-endian numbers.
func guidBytes(guid string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(guid, "-", ""))
	if err != nil || len(b) != 16 {
		return nil
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}
