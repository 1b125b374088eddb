package harvest

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// take keeps what a signature teaches. Everything is judged anew: what was valid when the message was opened may have been
// distrusted since, and nothing here rests on the word of another package alone.
func (h *Harvester) take(ctx context.Context, set Settings, s Signature) error {
	if !set.Enabled || set.Judge == nil {
		return nil
	}
	r := set.Judge.Validate(ctx, s.Certificate, s.Others, certs.Sign, s.From.String(), h.o.Now())
	switch {
	case r.Valid() && s.Valid:
		return h.takeValid(ctx, set, s, r)
	case r.Status == certs.StatusUntrusted && !s.Valid && set.Unknown:
		return h.takeUnknown(ctx, set, s)
	}
	return nil
}

// takeValid keeps the signer's certificate, the one to encrypt to where that is another, and what leads from them to their anchors.
func (h *Harvester) takeValid(ctx context.Context, set Settings, s Signature, r certs.Result) error {
	all := append([]*x509.Certificate{s.Certificate}, above(r)...)
	leaves := []*x509.Certificate{s.Certificate}
	if c, r := h.encryption(ctx, set, s); c != nil {
		leaves = append(leaves, c)
		all = append(append(all, c), above(r)...)
	}
	all = distinct(all)
	fresh, refused, err := h.fresh(ctx, leaves, all, leaves)
	if err != nil || refused {
		return err
	}
	if ok, err := h.room(ctx, set, s, fresh); err != nil || !ok {
		return err
	}
	news, err := h.o.Keeper.Keep(ctx, all, false)
	if err != nil {
		return err
	}
	added := slices.DeleteFunc(leaves, func(c *x509.Certificate) bool { return !slices.ContainsFunc(news, c.Equal) })
	h.bounds.count(s.From.Domain, counted(len(added), len(news)), false)
	if len(added) == 0 {
		return nil
	}
	h.beside(ctx, set, s, added)
	if h.o.Learned != nil {
		h.o.Learned(ctx, s.From)
	}
	return nil
}

// fresh counts what is new: of leaves, or where none of them is, of everything: who has a certificate kept already may send other authorities
// above it with each message. It reports whether one of those that may refuse must not be used.
func (h *Harvester) fresh(ctx context.Context, leaves, all, mayRefuse []*x509.Certificate) (n int, refused bool, err error) {
	var others int
	for _, c := range all {
		known, distrusted, err := h.o.Keeper.Known(ctx, c)
		switch {
		case err != nil:
			return 0, false, err
		case distrusted && slices.ContainsFunc(mayRefuse, c.Equal):
			return 0, true, nil
		case !known && slices.ContainsFunc(leaves, c.Equal):
			n++
		case !known:
			others++
		}
	}
	return counted(n, others), false, nil
}

// counted is how many new certificates count, of so many leaves and so many of any kind.
func counted(leaves, all int) int {
	if leaves > 0 {
		return leaves
	}
	return all
}

// beside tells of new certificates of somebody for whom an administrator brought in another, which goes on being used.
func (h *Harvester) beside(ctx context.Context, set Settings, s Signature, added []*x509.Certificate) {
	preferred, err := h.o.Keeper.Preferred(ctx, s.From.String())
	if err != nil || h.o.Beside == nil {
		return
	}
	for _, p := range preferred {
		r := set.Judge.Validate(ctx, p, nil, certs.Encrypt, s.From.String(), h.o.Now())
		for _, c := range added {
			if r.Valid() && !c.Equal(p) {
				h.o.Beside(ctx, s.From, c, p)
			}
		}
	}
}

// encryption is the certificate that mail to the signer is to be encrypted for, where it is not the one that signed (RFC
// 8551, 2.5.3.1): the one that the signature names, else one of the same subject. It has to be valid for that and for the same address.
func (h *Harvester) encryption(ctx context.Context, set Settings, s Signature) (*x509.Certificate, certs.Result) {
	named := s.Encryption.Serial != nil || s.Encryption.SubjectKeyID != nil
	if named && s.Encryption.Matches(s.Certificate) {
		return nil, certs.Result{}
	}
	valid := func(c *x509.Certificate) certs.Result {
		return set.Judge.Validate(ctx, c, s.Others, certs.Encrypt, s.From.String(), h.o.Now())
	}
	if !named && valid(s.Certificate).Valid() {
		return nil, certs.Result{}
	}
	for _, c := range s.Others {
		if named && !s.Encryption.Matches(c) || !named && string(c.RawSubject) != string(s.Certificate.RawSubject) {
			continue
		}
		if r := valid(c); r.Valid() {
			return c, r
		}
	}
	return nil, certs.Result{}
}

// above is what leads from a certificate that was judged to below its anchor.
func above(r certs.Result) []*x509.Certificate {
	if len(r.Chain) < 3 {
		return nil
	}
	return r.Chain[1 : len(r.Chain)-1]
}

// takeUnknown keeps a certificate from an issuer nobody knows, with its chain, for an administrator to look at: one that would be
// valid if that issuer were trusted, and no other.
func (h *Harvester) takeUnknown(ctx context.Context, set Settings, s Signature) error {
	chain := climb(s.Certificate, s.Others)
	top := chain[len(chain)-1]
	if !certs.NewValidator([]*x509.Certificate{top}, chain).Validate(ctx, s.Certificate, nil, certs.Sign, s.From.String(), h.o.Now()).Valid() {
		return nil
	}
	if set.Judge.Validate(ctx, top, chain, certs.Any, "", h.o.Now()).Status != certs.StatusUntrusted {
		return nil // its issuer is known, and something else is wrong
	}
	fresh, refused, err := h.fresh(ctx, chain[:1], chain, chain)
	if err != nil || refused {
		return err
	}
	if ok, err := h.room(ctx, set, s, fresh); err != nil || !ok {
		return err
	}
	news, err := h.o.Keeper.Keep(ctx, chain, true)
	if err != nil {
		return err
	}
	n := 0
	if slices.ContainsFunc(news, s.Certificate.Equal) {
		n = 1
	}
	h.bounds.count(s.From.Domain, counted(n, len(news)), true)
	if h.o.Asked != nil {
		h.o.Asked(ctx, s.From, top)
	}
	return nil
}

// maxClimb bounds a chain.
const maxClimb = 8

// climb goes up from a certificate among others, as far as signatures are right. Those whose signatures take long to check are left out.
func climb(leaf *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for len(chain) < maxClimb {
		last := chain[len(chain)-1]
		if string(last.RawIssuer) == string(last.RawSubject) {
			break
		}
		i := slices.IndexFunc(others, func(c *x509.Certificate) bool {
			return string(c.RawSubject) == string(last.RawIssuer) && !certs.Oversized(c) && !slices.ContainsFunc(chain, c.Equal) && x509x.CheckSignatureFrom(last, c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, others[i])
	}
	return chain
}

func distinct(all []*x509.Certificate) (out []*x509.Certificate) {
	for _, c := range all {
		if !slices.ContainsFunc(out, c.Equal) {
			out = append(out, c)
		}
	}
	return out
}

// room reports whether so many new certificates may be kept. That there is none is said once a day.
func (h *Harvester) room(ctx context.Context, set Settings, s Signature, fresh int) (bool, error) {
	if fresh == 0 {
		return true, nil
	}
	now := h.o.Now()
	if h.bounds.stale(now) {
		t, err := h.o.Keeper.Tally(ctx, now.Add(-day))
		if err != nil {
			return false, err
		}
		h.bounds.begin(now, t)
	}
	full := h.bounds.full(set, strings.ToLower(s.From.Domain), fresh, !s.Valid)
	if full != "" && h.bounds.tell(full) {
		h.o.Log.Warnf("New certificates of signatures are not kept until tomorrow, or until there is room: %s is reached.", full)
	}
	return full == "", nil
}
