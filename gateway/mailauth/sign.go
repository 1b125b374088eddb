package mailauth

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/smime/entity"
)

// SignerOptions say in whose name a Signer signs and with what. Domain, Selector and Key are required.
type SignerOptions struct {
	Domain   string        // d=
	Selector string        // s=: the record with the public key is at Selector._domainkey.Domain
	Key      crypto.Signer // RSA of at least 1024 bits (RFC 8301, 3.2; better 2048), or Ed25519 (RFC 8463)
	// Headers are the names of the fields to sign; nil: those of [DefaultHeaders]. Each is signed as often as it
	// occurs, and its absence once more, so that nobody can add one to the message without harm to the
	// signature (RFC 6376, 8.15). From must be among them.
	Headers []string
	// Simple signs bytes as they are. Otherwise blanks and empty lines at the end may change on the way
	// (RFC 6376, 3.4: relaxed).
	Simple bool
	// Expire is how long the signature is good; 0: for ever.
	Expire time.Duration
}

// DefaultHeaders are the fields that carry what a message says and how it is shown (RFC 6376, 5.4.1). Those that
// mailing lists add are not among them.
func DefaultHeaders() []string {
	return []string{
		"From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	}
}

// Errors of signing.
var (
	// ErrSigner is the error of NewSigner.
	ErrSigner = errors.New("mailauth: unusable DKIM signer")
	// ErrNoAuthor means that a message does not have exactly one From field: nobody could be held to it.
	ErrNoAuthor = errors.New("mailauth: not exactly one From field to sign")
	// ErrBlankBody means that the body has more blank lines in a row than anybody writes.
	ErrBlankBody = errors.New("mailauth: the body has too many blank lines in a row")
)

// Signer makes DKIM signatures (RFC 6376) with one key. It may be used from many goroutines if its key may.
type Signer struct{ o SignerOptions }

// NewSigner checks options and makes a Signer. Its errors wrap [ErrSigner] and say what to change.
func NewSigner(o SignerOptions) (*Signer, error) {
	domain, err := dns.Name(o.Domain)
	if err != nil || !strings.Contains(domain, ".") {
		return nil, fmt.Errorf("%w: %.100q is not a domain", ErrSigner, o.Domain)
	}
	name, err := dns.Name(o.Selector + "._domainkey." + domain)
	if err != nil {
		return nil, fmt.Errorf("%w: %.100q is not a selector", ErrSigner, o.Selector)
	}
	o.Domain, o.Selector = domain, strings.TrimSuffix(name, "._domainkey."+domain)
	if err := checkKey(o.Key); err != nil {
		return nil, err
	}
	if o.Headers == nil {
		o.Headers = DefaultHeaders()
	}
	if err := checkHeaders(o.Headers); err != nil {
		return nil, err
	}
	o.Headers = slices.Clone(o.Headers)
	return &Signer{o}, nil
}

func checkKey(key crypto.Signer) error {
	if key == nil {
		return fmt.Errorf("%w: there is no key", ErrSigner)
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		const least = 1024 // RFC 8301, 3.2
		if bits := public.N.BitLen(); bits < least {
			return fmt.Errorf("%w: the RSA key has %d bits, %d are the least", ErrSigner, bits, least)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("%w: the key must be RSA or Ed25519, not %T", ErrSigner, public)
	}
	return nil
}

func checkHeaders(names []string) error {
	const most = 50
	if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, "From") }) || len(names) > most {
		return fmt.Errorf("%w: From must be among the signed fields, and no more than %d", ErrSigner, most)
	}
	for _, n := range names {
		if _, err := entity.NewField(n, ""); err != nil || strings.ContainsAny(n, ";:") || strings.EqualFold(n, signatureName) {
			return fmt.Errorf("%w: %.40q cannot be signed", ErrSigner, n)
		}
	}
	return nil
}

// Also returns a Signer that signs further fields, besides those of its options.
func (s *Signer) Also(fields ...string) (*Signer, error) {
	o := s.o
	o.Headers = slices.Clone(o.Headers)
	for _, f := range fields {
		if !slices.ContainsFunc(o.Headers, func(have string) bool { return strings.EqualFold(have, f) }) {
			o.Headers = append(o.Headers, f)
		}
	}
	if err := checkHeaders(o.Headers); err != nil {
		return nil, err
	}
	return &Signer{o}, nil
}

// Domain is the domain that signs, as [dns.Name] gives it.
func (s *Signer) Domain() string { return s.o.Domain }

// Selector tells the keys of a domain apart.
func (s *Signer) Selector() string { return s.o.Selector }

// Record is where the public key is to be published, and the TXT record to publish there.
func (s *Signer) Record() (name, text string, err error) {
	kind, raw := "ed25519", []byte(nil)
	switch public := s.o.Key.Public().(type) {
	case ed25519.PublicKey:
		raw = public
	case *rsa.PublicKey:
		kind = "rsa"
		if raw, err = x509.MarshalPKIXPublicKey(public); err != nil {
			return "", "", err
		}
	}
	text = "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(raw)
	return s.o.Selector + "._domainkey." + s.o.Domain, text, nil
}

// Sign writes the message with a signature of each signer on top; without signers it copies. It reads the content twice: for the hashes, then
// for the copy. It must be the last step: whatever changes afterwards breaks the signatures.
//
// The errors are [ErrNoAuthor], [ErrBlankBody], those of reading, of writing and of the keys, and that of ctx.
// Nothing is written before all signatures are made.
func Sign(ctx context.Context, w io.Writer, content mail.Content, signers ...*Signer) error {
	fields, err := Fields(ctx, content, signers...)
	if err != nil {
		return err
	}
	if _, err := w.Write(fields); err != nil {
		return err
	}
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, &tameReader{ctx: ctx, r: r, any: true})
	return err
}

// Fields makes the signatures that [Sign] writes, for a caller who puts them on top of the message without a copy
// of it. It reads the content once; its errors are those of Sign.
func Fields(ctx context.Context, content mail.Content, signers ...*Signer) ([]byte, error) {
	fields, err := signatures(ctx, content, signers)
	return []byte(strings.Join(fields, "")), err
}

// signatures makes the fields in one pass over the content.
func signatures(ctx context.Context, content mail.Content, signers []*Signer) ([]string, error) {
	if len(signers) == 0 {
		return nil, nil
	}
	header, err := readHeader(content, entity.DefaultHeaderLimit)
	if err != nil {
		return nil, err
	}
	if len(header.Values("From")) != 1 {
		return nil, ErrNoAuthor
	}
	var running []*dkim.Signer
	defer func() {
		for _, s := range running {
			s.Close() // ends its goroutine where it has not ended; a second call does nothing
		}
	}()
	outputs := make([]io.Writer, len(signers))
	for i, s := range signers {
		one, err := dkim.NewSigner(s.options(header))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSigner, err)
		}
		running = append(running, one)
		outputs[i] = one
	}
	if err := feed(ctx, io.MultiWriter(outputs...), header, content); err != nil {
		return nil, err
	}
	var fields []string
	for _, s := range running {
		if err := s.Close(); err != nil {
			return nil, fmt.Errorf("signing with a DKIM key: %w", err)
		}
		fields = append(fields, s.Signature())
	}
	return fields, nil
}

// feed writes a message as all who read its header like entity do see it.
func feed(ctx context.Context, w io.Writer, header entity.Header, content mail.Content) error {
	body, closeBody, err := openBody(content, entity.DefaultHeaderLimit)
	if err != nil {
		return err
	}
	defer closeBody()
	if _, err := header.WriteTo(w); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\r\n"); err != nil {
		return err
	}
	tame := &tameReader{ctx: ctx, r: body}
	if _, err := io.Copy(w, tame); err != nil {
		return err
	}
	if tame.wild {
		return ErrBlankBody
	}
	return nil
}

func (s *Signer) options(header entity.Header) *dkim.SignOptions {
	o := &dkim.SignOptions{
		Domain: s.o.Domain, Selector: s.o.Selector, Signer: s.o.Key, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}
	if s.o.Simple {
		o.HeaderCanonicalization, o.BodyCanonicalization = dkim.CanonicalizationSimple, dkim.CanonicalizationSimple
	}
	if s.o.Expire > 0 {
		o.Expiration = time.Now().Add(s.o.Expire) // the library takes the time of signing from there too
	}
	for _, name := range s.o.Headers {
		for range len(header.Values(name)) + 1 {
			o.HeaderKeys = append(o.HeaderKeys, name)
		}
	}
	return o
}

// Signers are the keys of several domains.
type Signers []*Signer

// For returns the signers for mail of an author: those of his domain, and where it has none those of the nearest
// domain above it.
func (all Signers) For(author mail.Address) Signers {
	for domain := author.Domain; strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		var own Signers
		for _, s := range all {
			if s.o.Domain == domain {
				own = append(own, s)
			}
		}
		if own != nil {
			return own
		}
	}
	return nil
}
