package probe

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// fewSuites is how many suites a small hello has.
const fewSuites = 24

// scanSuites finds the suites of a version, one by each connection: what was chosen is taken out of the next hello, until
// nothing is chosen any more. The order in which they come is the server's, where it has one.
func (p *prober) scanSuites(ctx context.Context, s *scan) error {
	size := 1 << 16
	if s.small {
		size = fewSuites
	}
	for chunk := range slices.Chunk(suitesOf(s.version), size) {
		found, err := p.drain(ctx, chunk, p.suiteChoice(s.version, groupsOf(s.version)))
		s.suites = append(s.suites, found...)
		if err != nil {
			return err
		}
	}
	if err := p.fixedPrimes(ctx, s); err != nil {
		return err
	}
	var err error
	s.suiteOrder, s.suites, err = p.order(ctx, s.suites, s.small, p.suiteChoice(s.version, groupsOf(s.version)))
	if s.suiteOrder == ClientOrder {
		slices.SortStableFunc(s.suites, byStrength)
	}
	return err
}

// fixedPrimes asks once more for suites with Diffie-Hellman modulo a prime, without the groups of RFC 7919: a server that has a
// prime of its own must not choose such suites where a client names groups (RFC 7919, 4).
func (p *prober) fixedPrimes(ctx context.Context, s *scan) error {
	if s.version == hello.TLS13 {
		return nil
	}
	rest := slices.DeleteFunc(without(suitesOf(s.version), s.suites...), func(id uint16) bool {
		a := agreement(id)
		return !a.Ephemeral || a.Elliptic
	})
	found, err := p.drain(ctx, rest, p.suiteChoice(s.version, onCurves(s.version)))
	s.suites = append(s.suites, found...)
	return err
}

// choice asks a server to choose from a list: 0 and false where it refuses all of it.
type choice func(ctx context.Context, offered []uint16) (chosen uint16, ok bool, err error)

func (p *prober) suiteChoice(version uint16, groups []uint16) choice {
	return func(ctx context.Context, offered []uint16) (uint16, bool, error) {
		f, err := p.ask(ctx, p.offer(version, offered, groups), hello.UntilHello)
		switch {
		case isRefusal(err):
			return 0, false, nil
		case err != nil:
			return 0, false, err
		}
		return f.Hello.Suite, f.Hello.Version == version, nil
	}
}

// drain finds everything of a list that is chosen as long as nothing better is there.
func (p *prober) drain(ctx context.Context, offered []uint16, ask choice) (found []uint16, err error) {
	for len(offered) > 0 {
		chosen, ok, err := ask(ctx, offered)
		if err != nil || !ok || !slices.Contains(offered, chosen) { // a server that chooses what was not offered says nothing true
			return found, err
		}
		found, offered = append(found, chosen), without(offered, chosen)
	}
	return found, nil
}

// order tells whose order decides: a list is offered in two orders, and the same is chosen from both or is not. Where the server
// decides and found is not in its order yet, it is brought into it.
func (p *prober) order(ctx context.Context, found []uint16, unordered bool, ask choice) (Order, []uint16, error) {
	if len(found) < 2 {
		return "", found, nil
	}
	reversed := slices.Clone(found)
	slices.Reverse(reversed)
	second, ok, err := ask(ctx, reversed)
	if err != nil || !ok {
		return "", found, err
	}
	first, ok, err := ask(ctx, found)
	if err != nil || !ok {
		return "", found, err
	}
	if first != second {
		return ClientOrder, found, nil
	}
	if unordered {
		sorted, err := p.drain(ctx, found, ask)
		if err != nil || len(sorted) != len(found) {
			return ServerOrder, found, err
		}
		found = sorted
	}
	return ServerOrder, found, nil
}

// agreement is how a suite below TLS 1.3 agrees on keys.
func agreement(id uint16) hello.Agreement {
	s, _ := tlsnames.LookupSuite(id)
	how := s.KeyExchange()
	return hello.Agreement{
		Ephemeral: strings.HasPrefix(how, "ECDHE") || strings.HasPrefix(how, "DHE") || strings.Contains(how, "_anon"),
		Elliptic:  strings.HasPrefix(how, "ECDH"),
		PSK:       strings.Contains(how, "PSK"),
		Anonymous: strings.Contains(how, "_anon"),
	}
}

// byStrength puts suites first that keep what was said secret later, too, and those that encrypt and authenticate in one.
func byStrength(a, b uint16) int {
	weight := func(id uint16) (n int) {
		s, _ := tlsnames.LookupSuite(id)
		if !s.ForwardSecret() {
			n += 2
		}
		if !s.AEAD() {
			n++
		}
		return n
	}
	return cmp.Compare(weight(a), weight(b))
}
