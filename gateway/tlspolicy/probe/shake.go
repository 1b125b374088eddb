package probe

import (
	"context"
	"errors"
	"net"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Handshaker brings TLS up over a connection, as [tlspolicy.Client.Handshake] does.
type Handshaker func(ctx context.Context, raw net.Conn) (net.Conn, tlspolicy.State, error)

// Shake makes one connection to a target, begins TLS there as its protocol asks, has the handshake done and says a first word, to see that the
// server does not refuse the client's certificate after it (TLS 1.3). State is what was negotiated, as far as it came. [Explain]
// makes a sentence of the error.
func Shake(ctx context.Context, t Target, o Options, shake Handshaker) (tlspolicy.State, error) {
	p := &prober{target: t, options: o.withDefaults(), seats: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	var state tlspolicy.State
	err := p.connection(ctx, func(ctx context.Context, raw net.Conn) error {
		conn, s, err := shake(ctx, raw)
		if state = s; err != nil {
			return err
		}
		if s.Asked && s.Version >= hello.TLS13 {
			if _, _, err := p.word(conn, quietAsked); isAlert(err) {
				return err
			}
		}
		return nil
	})
	return state, err
}

// Explain says what an error of Shake means, and what to do.
func Explain(err error, t Target) *Problem {
	var policy *tlspolicy.Error
	if code, ok := tlspolicy.Alert(err); ok {
		return explain(&hello.Alert{Fatal: true, Code: code}, t)
	}
	if errors.As(err, &policy) {
		text := policy.Text
		if policy.Err != nil {
			text += ": " + plainCause(policy.Err)
		}
		return &Problem{Text: safetext.Line(text, 300), Remedy: policy.Advice}
	}
	return explain(err, t)
}
