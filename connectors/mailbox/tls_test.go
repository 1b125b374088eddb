package mailbox

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"hash"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

// opaque is a key that lies elsewhere: it can sign, and nothing else of it is known.
type opaque struct{ crypto.Signer }

// elsewhere is a certificate with such a key.
func elsewhere(p tlstest.Pair) *tls.Certificate {
	return &tls.Certificate{Certificate: p.Certificate.Certificate, PrivateKey: opaque{p.PrivateKey.(crypto.Signer)}}
}

// certain is a house whose servers demand a certificate of their authority: Dovecot, whose users may also be whom the certificate names, and
// Postfix with TLS at once and with STARTTLS.
func certain(t *testing.T) (h *house, d dovecot, at, later string) {
	h = newHouse(t)
	d = startDovecot(t, h, `
ssl_ca = <`+h.ca.File+`
ssl_verify_client_cert = yes
ssl_require_crl = no
auth_ssl_require_client_cert = yes
auth_ssl_username_from_cert = yes
auth_mechanisms = plain login external
passdb {
  driver = static
  args = nopassword=y
  mechanisms = external
}
`)
	more := map[string]string{"smtpd_tls_CAfile": h.ca.File, "smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt", "smtpd_tls_loglevel": "1",
		"smtpd_relay_restrictions": "permit_tls_all_clientcerts, reject", "smtpd_recipient_restrictions": "permit_tls_all_clientcerts, reject"}
	later = startPostfix(t, h, d, more)
	more["smtpd_tls_wrappermode"] = "yes"
	return h, d, startPostfix(t, h, d, more), later
}

// The client certificate, whose key is elsewhere, opens Dovecot and Postfix, with TLS at once and with STARTTLS, with a password and without.
func TestTLS(t *testing.T) {
	h, d, at, later := certain(t)
	mine := elsewhere(h.ca.Issue(tlstest.P256, nil, "office"))
	for name, c := range map[string]struct {
		smtp, imap string
		start      bool
		user       string
	}{
		"at once":  {at, d.imaps, false, "office"},
		"STARTTLS": {later, d.imap, true, "office"},
		"EXTERNAL": {at, d.imaps, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Hello: "gw.firma.example", Domains: []string{"firma.de-mail.de"}, Done: "Done", Sent: "Sent"}
			o.Submission = Server{Address: c.smtp, StartTLS: c.start, TLS: h.client(mine)}
			o.Retrieval = Server{Address: c.imap, StartTLS: c.start, User: c.user, TLS: h.client(mine)}
			if c.user != "" {
				o.Retrieval.Password = secret.New(password)
			}
			if got, err := provider(t, o).Domains(t.Context()); err != nil || len(got) != 1 {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := provider(t, o).Submit(t.Context(), letter(t, connectortest.Content(text))); err != nil {
				t.Error(err)
			}
			o.Submission.TLS, o.Retrieval.TLS = h.client(nil), h.client(nil) // without it
			if got, err := provider(t, o).Domains(t.Context()); err == nil {
				t.Errorf("%q without a certificate", got)
			}
			other := newHouse(t)
			o.Retrieval.TLS = other.client(mine) // trusts another
			_, err := provider(t, o).Domains(t.Context())
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || connectors.Class(err) != connectors.ErrUnavailable {
				t.Errorf("another's server: %v", err)
			}
		})
	}
}

// big is a message of many bytes that needs no memory.
type big int64

// Open gives the bytes.
func (b big) Open() (io.ReadCloser, error) {
	head := "From: office@firma.de-mail.de\r\nSubject: big\r\n\r\n"
	return io.NopCloser(io.LimitReader(io.MultiReader(strings.NewReader(head), &lines{}), int64(b))), nil
}

// Size is how many.
func (b big) Size() int64 { return int64(b) }

// lines are lines without an end.
type lines struct{ n int }

// Read gives them.
func (l *lines) Read(p []byte) (int, error) {
	const line = "Das ist eine Zeile, wie sie in sehr langen Briefen steht, immer wieder.\r\n"
	n := copy(p, line[l.n%len(line):])
	l.n += n
	return n, nil
}

// sink hashes what it gets, and looks how much memory is in use.
type sink struct {
	hash.Hash
	n    int64
	most uint64
}

// Write notes it.
func (s *sink) Write(p []byte) (int, error) {
	if s.n>>23 != (s.n+int64(len(p)))>>23 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		s.most = max(s.most, m.HeapAlloc)
	}
	s.n += int64(len(p))
	return s.Hash.Write(p)
}

// A message as large as De-Mail has any goes out and comes in whole, and is never in memory as a whole.
func TestLarge(t *testing.T) {
	h := newHouse(t)
	d := startDovecot(t, h, "")
	h.imap = d.imap
	filed := make(chan error, 1)
	spool := &spool{}
	const size = 40<<20 + 2
	o := Options{
		Hello: "gw.firma.example", Domains: []string{"firma.de-mail.de"}, Done: "Done",
		Submission: Server{Address: startPostfix(t, h, d, nil), StartTLS: true, User: "office", Password: secret.New(password), TLS: h.client(nil)},
		Retrieval:  Server{Address: d.imaps, User: "office", Password: secret.New(password), TLS: h.client(nil)},
	}
	h.keep["office@firma.de-mail.de"] = func(content []byte) error {
		filed <- h.visit("office").put("INBOX", content)
		return spool.hash(content)
	}
	p := provider(t, o)
	m := letter(t, big(size))
	if _, err := p.Submit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := <-filed; err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	h.taken = nil
	h.mu.Unlock()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := &sink{Hash: sha256.New()}
	err := p.Fetch(t.Context(), func(_ context.Context, in connectors.Incoming) error {
		if in.Size != spool.size {
			t.Errorf("the size is %d, not %d", in.Size, spool.size)
		}
		_, err := io.Copy(got, in.Content)
		return err
	})
	if err != nil || got.n != spool.size || !bytes.Equal(got.Sum(nil), spool.sum) || spool.size < size {
		t.Errorf("%d bytes of %d, %v", got.n, spool.size, err)
	}
	if got.most > before.HeapAlloc+16<<20 {
		t.Errorf("%d MiB are in use, %d MiB before", got.most>>20, before.HeapAlloc>>20)
	}
}

// spool keeps the hash of what the provider got.
type spool struct {
	sum  []byte
	size int64
}

func (s *spool) hash(content []byte) error {
	sum := sha256.Sum256(content)
	s.sum, s.size = sum[:], int64(len(content))
	return nil
}

// The end of a context ends every call at once, whatever the server does.
func TestCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the gateway stops")
	o := good()
	reached := make(chan struct{}, 1)
	o.Retrieval.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, _ := net.Pipe() // nobody reads, nobody answers
		reached <- struct{}{}
		return near, nil
	}
	o.Retrieval.StartTLS = true
	done := make(chan error, 1)
	go func() { done <- provider(t, o).Fetch(ctx, nil) }()
	<-reached
	cancel(why)
	if err := <-done; !errors.Is(err, why) || connectors.Class(err) != connectors.ErrUnavailable {
		t.Error(err)
	}
}
