package mailauth_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is a message in memory.
type content string

func (c content) Open() (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(c))), nil
}
func (c content) Size() int64 { return int64(len(c)) }

// letter is a message that most tests are about.
const letter = "From: Alice <alice@firma.example>\r\nTo: bob@partner.example\r\nSubject: Gr=?utf-8?Q?=C3=BC=C3=9Fe?=  und\r\n mehr\r\n" +
	"Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nMessage-ID: <1@firma.example>\r\nReceived: from a by b\r\n\r\n" +
	"Hello  Bob, \r\n\r\n. a dot\r\n\tbye\r\n\r\n\r\n"

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	if s == "" {
		return mail.Address{}
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func envelope(t testing.TB, from, client string) mail.Envelope {
	t.Helper()
	e := mail.Envelope{From: address(t, from), Client: mail.Client{Helo: "mx.firma.example"}}
	if client != "" {
		e.Client.Addr = netip.MustParseAddr(client)
	}
	return e
}

func checker(t testing.TB, s *dnstest.Server, o mailauth.Options) *mailauth.Checker {
	t.Helper()
	if o.Resolver == nil {
		o.Resolver = s.Resolver(t, dns.Options{Attempts: 1}).Net()
	}
	c, err := mailauth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func check(t testing.TB, c *mailauth.Checker, env mail.Envelope, message string) mailauth.Result {
	t.Helper()
	r, err := c.Check(t.Context(), env, content(message))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var rsaKey = sync.OnceValue(func() crypto.Signer { return newRSA(2048) })

var edKey = sync.OnceValue(func() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func newRSA(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func signer(t testing.TB, o mailauth.SignerOptions) *mailauth.Signer {
	t.Helper()
	if o.Domain == "" {
		o.Domain = "firma.example"
	}
	if o.Selector == "" {
		o.Selector = "s1"
	}
	if o.Key == nil {
		o.Key = rsaKey()
	}
	s, err := mailauth.NewSigner(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record is the zone line for the key of a signer.
func record(t testing.TB, s *mailauth.Signer) string {
	t.Helper()
	name, text, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	return txt(name, text)
}

// txt is a zone line for a text of any length.
func txt(name, text string) string {
	var b strings.Builder
	b.WriteString(name + ". TXT")
	for text != "" {
		n := min(len(text), 250)
		b.WriteString(` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text[:n]) + `"`)
		text = text[n:]
	}
	return b.String() + "\n"
}

func sign(t testing.TB, message string, signers ...*mailauth.Signer) string {
	t.Helper()
	var out bytes.Buffer
	if err := mailauth.Sign(t.Context(), &out, content(message), signers...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func parseAddress(s string) (mail.Address, error) { return mail.ParseAddress(s) }
