package addin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// caller is somebody who is known.
type caller struct {
	way      string // ByEntra, ByExchange or ByNetwork
	key      string // what limits count by
	address  netip.Addr
	own      []mail.Address // that may be asked for
	speakFor mail.Patterns  // and these, of a network
}

// may returns a From address that the caller may ask for.
func (c caller) may(from string) (mail.Address, *problem) {
	a, err := mail.ParseAddress(strings.TrimSpace(from))
	switch {
	case err != nil:
		return a, badRequest
	case owns(c.own, a), c.speakFor.Match(a):
		return a, nil
	}
	return a, notYours
}

// caller says who asks: whom a token proves, else, where there is none, whoever is in a network from which everybody may ask. A token that proves nothing is not
// helped by where it comes from: pages that have one mean it.
func (h *handler) caller(ctx context.Context, r *http.Request) (caller, *problem) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return caller{}, unauthorized
	}
	c := caller{address: at.Addr().Unmap().WithZone("")}
	lines := r.Header.Values("Authorization")
	if len(lines) == 0 {
		if h.inside(c.address) && sameOrigin(r, h.s.Origin) && !forwarded(r) {
			c.way, c.key, c.speakFor = ByNetwork, "network "+network(c.address), h.s.SpeakFor
			return c, nil
		}
		return caller{}, h.stray(c.address, unauthorized)
	}
	scheme, text, ok := strings.Cut(lines[0], " ")
	if len(lines) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
		return caller{}, h.stray(c.address, unauthorized)
	}
	verifier := h.s.Verifier
	verifier.Turn = func(ctx context.Context) (func(), error) { return h.turns.take(ctx, network(c.address)) }
	who, err := verifier.Verify(ctx, text)
	if err != nil {
		return caller{}, h.refused(c.address, err)
	}
	c.way, c.key = string(who.Kind), string(who.Kind)+" "+who.ID
	if c.own, err = h.s.Users.Of(ctx, who); err != nil {
		h.log.WithField("error", safetext.Line(err.Error(), 1024)).Warn("Outlook: whose addresses are whose cannot be told")
		h.figures.refused("directory")
		return caller{}, unavailable
	}
	if len(c.own) == 0 {
		h.figures.refused("nobody")
		h.log.WithField("user", safetext.Line(who.ID, 320)).Info("Outlook: a user is known by a token and no address of the user is; add a line with this ID to outlook.users_file, or see outlook.directory")
	}
	return c, nil
}

// inside reports whether everybody at an address may ask.
func (h *handler) inside(a netip.Addr) bool {
	return slices.ContainsFunc(h.s.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// forwarded reports whether a proxy says that it passes a request on: its address then is not that of who asks, and being inside proves nothing (RFC 7239, RFC 9110, 7.6.3).
func forwarded(r *http.Request) bool {
	return slices.ContainsFunc([]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}, func(name string) bool {
		_, there := r.Header[name]
		return there
	})
}

// sameOrigin reports whether a request comes from one of our pages, or from no page at all. Without a token nothing else tells them from a page of somebody else that a
// user inside has open.
func sameOrigin(r *http.Request, origin string) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	from := r.Header.Get("Origin")
	return (from == "" || from == origin) && (site == "" || site == "same-origin")
}

// refused is what somebody learns whose token proves nothing: nothing. The log says why.
func (h *handler) refused(from netip.Addr, err error) *problem {
	if errors.Is(err, errNoTurn) {
		h.figures.limited("at-once")
		return unavailable
	}
	if errors.Is(err, token.ErrUnavailable) {
		h.figures.refused("keys")
		h.log.WithField("error", safetext.Line(err.Error(), 1024)).Warn("Outlook: a token cannot be checked; siegel outlook check says more")
		return unavailable
	}
	h.log.WithField("error", safetext.Line(err.Error(), 512)).WithField("client", from.String()).Info("Outlook: a token is not believed")
	return h.stray(from, unauthorized)
}

// stray counts somebody who is not known.
func (h *handler) stray(from netip.Addr, p *problem) *problem {
	h.figures.refused("unknown")
	if h.strays.enter(network(from), h.now()) > 0 {
		h.figures.limited("strangers")
		return tooManyStrays
	}
	return p
}
