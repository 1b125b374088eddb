package token

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/strictjson"
)

// What Exchange calls itself, its tokens and its documents.
const (
	exchangeApp     = "00000002-0000-0ff1-ce00-000000000000"
	exchangeVersion = "ExIdTok.V1"
	metadataPath    = "/autodiscover/metadata/json/1"
)

// ExchangeOptions say whose identity tokens are believed. Hosts, Audience and Fetch are needed.
type ExchangeOptions struct {
	// Hosts are the servers whose metadata documents are believed, "mail.firma.example" or with a port where it is not 443.
	Hosts []string
	// Audience reports whether a URL is one of the add-in's pages.
	Audience func(url string) bool
	// Fetch gets the keys of the metadata document of a server, see [Client.Metadata].
	Fetch func(host string) func(context.Context) ([]Key, error)
	Now   func() time.Time // nil: time.Now
}

// Exchange verifies identity tokens of Exchange servers.
type Exchange struct {
	o    ExchangeOptions
	keys map[string]*Keys // by host and port
}

// NewExchange returns an Exchange.
func NewExchange(o ExchangeOptions) *Exchange {
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Exchange{o: o, keys: map[string]*Keys{}}
	for _, host := range o.Hosts {
		at := withPort(host)
		e.keys[at] = NewKeys(o.Fetch(at), o.Now)
	}
	return e
}

// withPort is the name of a server in lower case, with its port.
func withPort(host string) string {
	host = strings.ToLower(host)
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "443")
}

// Check says which servers' keys cannot be had.
func (e *Exchange) Check(ctx context.Context) error {
	var errs []error
	for _, host := range e.o.Hosts {
		if err := e.keys[withPort(host)].Check(ctx); err != nil {
			errs = append(errs, errors.New(host+": "+err.Error()))
		}
	}
	return errors.Join(errs...)
}

// verify holds a token to what Microsoft's documentation of identity tokens asks: the audience, the time, the version, a metadata document that is known, the certificate
// in it. It proves nothing until the key of that certificate is found to have signed it.
func (e *Exchange) verify(ctx context.Context, t jws) (Identity, *rsa.PublicKey, error) {
	app, err := appContext(t.claims)
	if err != nil {
		return Identity{}, nil, err
	}
	issuer, _, _ := strings.Cut(t.claims.text("iss"), "@")
	switch {
	case app.text("version") != exchangeVersion:
		return Identity{}, nil, invalid("it is no identity token of a version that is known")
	case !strings.EqualFold(issuer, exchangeApp):
		return Identity{}, nil, invalid("its issuer is not Exchange")
	case !e.o.Audience(t.claims.text("aud")):
		return Identity{}, nil, invalid("it is for another add-in: the address in the manifest must be below outlook.url")
	}
	if err := t.inTime(e.o.Now(), true); err != nil {
		return Identity{}, nil, err
	}
	id, ok := mailboxID(app.text("msexchuid"))
	if !ok {
		return Identity{}, nil, invalid("it does not say whose it is")
	}
	keys, err := e.of(app.text("amurl"))
	if err != nil {
		return Identity{}, nil, err
	}
	x5t := t.header.text("x5t")
	if x5t == "" {
		return Identity{}, nil, invalid("it does not name its certificate")
	}
	key, err := keys.find(ctx, x5t)
	if err != nil {
		return Identity{}, nil, err
	}
	if !key.Until.IsZero() && e.o.Now().After(key.Until) {
		return Identity{}, nil, invalid("the certificate that signed it has ended: renew the authentication certificate of Exchange")
	}
	return Identity{Kind: OfExchange, ID: id}, key.Public, nil
}

// appContext is the claim appctx: an object, or one that is written as a string, as servers have it.
func appContext(c members) (members, error) {
	raw := []byte(c["appctx"])
	if s := c.text("appctx"); s != "" {
		raw = []byte(s)
	}
	app, err := strictjson.Object(raw)
	if err != nil {
		return nil, invalid("its context is not what Exchange writes")
	}
	return app, nil
}

// mailboxID is the ID of a mailbox in lower case: a GUID, and mostly the name of the server after an @.
func mailboxID(text string) (string, bool) {
	text = strings.ToLower(text)
	guid, host, _ := strings.Cut(text, "@")
	return text, isGUID(guid) && len(host) <= 255 && !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' || r == ':' || r == ',' })
}

// of are the keys of the server whose metadata document a token names. Only its name is taken from there: the document is always that of the configured server.
func (e *Exchange) of(amurl string) (*Keys, error) {
	u, err := url.Parse(amurl)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !strings.EqualFold(u.Path, metadataPath) || u.RawPath != "" {
		return nil, invalid("the document that it names is not that of an Exchange server")
	}
	keys := e.keys[withPort(u.Host)]
	if keys == nil {
		return nil, invalid("it is of an Exchange server that is not among outlook.exchange.hosts")
	}
	return keys, nil
}

// MetadataURL is where the metadata document of a server is.
func MetadataURL(host string) string { return "https://" + host + metadataPath }

// Metadata fetches the keys of the metadata document of a server.
func (c *Client) Metadata(host string) func(context.Context) ([]Key, error) {
	return func(ctx context.Context) ([]Key, error) {
		text, err := c.get(ctx, MetadataURL(host))
		if err != nil {
			return nil, err
		}
		return ParseMetadata(text)
	}
}

var errNoMetadata = errors.New("this is no metadata document of Exchange")

// ParseMetadata reads the metadata document of an Exchange server. Of its keys those count that are certificates with RSA keys for signing; each is known by the SHA-1 hash
// of the certificate, whatever the document calls it. A document without any is an error.
func ParseMetadata(text []byte) ([]Key, error) {
	top, err := strictjson.Object(text)
	if err != nil {
		return nil, errNoMetadata
	}
	var all []json.RawMessage
	if json.Unmarshal(top["keys"], &all) != nil || len(all) > maxKeys {
		return nil, errNoMetadata
	}
	var keys []Key
	for _, raw := range all {
		m, err := strictjson.Object(raw)
		if err != nil {
			return nil, errNoMetadata
		}
		if k, ok := certificateOf(m); ok && !slices.ContainsFunc(keys, func(other Key) bool { return other.ID == k.ID }) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no certificate for signing in the metadata document")
	}
	return keys, nil
}

// certificateOf is an entry of a metadata document that is a certificate for signing. Nothing vouches for the certificate but that the document was fetched from the server.
func certificateOf(m members) (Key, bool) {
	value, err := strictjson.Object(m["keyvalue"])
	if err != nil || m.text("usage") != "signing" || !strings.EqualFold(members(value).text("type"), "x509Certificate") {
		return Key{}, false
	}
	der, err := base64.StdEncoding.DecodeString(members(value).text("value"))
	if err != nil {
		return Key{}, false
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return Key{}, false
	}
	key, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok || usable(key) != nil {
		return Key{}, false
	}
	sum := sha1.Sum(der) // RFC 7515, 4.1.7: it names the certificate and proves nothing
	return Key{ID: base64.RawURLEncoding.EncodeToString(sum[:]), Public: key, Until: certificate.NotAfter}, true
}
