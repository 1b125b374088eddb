package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
)

// Presented are the certificates that a part of the gateway shows to TLS clients.
type Presented struct {
	By           string // "the listener mx"
	Certificates func() []tls.Certificate
}

// watched is what ends of the settings in force.
type watched struct {
	before    time.Duration // how long before the end it is told; 0: not at all
	presented []Presented
	folder    *folder.Folder // nil: none
}

func newWatched(s Settings) *watched {
	return &watched{before: s.WarnBefore, presented: s.Presented, folder: s.Folder}
}

// ofTLS are the certificates of TLS that end before a time.
func (w *watched) ofTLS(until time.Time) (all []ending) {
	for _, p := range w.presented {
		for _, pair := range p.Certificates() {
			if c := leafOf(pair); c != nil && c.NotAfter.Before(until) {
				all = append(all, ending{
					endsListener, store.FingerprintOf(c).String(), "the TLS certificate of " + p.By, c.NotAfter,
					store.Record{Certificate: c, Source: p.By, Trust: store.ByPath},
				})
			}
		}
	}
	return all
}

// leafOf is the certificate of a pair; nil where there is none that can be read.
func leafOf(pair tls.Certificate) *x509.Certificate {
	if pair.Leaf != nil || len(pair.Certificate) == 0 {
		return pair.Leaf
	}
	c, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil
	}
	return c
}

// inFolder are the certificates of the folder that end before one time and not before another.
func (w *watched) inFolder(until, from time.Time) map[store.Fingerprint]folder.Item {
	found := map[store.Fingerprint]folder.Item{}
	if w.folder == nil {
		return found
	}
	for i := range w.folder.All() {
		if at := i.Certificate.NotAfter; at.Before(until) && !at.Before(from) {
			found[store.FingerprintOf(i.Certificate)] = i
		}
	}
	return found
}

// findEndings looks for what ends before a time, or has lately, in the store, in the folder and of TLS; first what ends first. What lies in the
// store and in the folder is told of once, by what both say. Where every is set, what another follows is among it, and of partners all.
func (g *Gateway) findEndings(ctx context.Context, w *watched, until time.Time, every bool) ([]ending, error) {
	now := g.o.Now()
	all, filed := w.ofTLS(until), w.inFolder(until, now.Add(-endedFor))
	note := func(r store.Record, i folder.Item) error {
		kind := kindOf(r, i, now, every)
		if kind == "" || len(all) >= maxEndings {
			return nil
		}
		if !every {
			if followed, err := g.isFollowed(ctx, w, bearer{r.Certificate, hasKey(r, i)}); followed || err != nil {
				return err
			}
		}
		all = append(all, newEnding(kind, r, i))
		return nil
	}
	for r, err := range g.known.All(ctx, store.Filter{Ends: until, NotEnds: now.Add(-endedFor)}) {
		if err != nil {
			return nil, err
		}
		i := filed[r.Fingerprint()]
		delete(filed, r.Fingerprint())
		if err := note(r, i); err != nil {
			return nil, err
		}
	}
	for _, i := range slices.SortedFunc(maps.Values(filed), func(a, b folder.Item) int { return a.Certificate.NotAfter.Compare(b.Certificate.NotAfter) }) {
		if err := note(recordOf(i), i); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b ending) int { return a.at.Compare(b.at) })
	return all, nil
}

// recordOf is a certificate of the folder alone as the store would have it.
func recordOf(i folder.Item) store.Record {
	r := store.Record{Certificate: i.Certificate, Source: "folder " + i.File, Trust: store.ByPath}
	if i.Anchor {
		r.Trust = store.Anchor
	}
	if i.Key {
		r.Key = "folder"
	}
	return r
}

// newEnding is the end of a certificate, named so that an administrator finds it.
func newEnding(kind kindOfEnding, r store.Record, i folder.Item) ending {
	name := certs.Describe(r.Certificate)
	if i.File != "" {
		name += " in the file " + i.File
	}
	if i.Key && r.Key == "" {
		r.Key = "folder"
	}
	return ending{kind, r.Fingerprint().String(), name, r.Certificate.NotAfter, r}
}

func hasKey(r store.Record, i folder.Item) bool { return r.Key != "" || i.Key }

// kindOf says whose a certificate is; nobody's whose end matters where it is empty. i is the same certificate in the folder, if it is there.
func kindOf(r store.Record, i folder.Item, now time.Time, every bool) kindOfEnding {
	switch {
	case r.Trust == store.Distrusted:
		return ""
	case r.Trust == store.Anchor || i.Anchor:
		return endsAnchor
	case r.Certificate.IsCA:
		return endsAuthority
	case hasKey(r, i):
		return endsOwn
	case every || i.Certificate != nil || now.Sub(r.Seen) < usedLately:
		return endsPartner
	}
	return ""
}

// bearer is a certificate that bears an address, and whether its key is here.
type bearer struct {
	*x509.Certificate
	key bool
}

// isFollowed reports whether for each address of a certificate there is one that lasts longer and can do as much.
func (g *Gateway) isFollowed(ctx context.Context, w *watched, c bearer) (bool, error) {
	addresses := certs.Addresses(c.Certificate)
	if len(addresses) == 0 || c.IsCA {
		return false, nil
	}
	for _, address := range addresses {
		others, err := g.bearing(ctx, w, address)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(others, func(o bearer) bool { return follows(o, c) }) {
			return false, nil
		}
	}
	return true, nil
}

// bearing are the certificates of an address, in the store and in the folder, that are not distrusted.
func (g *Gateway) bearing(ctx context.Context, w *watched, address string) (all []bearer, err error) {
	kept, err := g.known.ByAddress(ctx, address)
	if err != nil {
		return nil, err
	}
	var held []certs.Held
	if w.folder != nil {
		held = w.folder.Held(address)
	}
	for _, r := range kept {
		at := slices.IndexFunc(held, func(h certs.Held) bool { return h.Certificate.Equal(r.Certificate) })
		key := r.Key != ""
		if at >= 0 {
			key = key || held[at].Identity != nil
			held = slices.Delete(held, at, at+1)
		}
		if r.Trust != store.Distrusted {
			all = append(all, bearer{r.Certificate, key})
		}
	}
	for _, h := range held {
		all = append(all, bearer{h.Certificate, h.Identity != nil})
	}
	return all, nil
}

// follows reports whether o stands where c did.
func follows(o, c bearer) bool {
	return o.key == c.key && o.NotAfter.After(c.NotAfter) && o.KeyUsage&c.KeyUsage == c.KeyUsage
}
