package store

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// judging is what a view judges by, as it was when it was read. It is immutable.
type judging struct {
	version   uint64
	validator *certs.Validator
	anchors   []*x509.Certificate
	issuers   certs.Issuers // of what is not distrusted
	serving   bool          // some certificate serves a domain
}

// current is what is judged by now, made anew where the store's trust has changed.
func (v *View) current(ctx context.Context) (*judging, error) {
	if err := v.s.Check(); err != nil {
		return nil, err
	}
	if j := v.last.Load(); j != nil && j.version == v.s.cache.trust.Load() {
		return j, nil
	}
	v.building.Lock()
	defer v.building.Unlock()
	version := v.s.cache.trust.Load()
	if j := v.last.Load(); j != nil && j.version == version {
		return j, nil
	}
	j, err := v.build(ctx)
	if err != nil {
		return nil, err
	}
	j.version = version
	v.last.Store(j)
	return j, nil
}

const saidCondition = `WHERE c.trust <> 0 OR c.ca <> 0 OR c.serves <> 0`

// build reads everything that an administrator said, and all authorities.
func (v *View) build(ctx context.Context) (*judging, error) {
	w := &words{s: v.s, distrusted: map[[sha256.Size]byte]bool{}, keys: map[[sha256.Size]byte]bool{}, trusted: map[string][]string{}, scopes: map[string][]string{}, serves: map[string][]string{}}
	b := &builder{s: v.s, words: w}
	err := v.s.using(func(db *database) error {
		return v.s.each(ctx, db.read, b.take, columns+saidCondition)
	})
	if err != nil {
		return nil, err
	}
	anchors, intermediates := b.anchors, b.intermediates
	for _, c := range v.o.Anchors {
		w.known = append(w.known, c)
		if !w.Distrusts(c) {
			anchors = append(anchors, c)
		}
	}
	for _, c := range v.o.Intermediates {
		w.known = append(w.known, c)
		if !w.Distrusts(c) {
			intermediates = append(intermediates, c)
		}
	}
	asked := descended(b.asked, w.known)
	w.known, intermediates = append(w.known, asked...), append(intermediates, asked...)
	w.index()
	validator := certs.NewValidator(anchors, intermediates).WithTrust(w)
	if v.o.Revocation != nil {
		validator = validator.WithRevocation(v.o.Revocation)
	}
	if v.o.Adjust != nil {
		validator = v.o.Adjust(validator)
	}
	above := slices.Concat(anchors, intermediates, b.asked) // what is not right for a signature is not sent along
	return &judging{validator: validator, anchors: anchors, issuers: certs.NewIssuers(above), serving: len(w.serves) > 0}, nil
}

// builder takes rows apart.
type builder struct {
	s                      *Store
	words                  *words
	anchors, intermediates []*x509.Certificate
	asked                  []*x509.Certificate // authorities that wait for a word
}

// take reads one row. What was said of a certificate that is none of an authority, and is not distrusted, is read without the certificate itself.
func (b *builder) take(r *row) error {
	said, err := b.s.openStatement(r)
	if err != nil {
		return err
	}
	w, id := b.words, string(r.id)
	if len(said.Serves) > 0 {
		w.serves[id] = said.Serves
	}
	switch said.Trust {
	case Trusted:
		w.trusted[id] = said.Scope
	case Anchor:
		if len(said.Scope) > 0 {
			w.scopes[id] = said.Scope
		}
	}
	if r.ca == 0 && said.Trust != Anchor && said.Trust != Distrusted {
		return nil
	}
	rec, err := b.s.unseal(r)
	if err != nil {
		return err
	}
	if said.Trust == Distrusted {
		w.distrusted[signedPart(rec.Certificate)] = true
		if r.ca == 0 {
			return nil
		}
	}
	if said.Trust == Asked {
		b.asked = append(b.asked, rec.Certificate)
		return nil
	}
	w.known = append(w.known, rec.Certificate)
	switch said.Trust {
	case Distrusted:
		w.keys[keyOf(rec.Certificate)] = true
	case Anchor:
		b.anchors = append(b.anchors, rec.Certificate)
	default:
		b.intermediates = append(b.intermediates, rec.Certificate)
	}
	return nil
}

// descended returns those of the authorities that wait for a word which descend from known ones, through each other. Strangers name theirs
// as they like: others would stand in the way of those whose names they bear.
func descended(asked, known []*x509.Certificate) (found []*x509.Certificate) {
	waiting := map[string][]*x509.Certificate{} // by the name of their issuer
	for _, c := range asked {
		name := x509x.NameKey(c.RawIssuer)
		waiting[name] = append(waiting[name], c)
	}
	for issuers := slices.Clone(known); len(issuers) > 0; issuers = issuers[1:] {
		name := x509x.NameKey(issuers[0].RawSubject)
		waiting[name] = slices.DeleteFunc(waiting[name], func(c *x509.Certificate) bool {
			if x509x.CheckSignatureFrom(c, issuers[0]) != nil {
				return false
			}
			found, issuers = append(found, c), append(issuers, c)
			return true
		})
	}
	return found
}

// keyOf is what a distrusted authority is known by, whatever certificates it has.
func keyOf(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(publicKey(c)) }

// signedPart is what a distrusted certificate is known by: everybody can make another signature that is right, as ECDSA allows, of the one it
// has, and with it another fingerprint.
func signedPart(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawTBSCertificate) }

// words is what was said of certificates, by their hashes. It implements certs.Trust.
type words struct {
	s          *Store
	distrusted map[[sha256.Size]byte]bool
	keys       map[[sha256.Size]byte]bool // of distrusted authorities
	trusted    map[string][]string        // and their scope
	scopes     map[string][]string        // of anchors that have one
	serves     map[string][]string
	known      []*x509.Certificate            // all authorities, distrusted ones too
	byName     map[string][]*x509.Certificate // the same by their subject, in the form of x509x.NameKey
}

var _ certs.Trust = (*words)(nil)

func (w *words) index() {
	w.byName = map[string][]*x509.Certificate{}
	for _, c := range w.known {
		key := x509x.NameKey(c.RawSubject)
		w.byName[key] = append(w.byName[key], c)
	}
}

func (w *words) id(c *x509.Certificate) string { return string(w.s.certificateHash(c)) }

// Distrusts implements certs.Trust.
func (w *words) Distrusts(c *x509.Certificate) bool {
	return len(w.keys) > 0 && w.keys[keyOf(c)] || len(w.distrusted) > 0 && w.distrusted[signedPart(c)]
}

// Trusts implements certs.Trust.
func (w *words) Trusts(c *x509.Certificate, alongside []*x509.Certificate) bool {
	if len(w.trusted) == 0 {
		return false
	}
	id := w.id(c)
	scope, ok := w.trusted[id]
	return ok && w.within(scope, id, c) && !w.belowDistrusted(c, alongside)
}

// Covers implements certs.Trust.
func (w *words) Covers(anchor, leaf *x509.Certificate) bool {
	if len(w.scopes) == 0 {
		return true
	}
	return w.within(w.scopes[w.id(anchor)], w.id(leaf), leaf)
}

// within reports whether all that a certificate stands for is in a scope.
func (w *words) within(scope []string, id string, c *x509.Certificate) bool {
	if len(scope) == 0 {
		return true
	}
	addresses, whole := certs.AllAddresses(c)
	if !whole {
		return false
	}
	for _, a := range addresses {
		if !covers(scope, certs.AddressKey(a)) {
			return false
		}
	}
	for _, d := range w.serves[id] {
		if !coversAll(scope, d) {
			return false
		}
	}
	return len(addresses)+len(w.serves[id]) > 0
}

// coversAll reports whether one of the entries covers all of a domain.
func coversAll(scope []string, domain string) bool {
	for _, e := range scope {
		if coversDomain(e, domain) {
			return true
		}
	}
	return false
}

// Serves implements certs.Trust.
func (w *words) Serves(c *x509.Certificate, address string) bool {
	if len(w.serves) == 0 {
		return false
	}
	key := certs.AddressKey(address)
	return key != "" && covers(w.serves[w.id(c)], key)
}

// The bounds of a climb.
const (
	maxClimb  = 8  // certificates above one
	maxChecks = 40 // signatures
)

// belowDistrusted reports whether an authority above c is distrusted, among those that are known and those alongside.
func (w *words) belowDistrusted(c *x509.Certificate, alongside []*x509.Certificate) bool {
	found, sure := w.distrustedAbove(c, alongside)
	return found != nil || !sure
}

// DistrustedAbove implements certs.Distruster.
func (w *words) DistrustedAbove(c *x509.Certificate, alongside []*x509.Certificate) *x509.Certificate {
	found, _ := w.distrustedAbove(c, alongside)
	return found
}

// distrustedAbove finds an authority above c that is distrusted; sure is false where there are too many to look at.
func (w *words) distrustedAbove(c *x509.Certificate, alongside []*x509.Certificate) (found *x509.Certificate, sure bool) {
	if len(w.keys) == 0 {
		return nil, true
	}
	level, seen := []*x509.Certificate{c}, map[string]bool{}
	for depth, checks := 0, 0; depth < maxClimb && len(level) > 0; depth++ {
		var above []*x509.Certificate
		for _, below := range level {
			for _, issuer := range w.issuersOf(below, alongside) {
				if seen[string(issuer.Raw)] {
					continue
				}
				if checks++; checks > maxChecks {
					return nil, false // nobody has so many; what cannot be told is not believed
				}
				if x509x.CheckSignatureFrom(below, issuer) != nil {
					continue
				}
				if w.Distrusts(issuer) {
					return issuer, true
				}
				seen[string(issuer.Raw)] = true
				above = append(above, issuer)
			}
		}
		level = above
	}
	return nil, true
}

func (w *words) issuersOf(c *x509.Certificate, alongside []*x509.Certificate) []*x509.Certificate {
	all := w.byName[x509x.NameKey(c.RawIssuer)]
	for _, a := range alongside {
		if x509x.SameName(a.RawSubject, c.RawIssuer) {
			all = append(all[:len(all):len(all)], a)
		}
	}
	return all
}

// sentChain is what is sent along with a signature, as it was when it was found.
type sentChain struct {
	of    *judging
	chain []*x509.Certificate
}

// chain is what is sent along with a signature by the certificate.
func (k *kept) chain(j *judging) []*x509.Certificate {
	if sent := k.sent.Load(); sent != nil && sent.of == j {
		return sent.chain
	}
	chain := j.issuers.Chain(k.Certificate)
	k.sent.Store(&sentChain{j, chain})
	return chain
}
