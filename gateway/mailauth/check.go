package mailauth

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Resolver is what a Checker asks of DNS: the methods of [net.Resolver] that it needs, with its errors, which
// are *[net.DNSError]. IsNotFound in one means that there is no such record, and nothing else.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

// Options are what a Checker works with. Resolver is required; zero fields take the default that stands with
// them.
type Options struct {
	Resolver      Resolver
	Timeout       time.Duration // for one message; 20 seconds (RFC 7208, 4.6.4). What is not known by then is a TempError
	MaxSignatures int           // looked at, from the top of the header; 8
	MinBits       int           // of RSA keys; 1024 (RFC 8301, 3.2)
	MaxBits       int           // of RSA keys; 4096
	Header        int           // octets of a header; 256 KiB
	// Percent draws a number from 0 to 99 for policies that want to be applied to a part of the mail; nil: at
	// random.
	Percent func() int
}

// ErrOptions is the error of [New] without a resolver.
var ErrOptions = errors.New("mailauth: a resolver is needed")

// Checker judges messages. It may be used from many goroutines.
type Checker struct{ o Options }

// New makes a Checker.
func New(o Options) (*Checker, error) {
	if o.Resolver == nil {
		return nil, ErrOptions
	}
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&o.MaxSignatures, 8)
	orInt(&o.MinBits, 1024)
	orInt(&o.MaxBits, 4096)
	orInt(&o.Header, entity.DefaultHeaderLimit)
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Percent == nil {
		o.Percent = func() int { return rand.IntN(100) }
	}
	return &Checker{o: o}, nil
}

// Check judges a message as it came in, its envelope and its content. It reads the content once for its header
// and once for each signature that can be checked, and keeps nothing of the body in memory.
//
// Whatever is wrong with the message, with DNS or with the time is in the Result. The errors are those of
// reading the content, [entity.ErrLimit] for its header, and that of ctx when it has ended.
func (c *Checker) Check(ctx context.Context, env mail.Envelope, content mail.Content) (Result, error) {
	header, err := readHeader(content, c.o.Header)
	if err != nil {
		return Result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	var r Result
	var found discovery
	var others sync.WaitGroup
	others.Go(func() { r.SPF = c.checkSPF(limited, env) })
	others.Go(func() { found = c.discover(limited, header) })
	r.DKIM, r.Unseen, err = c.checkDKIM(limited, header, content)
	others.Wait()
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	r.DMARC, r.Unconfirmed = found.judge(r.SPF, r.DKIM, c.o.Percent)
	return r, nil
}

// readHeader reads the header of a message.
func readHeader(content mail.Content, limit int) (entity.Header, error) {
	r, err := content.Open()
	if err != nil {
		return entity.Header{}, err
	}
	defer r.Close()
	header, _, err := entity.Read(r, limit)
	return header, err
}

// openBody opens a message at its body.
func openBody(content mail.Content, limit int) (body io.Reader, close func() error, err error) {
	r, err := content.Open()
	if err != nil {
		return nil, nil, err
	}
	_, body, err = entity.Read(r, limit)
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return body, r.Close, nil
}

// isNotFound tells the errors that say: there is no such record.
func isNotFound(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}
