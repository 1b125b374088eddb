package gateway

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/enroll"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// MaxIssue is the largest number of addresses in one order to issue.
const MaxIssue = 500

// issueReserve is how long before the end of a command no further certificate is begun.
const issueReserve = 30 * time.Second

// IssueOrder asks for certificates of addresses, by the command issue.
type IssueOrder struct {
	Addresses []string `json:"addresses"`
	// Again gives those another certificate who have one.
	Again bool `json:"again,omitempty"`
}

// IssueAnswer is what came of an IssueOrder.
type IssueAnswer struct {
	Addresses []IssuedAddress `json:"addresses"`
	Left      []string        `json:"left,omitempty"` // the time did not suffice for; ask again
}

// IssuedAddress is what came of one address of an order.
type IssuedAddress struct {
	Address     string    `json:"address"`
	Done        bool      `json:"done"`                  // a certificate was issued; false without Error: it had one
	Fingerprint string    `json:"fingerprint,omitempty"` // of the certificate that signs
	Until       time.Time `json:"until,omitzero"`
	Error       string    `json:"error,omitempty"`
}

// RevokeOrder asks for the revocation of a certificate, by the command revoke.
type RevokeOrder struct {
	Fingerprint string `json:"fingerprint"`
	Reason      string `json:"reason,omitempty"`
}

// RevokeAnswer is what came of a RevokeOrder.
type RevokeAnswer struct {
	Certificate string   `json:"certificate"`
	Addresses   []string `json:"addresses,omitempty"`
}

// AuthorityOrder is for the commands ca-init, ca-show, ca-export, ca-offline and ca-renew.
type AuthorityOrder struct {
	Password string `json:"password,omitempty"` // under which ca-export puts the root's key
	WithKey  bool   `json:"with_key,omitempty"` // ca-export gives the root's key
	RootKey  []byte `json:"root_key,omitempty"` // PKCS#8, of a root that lies offline, for ca-renew
	ListOnly bool   `json:"list_only,omitempty"`
}

// AuthorityAnswer are the authorities of the built-in CA, the newest first.
type AuthorityAnswer struct {
	Authorities []AuthorityInfo `json:"authorities"`
	PKCS12      []byte          `json:"pkcs12,omitempty"` // of the root, with its key
	Warning     string          `json:"warning,omitempty"`
}

// AuthorityInfo is one authority.
type AuthorityInfo struct {
	Name        string    `json:"name"`
	Root        bool      `json:"root"`
	Fingerprint string    `json:"fingerprint"`
	Certificate []byte    `json:"certificate"` // DER
	Begins      time.Time `json:"begins"`
	Ends        time.Time `json:"ends"`
	Domains     []string  `json:"domains,omitempty"`
	HasKey      bool      `json:"has_key"` // false: it lies offline
	Lists       string    `json:"lists,omitempty"`
	ListNumber  int64     `json:"list_number,omitempty"`
	ListEnds    time.Time `json:"list_ends,omitzero"`
}

// issueCommands are the commands on what is issued.
func (g *Gateway) issueCommands() map[string]admin.CertsCommand {
	return map[string]admin.CertsCommand{
		"issue":           admin.Handle(g.orderIssue),
		"issue-directory": admin.Handle(g.listDirectory),
		"revoke":          admin.Handle(g.orderRevoke),
		"ca-init":         admin.Handle(g.initCA),
		"ca-show": admin.Handle(func(ctx context.Context, _ AuthorityOrder, _ admin.Record) (AuthorityAnswer, error) {
			return g.showCA(ctx)
		}),
		"ca-export":  admin.Handle(g.exportCA),
		"ca-offline": admin.Handle(g.offlineCA),
		"ca-renew":   admin.Handle(g.renewCA),
	}
}

// issuer is what issues; the error says how to have something issued.
func (g *Gateway) issuer() (*issuing, error) {
	i := g.issuing.Load()
	if i == nil {
		return nil, admin.Refuse("nothing is issued by this gateway: set certificates.issue.ca in the configuration, and reload")
	}
	return i, nil
}

// builtIn is the built-in CA.
func (g *Gateway) builtIn() (*issuing, error) {
	i, err := g.issuer()
	if err == nil && i.ca == nil {
		err = admin.Refuse("the gateway has no CA of its own: certificates.issue.ca names another issuer")
	}
	return i, err
}

// refused makes the errors of enroll that an administrator can do something about those of the command.
func refused(err error) error {
	var no *enroll.RefusedError
	switch {
	case errors.As(err, &no), errors.Is(err, enroll.ErrExists), errors.Is(err, enroll.ErrNone), errors.Is(err, enroll.ErrOffline), errors.Is(err, enroll.ErrUnknown):
		return admin.Refuse("%s", strings.TrimPrefix(err.Error(), "enroll: "))
	}
	return err
}

func (g *Gateway) orderIssue(ctx context.Context, q IssueOrder, record admin.Record) (out IssueAnswer, err error) {
	if _, err := g.issuer(); err != nil {
		return out, err
	}
	if len(q.Addresses) == 0 || len(q.Addresses) > MaxIssue {
		return out, admin.Refuse("an order is for 1 to %d addresses", MaxIssue)
	}
	what := "certs-issue"
	if q.Again {
		what = "certs-renew"
	}
	if err := record(what, q.Addresses, string(enroll.Ordered)); err != nil {
		return out, err
	}
	end, limited := ctx.Deadline()
	for i, address := range q.Addresses {
		if limited && i > 0 && time.Until(end) < issueReserve {
			out.Left = q.Addresses[i:]
			break
		}
		out.Addresses = append(out.Addresses, g.orderOne(ctx, address, q.Again))
	}
	return out, nil
}

// orderOne issues to one address of an order.
func (g *Gateway) orderOne(ctx context.Context, address string, again bool) IssuedAddress {
	a := IssuedAddress{Address: address}
	var err error
	if a.Done, err = g.enroller.Order(ctx, address, again); err == nil {
		var id certs.Identity
		if id, err = (issuedKeeper{g}).Signing(ctx, address, g.o.Now()); err == nil {
			a.Fingerprint, a.Until = store.FingerprintOf(id.Certificate).String(), id.Certificate.NotAfter.UTC()
		}
	}
	var no *enroll.RefusedError
	switch {
	case errors.As(err, &no):
		a.Error = no.Why
	case err != nil:
		a.Error = err.Error()
	}
	return a
}

func (g *Gateway) orderRevoke(ctx context.Context, q RevokeOrder, record admin.Record) (out RevokeAnswer, err error) {
	if _, err := g.issuer(); err != nil {
		return out, err
	}
	why := enroll.Unspecified
	if q.Reason != "" {
		if why, err = enroll.ParseReason(q.Reason); err != nil {
			return out, refused(admin.Refuse("%s", strings.TrimPrefix(err.Error(), "enroll: ")))
		}
	}
	f, err := fingerprint(q.Fingerprint)
	if err != nil {
		return out, err
	}
	r, err := g.known.ByFingerprint(ctx, f)
	if errors.Is(err, store.ErrUnknown) {
		return out, admin.Refuse("no certificate with this fingerprint is kept; siegel certs list shows those that are")
	} else if err != nil {
		return out, err
	}
	if err := record("certs-revoke", append([]string{f.String()}, certs.Addresses(r.Certificate)...), why.String()); err != nil {
		return out, err
	}
	if err := g.enroller.Revoke(ctx, r.Certificate, why); errors.Is(err, enroll.ErrUnknown) {
		return out, admin.Refuse("this certificate was not issued here, so only its issuer can revoke it; siegel certs distrust ends its use on this gateway")
	} else if err != nil {
		return out, refused(err)
	}
	return RevokeAnswer{certs.Describe(r.Certificate), certs.Addresses(r.Certificate)}, nil
}

// fingerprint reads a fingerprint, with colons or without.
func fingerprint(text string) (f store.Fingerprint, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(text), ":", ""))
	if err != nil || len(raw) != len(f) {
		return f, admin.Refuse("this is no fingerprint: it is the SHA-256 of a certificate, 64 hexadecimal digits, as siegel certs list shows it")
	}
	copy(f[:], raw)
	return f, nil
}

func (g *Gateway) initCA(ctx context.Context, _ AuthorityOrder, record admin.Record) (out AuthorityAnswer, err error) {
	i, err := g.builtIn()
	if err != nil {
		return out, err
	}
	if err := record("certs-ca-init", i.Founding.Domains, i.Founding.Organization); err != nil {
		return out, err
	}
	if _, err := i.ca.Found(ctx, i.Founding); err != nil {
		return out, refused(err)
	}
	if err := g.trustOwn(ctx, i); err != nil {
		return out, err
	}
	return g.showCA(ctx)
}

func (g *Gateway) showCA(ctx context.Context) (out AuthorityAnswer, err error) {
	i, err := g.builtIn()
	if err != nil {
		return out, err
	}
	all, err := i.ca.Authorities(ctx)
	if err != nil {
		return out, err
	}
	for _, a := range all {
		info := AuthorityInfo{
			Name: a.Certificate.Subject.CommonName, Root: a.IsRoot(), Fingerprint: store.FingerprintOf(a.Certificate).String(),
			Certificate: a.Certificate.Raw, Begins: a.Certificate.NotBefore, Ends: a.Certificate.NotAfter,
			Domains: a.Certificate.PermittedEmailAddresses, HasKey: a.Key != nil, Lists: i.ca.ListURL(a), ListNumber: a.Number,
		}
		if l, err := x509.ParseRevocationList(a.CRL); err == nil {
			info.ListEnds = l.NextUpdate
		}
		out.Authorities = append(out.Authorities, info)
	}
	if err := i.ca.Check(ctx, i.Founding.Domains); err != nil {
		out.Warning = strings.TrimPrefix(err.Error(), "enroll: ")
	}
	return out, nil
}

func (g *Gateway) exportCA(ctx context.Context, q AuthorityOrder, record admin.Record) (out AuthorityAnswer, err error) {
	if out, err = g.showCA(ctx); err != nil || !q.WithKey {
		return out, err
	}
	i, err := g.builtIn()
	if err != nil {
		return out, err
	}
	if q.Password == "" {
		return out, admin.Refuse("the key of the root is only given under a password")
	}
	all, err := i.ca.Authorities(ctx)
	if err != nil {
		return out, err
	}
	at := slices.IndexFunc(all, enroll.Authority.IsRoot)
	switch {
	case at < 0:
		return out, refused(enroll.ErrNone)
	case all[at].Key == nil:
		return out, admin.Refuse("the key of the root is not here; it was taken offline before")
	}
	if err := record("certs-ca-export", []string{store.FingerprintOf(all[at].Certificate).String()}, "with the key of the root"); err != nil {
		return out, err
	}
	if out.PKCS12, err = pkcs12.Modern2023.Encode(all[at].Key, all[at].Certificate, nil, q.Password); err != nil {
		return out, fmt.Errorf("the key of the root cannot be written: %w", err)
	}
	return out, nil
}

func (g *Gateway) offlineCA(ctx context.Context, _ AuthorityOrder, record admin.Record) (out AuthorityAnswer, err error) {
	i, err := g.builtIn()
	if err != nil {
		return out, err
	}
	if err := record("certs-ca-offline", nil, "the key of the root is forgotten here"); err != nil {
		return out, err
	}
	if err := i.ca.TakeOffline(ctx); err != nil {
		return out, refused(err)
	}
	return g.showCA(ctx)
}

func (g *Gateway) renewCA(ctx context.Context, q AuthorityOrder, record admin.Record) (out AuthorityAnswer, err error) {
	i, err := g.builtIn()
	if err != nil {
		return out, err
	}
	var key crypto.Signer
	if len(q.RootKey) > 0 {
		private, err := x509.ParsePKCS8PrivateKey(q.RootKey)
		clear(q.RootKey)
		signer, ok := private.(crypto.Signer)
		if err != nil || !ok {
			return out, admin.Refuse("the key of the root cannot be read")
		}
		key = signer
	}
	detail := "a new issuing CA"
	if q.ListOnly {
		detail = "the list of revoked authorities"
	}
	if err := record("certs-ca-renew", i.Founding.Domains, detail); err != nil {
		return out, err
	}
	if q.ListOnly {
		err = i.ca.RefreshRoot(ctx, key)
	} else {
		_, err = i.ca.Renew(ctx, i.Founding, key)
	}
	if err == nil {
		err = g.trustOwn(ctx, i)
	}
	if err != nil {
		return out, refused(err)
	}
	return g.showCA(ctx)
}

// Directory is a list of the company's own people.
type Directory interface {
	// Addresses gives all addresses of the directory.
	Addresses(ctx context.Context) ([]string, error)
}

// DirectoryOrder asks for the addresses of a directory, by the command issue-directory.
type DirectoryOrder struct {
	Directory string `json:"directory"`
}

// DirectoryAnswer are the addresses of a directory that are of the company's domains: people have others beside them.
type DirectoryAnswer struct {
	Addresses []string `json:"addresses"`
}

func (g *Gateway) listDirectory(ctx context.Context, q DirectoryOrder, _ admin.Record) (out DirectoryAnswer, err error) {
	i, err := g.issuer()
	if err != nil {
		return out, err
	}
	d, ok := i.Directories[q.Directory]
	if !ok {
		return out, admin.Refuse("there is no company directory of this name in the configuration")
	}
	all, err := d.Addresses(ctx)
	if err != nil {
		return out, err
	}
	out.Addresses = make([]string, 0, len(all))
	for _, address := range all {
		if a, err := mail.ParseAddress(address); err == nil && i.local.Match(a) {
			out.Addresses = append(out.Addresses, address)
		}
	}
	return out, nil
}
