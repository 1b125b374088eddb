package revocation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/siegel-mail/siegel/certs/revocation/fetch"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// job is one thing to learn: where it is kept, how it is got, how it is read.
type job struct {
	key    string
	source string // what fails together
	isList bool
	within time.Duration
	get    func(ctx context.Context, use func([]byte) error) error
	// read judges what was fetched now, or at another time and stored. What is genuine but has ended is returned with an error.
	read func(data []byte, fetched, now time.Time, stored bool) (*kept, error)
	// again is the same job under other settings.
	again func(s *inForce) job
}

// How long what was fetched is kept, and asked for anew before its end.
const (
	leastHold   = time.Minute         // whatever its end
	longestList = 30 * 24 * time.Hour // of a list
	longest     = 7 * 24 * time.Hour  // of an answer

	longestUnknown = 10 * time.Minute // of one that tells nothing
	renewList      = 24 * time.Hour   // it is fetched anew after this, at the latest
	renewAnswer    = 12 * time.Hour
	listWithin     = 2 * time.Minute // a fetch may take
	ocspWithin     = 20 * time.Second
)

// hostOf is the host of an address in lower case. An address of a kind that is not known is no place to ask.
func hostOf(c *fetch.Client, address string) (string, error) {
	u, err := c.Check(address)
	if err != nil {
		return "", err
	}
	if u.Hostname() == "" {
		return "directory", nil
	}
	return u.Hostname(), nil
}

// sourceOf is what fails together: the scheme, host and port of an address.
func sourceOf(c *fetch.Client, address string) string {
	u, err := c.Check(address)
	if err != nil {
		return ""
	}
	return safetext.Line(u.Scheme+"://"+u.Host, 300)
}

// digest keeps keys short and tells nothing.
func digest(parts ...[]byte) string {
	var all []byte
	for _, p := range parts {
		all = append(binary.AppendUvarint(all, uint64(len(p))), p...)
	}
	sum := sha256.Sum256(all)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// listKey tells apart what the issuer of a certificate signed from what another one may have: they are held to different rules.
func listKey(kind, address string, signer *x509.Certificate, other bool) string {
	by := []byte("issuer")
	if other {
		by = []byte("other")
	}
	return kind + " " + digest([]byte(address), signer.RawSubjectPublicKeyInfo, signer.RawSubject, by)
}

// listJob gets a list that the issuer of a certificate signed, or another one in its place.
func listJob(s *inForce, kind, address string, signer *x509.Certificate, other bool) job {
	return job{
		key: listKey(kind, address, signer, other), source: sourceOf(s.client, address) + " by CRL", isList: true, within: listWithin,
		again: func(s *inForce) job { return listJob(s, kind, address, signer, other) },
		get: func(ctx context.Context, use func([]byte) error) error {
			return s.client.Get(ctx, address, s.MaxList, use)
		},
		read: func(data []byte, fetched, now time.Time, _ bool) (*kept, error) {
			return readList(data, kind == "differences", signer, other, fetched, now)
		},
	}
}

// readList reads a list that is kept: one of differences or a whole one, by whom it should be signed.
func readList(data []byte, differences bool, signer *x509.Certificate, other bool, fetched, now time.Time) (*kept, error) {
	l, err := parseList(data)
	if err != nil {
		return nil, err
	}
	genuine := l.signedBy
	if other {
		genuine = l.signedByOther
	}
	switch {
	case (l.base != nil) != differences:
		return nil, fmt.Errorf("%w: it is a whole list in the place of one of differences, or the other way round", ErrList)
	case !genuine(signer):
		return nil, fmt.Errorf("%w: it is not signed by whom it should be, or in a way that is not known", ErrList)
	case l.this.After(now.Add(tolerance)):
		return nil, fmt.Errorf("%w: it is of the future, from %s", ErrList, day(l.this))
	}
	l.seal()
	k := &kept{list: l, this: l.this, size: l.size()}
	end := fetched.Add(renewList)
	if !l.next.IsZero() {
		end = l.next.Add(tolerance)
	}
	k.hold(fetched, end, longestList, renewList)
	if now.After(end) {
		return k, fmt.Errorf("%w: it ended on %s", ErrList, day(l.next))
	}
	return k, nil
}

func ocspKey(address string, c, issuer *x509.Certificate) string {
	return "ocsp " + digest([]byte(address), issuer.RawSubjectPublicKeyInfo, issuer.RawSubject, c.SerialNumber.Bytes())
}

// ocspJob asks a responder.
func ocspJob(s *inForce, key, address string, q question) job {
	nonced, nonceErr := q, error(nil)
	if s.Nonce {
		nonce := make([]byte, 32) // RFC 9654, 2.1
		rand.Read(nonce)
		nonced, nonceErr = q.withNonce(nonce)
	}
	return job{
		again: func(s *inForce) job { return ocspJob(s, key, address, q) },
		key:   key, source: sourceOf(s.client, address) + " by OCSP", within: ocspWithin,
		get: func(ctx context.Context, use func([]byte) error) error {
			if nonceErr != nil {
				return nonceErr
			}
			return ask(ctx, s.client, address, nonced, use)
		},
		read: func(data []byte, fetched, now time.Time, stored bool) (*kept, error) {
			asked := nonced
			if stored {
				asked = q // its nonce was that of another question
			}
			a, err := asked.read(data, now)
			if a.this.IsZero() {
				return nil, err
			}
			k := &kept{answer: a, this: a.this, size: 2048}
			if a.status == ocsp.Unknown { // it may be known soon, and says nothing meanwhile: it is asked again when somebody wants it
				k.hold(fetched, a.end(), longestUnknown, renewAnswer)
				k.refresh = k.until.Add(longest)
				return k, err
			}
			k.hold(fetched, a.end(), longest, renewAnswer)
			return k, err
		},
	}
}

// maxGET is the longest question that is asked by GET, so that caches on the way can answer (RFC 5019, 5).
const maxGET = 255

// ask puts a question by HTTP (RFC 6960, A.1).
func ask(ctx context.Context, client *fetch.Client, address string, q question, use func([]byte) error) error {
	text := url.QueryEscape(base64.StdEncoding.EncodeToString(q.der))
	if q.nonce == nil && len(text) <= maxGET && !strings.ContainsAny(address, "?#") {
		err := client.Get(ctx, strings.TrimSuffix(address, "/")+"/"+text, maxAnswer, use)
		if !errors.Is(err, fetch.ErrAnswer) {
			return err
		}
	}
	return client.Post(ctx, address, "application/ocsp-request", q.der, maxAnswer, use)
}

// isPassing reports whether an error is that of a host in trouble, which others who ask it would meet, too.
func isPassing(err error) bool {
	var said ocsp.ResponseError
	if errors.As(err, &said) {
		return said.Status == ocsp.TryLater || said.Status == ocsp.InternalError
	}
	for _, own := range []error{fetch.ErrAnswer, fetch.ErrTooBig, fetch.ErrRefused, ErrList, errAnswer, errOlder} {
		if errors.Is(err, own) {
			return false
		}
	}
	return true
}

// proxyDialer connects to the proxy, which an administrator named, and to nothing else.
func (s Settings) proxyDialer() func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 5 * time.Second}
	return d.DialContext
}
