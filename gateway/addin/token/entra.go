package token

import (
	"context"
	"crypto/rsa"
	"slices"
	"strings"
	"time"
)

// EntraOptions say whose tokens of Entra ID are believed. Everything but Clients and Now is needed.
type EntraOptions struct {
	Tenant    string   // ID of the tenant, in lower case
	Client    string   // ID of the application, which asks by the API and is the API, in lower case
	Clients   []string // IDs of other applications that may get tokens for it, in lower case: those of Outlook itself
	Audiences []string // what a token may be for: the application, by its ID or its URI
	Scope     string   // that it must have
	Authority string   // where Entra ID is, without a slash at the end
	Keys      *Keys
	Now       func() time.Time // nil: time.Now
}

// Entra verifies access tokens of Entra ID, of both versions.
type Entra struct{ o EntraOptions }

// NewEntra returns an Entra.
func NewEntra(o EntraOptions) *Entra {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Entra{o}
}

// issuer is who issues tokens of a version; empty where there is no such version.
func (e *Entra) issuer(version string) string {
	switch version {
	case "1.0":
		return e.older() + "/" + e.o.Tenant + "/"
	case "2.0":
		return e.o.Authority + "/" + e.o.Tenant + "/v2.0"
	}
	return ""
}

// older is the name of the service that issues tokens of version 1.0.
func (e *Entra) older() string {
	switch e.o.Authority {
	case "https://login.microsoftonline.com", "https://login.microsoftonline.us":
		return "https://sts.windows.net"
	case "https://login.partner.microsoftonline.cn":
		return "https://sts.chinacloudapi.cn"
	}
	return e.o.Authority
}

// verify holds a token to what Microsoft's documentation of access tokens asks of an API of one tenant: the issuer, the tenant, the audience, the time, the
// application that asks, its scope, a user and no application, the key. Guests are users of another directory, and none of this company's. It proves nothing until that key
// is found to have signed it.
func (e *Entra) verify(ctx context.Context, t jws) (Identity, *rsa.PublicKey, error) {
	if err := e.meant(t.claims); err != nil {
		return Identity{}, nil, err
	}
	if err := t.inTime(e.o.Now(), false); err != nil {
		return Identity{}, nil, err
	}
	id, err := e.user(t.claims)
	if err != nil {
		return Identity{}, nil, err
	}
	kid := t.header.text("kid")
	if kid == "" {
		return Identity{}, nil, invalid("it does not name its key")
	}
	key, err := e.o.Keys.find(ctx, kid)
	if err != nil {
		return Identity{}, nil, err
	}
	// Keys may be those of one issuer alone, with a placeholder for the tenant in its name.
	if key.Issuer != "" && strings.ReplaceAll(key.Issuer, "{tenantid}", e.o.Tenant) != e.issuer("2.0") && strings.ReplaceAll(key.Issuer, "{tenantid}", e.o.Tenant) != e.issuer("1.0") {
		return Identity{}, nil, invalid("it is signed by a key of another issuer")
	}
	return id, key.Public, nil
}

// meant holds that a token is by the tenant, for the application, and got by the add-in.
func (e *Entra) meant(c members) error {
	version := c.text("ver")
	actor := c.text("azp")
	if version == "1.0" {
		actor = c.text("appid")
	}
	switch issuer := e.issuer(version); {
	case issuer == "":
		return invalid("it is of a version that is not known")
	case c.text("iss") != issuer:
		return invalid("it is of another issuer, or of another tenant")
	case !strings.EqualFold(c.text("tid"), e.o.Tenant):
		return invalid("it is of another tenant")
	case !slices.Contains(e.o.Audiences, c.text("aud")): // one string: an array proves nothing
		return invalid("it is for something else: the audience must be the application of the add-in")
	case !strings.EqualFold(actor, e.o.Client) && !slices.Contains(e.o.Clients, strings.ToLower(actor)):
		return invalid("another application got it")
	case !slices.Contains(strings.Fields(c.text("scp")), e.o.Scope):
		return invalid("it lacks the scope")
	}
	return nil
}

// user is the person in a token, who must be of the tenant.
func (e *Entra) user(c members) (Identity, error) {
	id := strings.ToLower(c.text("oid"))
	switch {
	case !isGUID(id):
		return Identity{}, invalid("it does not say who the user is")
	case c["idtyp"] != nil && c.text("idtyp") != "user":
		return Identity{}, invalid("it is of an application and not of a user")
	case c["acct"] != nil && strings.Trim(string(c["acct"]), `"`) != "0",
		c["idp"] != nil && c.text("idp") != e.issuer("1.0") && c.text("idp") != e.issuer("2.0"),
		strings.Contains(strings.ToUpper(c.text("upn")), "#EXT#"):
		return Identity{}, invalid("it is of a guest of the tenant")
	}
	return Identity{Kind: OfEntra, ID: id, UPN: c.text("upn")}, nil
}

// isGUID holds the form of RFC 9562, 4, in lower case.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
