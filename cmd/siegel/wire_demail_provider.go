package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/siegel-mail/siegel/certs/vault"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/mailbox"
	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/gateway/providers"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// provider is an account's connector with the way it goes.
type provider struct {
	connectors.Provider
	way  *providers.Way
	host string
}

// beyondSubmit is how many connections there are beside those that submit: one fetches, one asks for domains and for what is in doubt.
const beyondSubmit = 2

// newProvider makes the connector of an account. It connects to nothing; heard is told of each handshake.
func newProvider(a configs.DeMailAccount, hello string, keys keyholders, heard func(providers.Handshake), spool *atrest.Spool) (*provider, error) {
	o := providers.Options{
		Account: a.Name, Profile: a.TLS.Policy(), Verify: believed(a.TLS), Connections: a.Concurrency + beyondSubmit, Handshaken: heard,
	}
	if a.Connector == configs.ConnectorMailbox {
		o.NextProtos = []string{} // neither SMTP nor IMAP asks for any
	}
	if err := show(&o, a.TLS, keys); err != nil {
		return nil, err
	}
	way, err := providers.New(o)
	if err != nil {
		return nil, err
	}
	p := &provider{way: way}
	if a.Connector == configs.ConnectorMailbox {
		p.Provider, p.host, err = mailboxProvider(a, hello, way)
	} else {
		p.Provider, p.host, err = serviceProvider(a, way, spool)
	}
	return p, err
}

// believed judges the provider's server.
func believed(t configs.DeMailTLS) tlspolicy.Verifier {
	switch {
	case t.Pinned() != nil:
		return t.Pinned()
	case t.Roots() != nil:
		return tlspolicy.PKI{Roots: t.Roots()}
	case t.PublicRoots:
		return tlspolicy.PKI{}
	}
	return nil
}

// show says by which certificate the gateway shows itself to the provider.
func show(o *providers.Options, t configs.DeMailTLS, keys keyholders) error {
	if pair, ok := t.Pair(); ok {
		o.Certificates = []tls.Certificate{pair}
	}
	if card, ok := t.Card(); ok {
		present, ok := keys.cards.Presenter(card.Name, card.Chain)
		if !ok {
			return errors.New("there is no smart card named " + card.Name)
		}
		o.Present = present
	}
	if key, ok := t.Vault(); ok {
		o.Present = presentVault(keys.vaults, key)
	}
	return nil
}

// presentVault hands out a certificate whose key lies in a vault, for one handshake.
func presentVault(vaults *vault.Set, key configs.VaultKey) func(context.Context) (tls.Certificate, error) {
	return func(ctx context.Context) (tls.Certificate, error) {
		private, err := vaults.Key(ctx, key.Reference.String(), key.Chain[0])
		if err != nil {
			return tls.Certificate{}, err
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return tls.Certificate{}, fmt.Errorf("%s does not sign", key.Reference)
		}
		c := tls.Certificate{PrivateKey: signer, Leaf: key.Chain[0]}
		for _, one := range key.Chain {
			c.Certificate = append(c.Certificate, one.Raw)
		}
		return c, nil
	}
}

// serviceProvider is an account at a web service.
func serviceProvider(a configs.DeMailAccount, way *providers.Way, spool *atrest.Spool) (connectors.Provider, string, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, "", err
	}
	client, err := webservice.New(webservice.Options{
		Profile: a.WebService(), URL: a.URL, HTTP: way.HTTP(), Account: a.Account, User: a.User, Password: a.Password, Spool: spool,
	})
	if err != nil {
		return nil, "", err
	}
	return webservice.NewProvider(client), u.Hostname(), nil
}

// The ports on which TLS begins by STARTTLS.
const (
	portSubmission = "587"
	portIMAP       = "143"
)

// mailboxProvider is an account at a provider's mail servers.
func mailboxProvider(a configs.DeMailAccount, hello string, way *providers.Way) (connectors.Provider, string, error) {
	server := func(address, startTLS string) mailbox.Server {
		_, port, _ := net.SplitHostPort(address)
		return mailbox.Server{
			Address: address, StartTLS: port == startTLS, User: a.User, Password: a.Password, Dial: way.Dial,
			TLS: func(ctx context.Context, raw net.Conn, host string) (net.Conn, tls.ConnectionState, error) {
				conn, state, err := way.Handshake(ctx, raw, host)
				return conn, state.Connection(), err
			},
		}
	}
	m := a.Mailbox
	p, err := mailbox.New(mailbox.Options{
		Submission: server(m.Submission, portSubmission), Retrieval: server(m.IMAP, portIMAP), Hello: hello, Domains: a.Domains, Mailbox: m.Whose(),
		Folder: m.Folder, Done: m.Done, Sent: m.Sent, SentAlways: m.SentAlways,
	})
	host, _, _ := net.SplitHostPort(m.Submission)
	return p, host, err
}
