// Package smtpin takes mail in over SMTP and hands it on; it keeps nothing and sends nothing.
//
// The dialogue itself is spoken by github.com/emersion/go-smtp. Between it and the network stands a
// layer of ours, the door, which reads the wire: it hands go-smtp one clean command line at a time, speaks
// STARTTLS, and frames DATA and BDAT, so that no byte of a message is ever read as a command and the
// faults that go-smtp has there are never reached.
package smtpin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Role says who speaks on a listener, and so what is accepted there.
type Role string

// The roles.
const (
	// Internal is for the company's mail servers: Networks may connect, Senders may be MAIL FROM (the
	// null reverse-path may always), any recipient is taken.
	Internal Role = "internal"
	// External is for the internet: only recipients in local domains, and those of Backup, are taken.
	External Role = "external"
	// Submission is for users: they authenticate, and send only from the addresses they may use.
	Submission Role = "submission"
	// RoundTrip is for a tenant of Exchange Online that hands over mail of both directions and gets it back.
	// What the header says decides which of them a message has (docs/topologies.md).
	RoundTrip Role = "roundtrip"
)

// Handler takes messages.
type Handler interface {
	// Accept returns nil only when the message is durable (invariant 1): the client is told 250 at once.
	// An error becomes the reply by [status.For]. The content is valid until Accept returns. Accept is
	// called at once from many goroutines; ctx ends when the server gives up waiting for it at a stop.
	Accept(ctx context.Context, env mail.Envelope, content mail.Content) error
}

// Authenticator checks passwords.
type Authenticator interface {
	// Authenticate returns the addresses the user may send from. An error refuses: one that is a
	// [status.Error] with its own reply, any other as wrong credentials when it wraps [ErrCredentials]
	// and as a passing trouble otherwise. It is called at once from many goroutines.
	Authenticate(ctx context.Context, user, password string) (mail.Patterns, error)
}

// Recipients knows which addresses of the company exist: a file, a directory.
type Recipients interface {
	// Known reports whether mail to an address in a local domain is taken. An error puts it off. It is called at
	// once from many goroutines.
	Known(ctx context.Context, to mail.Address) (bool, error)
}

// Listener is one address the server listens on.
type Listener struct {
	Name    string // in the configuration, the log and the record; unique
	Address string // host and port to bind: "192.0.2.1:25", ":25", "127.0.0.1:0"
	Role    Role
	// Networks may connect; nil permits everyone. An internal listener must have some.
	Networks []netip.Prefix
	// Senders are who may be MAIL FROM on an internal listener, and whose mail may be signed.
	Senders mail.Patterns
	// Tenant is the only tenant of Exchange Online whose mail is taken, on an internal listener; the zero
	// Tenant asks for none. A round-trip listener must have one.
	Tenant exchange.Tenant
	// TLSConfig offers STARTTLS, or serves Implicit TLS; nil: neither. Use GetCertificate in it so that a
	// renewed certificate is taken up.
	TLSConfig  *tls.Config
	Implicit   bool // TLS from the first byte (RFC 8314, 3)
	RequireTLS bool // MAIL is refused before STARTTLS
	// Clients is whose certificate a client must show before MAIL, besides being in Networks; nil: nobody's.
	Clients *Certificates
	// Auth offers SASL PLAIN and LOGIN, under TLS only. A submission listener must have one, and then
	// takes mail from authenticated users only.
	Auth Authenticator
	// Normalise makes CRLF of bare CR and LF in messages that come by BDAT and bear no signature. Internal
	// listeners only.
	Normalise     bool
	MaxSize       int64   // bytes of a message; 0: 50 MiB
	MaxRecipients int     // of a message; 0: 1000
	Limits        *Limits // nil: those of the server
}

// Certificates are the client certificates that a listener believes. They are one condition more, never in
// place of the others.
type Certificates struct {
	// Roots are the authorities; nil: those of the machine.
	Roots *x509.CertPool
	// Names are the DNS names of which the certificate must bear one in its subject alternative name, letter
	// for letter but for case: "*.partner.example" is met by that very text alone.
	Names []string
}

// Options is all a Server needs. Hostname, Handler and Spool are required.
type Options struct {
	Hostname string        // said in the greeting and in Received
	Local    mail.Patterns // the recipients that external listeners take: the company's domains
	// Recipients are asked by external listeners about what is in Local; nil: all of it exists.
	Recipients Recipients
	Backup     Backup // and those they take for others; nil: none
	Listeners  []Listener
	Handler    Handler
	Spool      *atrest.Spool      // holds content while it is received and handled
	Recorder   track.Recorder     // of accepted and refused messages; nil: none
	Log        logrus.FieldLogger // for developers; nil: none
	Now        func() time.Time   // nil: time.Now
	Marks      Marks              // needed by round-trip listeners
	Limits     Limits             // of listeners that have none of their own; Grace is for all
	Texts      *texts.Texts       // what clients are told; nil: the texts as they come
	// Asks are header fields, besides those of this gateway, by which senders inside ask for something. From outside they are removed.
	Asks []string
}

// Marks recognises the mail that the gateway gave back to where it came from.
type Marks interface {
	// Handled reports whether a message with this header was handled in this direction. It is called at
	// once from many goroutines.
	Handled(h entity.Header, d mail.Direction, now time.Time) bool
}
