package gateway

import (
	"context"
	"runtime/debug"

	"github.com/siegel-mail/siegel/gateway/explain"
	"github.com/siegel-mail/siegel/gateway/rehearse"
)

// Explain says what would become of a message, by the code that takes mail, with the certificates, groups and routes of this moment. Nothing comes of it: no
// message, no record, no certificate. An error that wraps explain.ErrQuestion is for who asked; every other one is our own trouble.
func (g *Gateway) Explain(ctx context.Context, q explain.Question) (a explain.Answer, err error) {
	defer func() {
		if v := recover(); v != nil { // as in admit: the value may hold what is in the message
			g.o.Log.WithField("stack", string(debug.Stack())).Errorf("A fault in the gateway (%T) interrupted an explanation; please report it.", v)
			a, err = explain.Answer{}, errFault
		}
	}()
	m, err := q.Read()
	if err != nil {
		return a, err
	}
	if err := g.known.Check(); err != nil {
		return a, err
	}
	return rehearse.Ask(ctx, m, q.Listener, g.listeners, g.judge.Load().Quiet(), g.protector.Load())
}
