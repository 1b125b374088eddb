package protect

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
)

// incomingHeader is the longest header that is read of a message that was taken: more than a listener takes,
// since it adds to it.
const incomingHeader = 2 * headerLimit

// Part is what some of the due recipients of a claim get: they have one decision.
type Part struct {
	Rows    []int        // indexes into Claim.Message.Recipients
	Content mail.Content // nil: see Aside
	// Aside, where it is not nil, is why their copies are set aside in quarantine.
	Aside *Aside
	// Silent: of other content, which the outside cannot see, the copies would have been set aside.
	Silent bool
}

// Aside is why a copy is in quarantine.
type Aside struct {
	Why     string // in a few words, for operators
	Details string // as package quarantine writes it
}

// Prepare gives what to deliver to the due recipients of a claim. Mail from inside, already protected, and reports pass as
// they are in the store; mail from outside is decrypted, verified and annotated. The caller calls release
// when it is done with the content. Faults of storage are errors; mail that cannot be opened is not: it
// passes as it came, with what was found written above it. Where a key is away that may open it, it is an *Away
// until Options.Within is over since it came; then it passes as it came, too. A message that waits for its
// protection is never given.
func (p *Protector) Prepare(ctx context.Context, store queue.Store, c queue.Claim) ([]Part, func(), error) {
	if c.Message.IsPending() {
		return nil, nil, errPending
	}
	if c.Message.IsArchive() {
		return nil, nil, errArchive
	}
	stored := storedContent{ctx, store, c.Message.Envelope.ID, c.Message.Size}
	if c.Message.Envelope.Internal {
		return whole(c, stored), func() {}, nil
	}
	if p.isForOthers(c) {
		content, err := withoutOrigin(stored)
		return whole(c, content), func() {}, err
	}
	return p.receive(ctx, c, stored)
}

// whole is the one part of a claim whose recipients get the same.
func whole(c queue.Claim, content mail.Content) []Part {
	return []Part{{Rows: c.Due, Content: content}}
}

// openVisible opens what shows of a message without any key.
func (p *Protector) openVisible(ctx context.Context, stored smime.Source) (*smime.Opened, error) {
	legacy, err := p.legacy(stored)
	if err != nil {
		return nil, err
	}
	return smime.Open(ctx, stored, smime.OpenOptions{
		Judge: p.judge, Stands: p.stands, Scratch: p.scratch, Now: p.o.Now(), Limits: smime.Limits{Header: incomingHeader}, Legacy: legacy,
	})
}

// open opens a message from outside with the keys that are at hand. late is why it was not decrypted, where a
// key was waited for in vain.
func (p *Protector) open(ctx context.Context, c queue.Claim, stored smime.Source) (opened *smime.Opened, late *Away, err error) {
	k := &layerKeys{p: p, ctx: ctx}
	defer k.release()
	o := smime.OpenOptions{
		Keys: k.find, Judge: p.judge, Stands: p.stands, Scratch: p.scratch, Now: p.o.Now(),
		Limits: smime.Limits{Header: incomingHeader},
	}
	if o.Legacy, err = p.legacy(stored); err != nil {
		return nil, nil, err
	}
	opened, err = smime.Open(ctx, stored, o)
	away := k.awayOf(opened, err)
	if away == nil || ctx.Err() != nil {
		return opened, nil, err
	}
	if opened != nil {
		opened.Close()
	}
	away.Until = c.Message.Envelope.Received.Add(p.o.Within)
	if e := c.Message.Expires; !e.IsZero() && e.Before(away.Until) {
		away.Until = e
	}
	if p.o.Now().Before(away.Until) {
		return nil, nil, away
	}
	o.Keys = nil
	opened, err = smime.Open(ctx, stored, o)
	return opened, away, err
}

// isForOthers reports whether any recipient that is due is none of the company's own. Mail that is kept for others
// passes as it came: what is encrypted in it, be it to a key of the company too, is not opened for them. Where one
// attempt is for both, which a reload or an operator may bring about, the company's own get it so, too: plain text of
// it must not leave (invariant 2).
func (p *Protector) isForOthers(c queue.Claim) bool {
	return slices.ContainsFunc(c.Due, func(i int) bool { return !p.o.Local.Match(c.Message.Recipients[i].Address) })
}

// secret is content that tells whether it was encrypted on its way here (delivery.Secret): whoever sent it
// must not learn from what becomes of it what is in it, or whether it could be decrypted.
type secret struct {
	mail.Content
	secret bool
}

// Secret implements delivery.Secret.
func (s secret) Secret() bool { return s.secret }

func encrypted(o *smime.Opened) bool {
	return slices.ContainsFunc(o.Layers, isEnvelope)
}

func isEnvelope(l smime.Layer) bool {
	return l.Type == smime.TypeEnveloped || l.Type == smime.TypeAuthEnveloped
}

// storedContent is a message of the store as content.
type storedContent struct {
	ctx   context.Context
	store queue.Store
	id    mail.ID
	size  int64
}

// Size implements mail.Content.
func (s storedContent) Size() int64 { return s.size }

// Open implements mail.Content.
func (s storedContent) Open() (io.ReadCloser, error) { return s.store.Open(s.ctx, s.id) }

// layerKeys finds the decryption keys for one message, retired ones too, and remembers what is away. Each layer's
// keys are waited for as long as Options.Patience.
type layerKeys struct {
	p       *Protector
	ctx     context.Context
	away    error // of a source whose keys could not be seen
	cancels []context.CancelFunc
}

// find is a cms.KeyFinder.
func (k *layerKeys) find(ids []cms.RecipientID) []cms.Key {
	ctx, cancel := context.WithTimeoutCause(k.ctx, k.p.o.Patience, errSlow)
	k.cancels = append(k.cancels, cancel)
	wanted := make([]certs.KeyID, 0, len(ids))
	for _, id := range ids {
		wanted = append(wanted, certs.KeyID(id))
	}
	found, err := k.p.o.Certs.Decryption(ctx, wanted)
	if err != nil {
		k.away = err
	}
	var out []cms.Key
	for _, id := range found {
		if key, ok := k.p.layerKey(ctx, id); ok {
			out = append(out, key)
		}
	}
	return out
}

// awayOf is what kept a layer closed that may be opened later; nil where nothing did.
func (k *layerKeys) awayOf(opened *smime.Opened, err error) *Away {
	closed := opened != nil && slices.ContainsFunc(opened.Layers, func(l smime.Layer) bool {
		return isEnvelope(l) && !l.Decrypted && !l.Errant
	})
	switch {
	case errors.Is(err, certs.ErrUnavailable):
	case err == nil && k.away != nil && closed:
		err = k.away
	default:
		return nil
	}
	return step{line: "decryption"}.away(err)
}

func (k *layerKeys) release() {
	for _, cancel := range k.cancels {
		cancel()
	}
}

// judge asks certs whether a signer's certificate is good for signing mail; the address is smime's to match.
func (p *Protector) judge(ctx context.Context, leaf *x509.Certificate, chain []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
	r := p.o.Validator.Validate(ctx, leaf, chain, certs.Sign, "", at)
	return smime.Verdict(r.Status), r.Reasons
}

// stands asks certs whether a certificate is that of a whole domain, and the address in it.
func (p *Protector) stands(c *x509.Certificate, address string) bool {
	judge, ok := p.o.Validator.(certs.DomainJudge)
	return ok && judge.Serves(c, address)
}

// mostAddress is the bytes of an address out of a stranger's certificate that an event keeps.
const mostAddress = 320

func (p *Protector) recordOpened(c queue.Claim, o *smime.Opened, late *Away) {
	e := track.Event{
		Time: p.o.Now(), Kind: track.Opened, ID: c.Message.Envelope.ID, Origin: c.Message.Origin,
		Direction: mail.Incoming, From: c.Message.Envelope.From.String(), Verdict: string(o.Verdict),
	}
	for _, l := range o.Layers {
		e.Layers = append(e.Layers, describe(l))
		for _, s := range l.Signers {
			e.SignedBy = fmt.Sprintf("%s (serial %s)", safetext.Line(s.Address, mostAddress), word(s.Serial))
		}
	}
	if o.Headers != nil {
		e.Layers = append(e.Layers, "headers; "+headers(o.Headers))
	}
	if late != nil {
		e.Reply = "not decrypted, since the key did not come back in time: " + late.Error()
	}
	p.o.Recorder.Record(e)
}

// annotate writes what was found into the header: fields first, then the marks of the subject.
func (p *Protector) annotate(o *smime.Opened, fetched bool) (mail.Content, error) {
	return p.annotateWith(o, fetched, shown{invalid: true, any: true})
}

// annotateWith is annotate with the marks that a recipient's policy leaves.
func (p *Protector) annotateWith(o *smime.Opened, fetched bool, show shown) (mail.Content, error) {
	header := o.Header()
	origin, doubtful, judged := takeOrigin(header)
	found := takeDeMail(header, fetched)
	header.DelPrefix("X-Siegel-") // what came from outside or out of a layer (invariant 5)
	for _, name := range p.o.Vocabulary.Fields() {
		header.Del(name)
	}
	if !fetched {
		header.DelPrefix("X-de-mail-") // the door did so before
	}
	if err := p.o.Marks.mark(&header, p.o.Marks.earned(o, doubtful, show, found.mark(p.o.Marks))); err != nil {
		return nil, err
	}
	for i := len(o.Layers) - 1; i >= 0; i-- {
		for _, f := range layerFields(i+1, o.Layers[i]) {
			if err := header.InsertTop(f[0], f[1]); err != nil {
				return nil, err
			}
		}
	}
	if o.Headers != nil {
		if err := header.InsertTop(HeadersField, headers(o.Headers)); err != nil {
			return nil, err
		}
	}
	if judged {
		if err := header.InsertTop(OriginField, origin); err != nil {
			return nil, err
		}
	}
	if err := found.write(&header); err != nil {
		return nil, err
	}
	if err := header.InsertTop("X-Siegel-Verdict", string(o.Verdict)); err != nil {
		return nil, err
	}
	return newSource(header, o.Body(), 0), nil
}

// maxSigners is how many signers of a layer are described: a header that is too long would not be delivered.
const maxSigners = 8

// layerFields describes one layer, outermost numbered 1: X-Siegel-Layer-1, and for each signer
// X-Siegel-Signer-1. They are returned last first, for insertion at the top.
func layerFields(n int, l smime.Layer) [][2]string {
	var out [][2]string
	for i := min(len(l.Signers), maxSigners) - 1; i >= 0; i-- {
		s := l.Signers[i]
		value := fmt.Sprintf("%s; address=%s; algorithm=%s; serial=%s; subject=%s; issuer=%s",
			s.Verdict, quote(s.Address), word(s.Algorithm), word(s.Serial), quote(s.Subject), quote(s.Issuer))
		if !s.SignedAt.IsZero() {
			value += "; signed-at=" + s.SignedAt.UTC().Format(time.RFC3339)
		}
		if len(s.Reasons) > 0 {
			value += "; reason=" + quote(strings.Join(s.Reasons, " "))
		}
		out = append(out, [2]string{fmt.Sprintf("X-Siegel-Signer-%d", n), value})
	}
	return append(out, [2]string{fmt.Sprintf("X-Siegel-Layer-%d", n), describe(l)})
}

// describe says in one line what a layer is and what became of it.
func describe(l smime.Layer) string {
	parts := []string{l.Type}
	if l.Form != "" {
		parts = append(parts, l.Form)
	}
	if l.Algorithm != "" {
		parts = append(parts, word(l.Algorithm))
	}
	switch {
	case l.Type == "signed":
		parts = append(parts, string(l.Verdict))
	case l.Decrypted && !l.Authenticated:
		parts = append(parts, "decrypted", "unauthenticated")
	case l.Decrypted:
		parts = append(parts, "decrypted")
	case l.Type == "enveloped" || l.Type == "authEnveloped":
		parts = append(parts, "not decrypted")
	}
	return strings.Join(parts, "; ")
}

// word is a name or number of a stranger, cut so that it fits a line of a header.
func word(s string) string {
	const most = 100
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// quote makes a quoted-string of printable ASCII (RFC 5322, 3.2.4) out of text from a certificate.
func quote(s string) string {
	const most = 200
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		if i >= most {
			b.WriteString("...")
			break
		}
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			b.WriteByte('?')
		case r > 0x7e:
			fmt.Fprintf(&b, "{U+%04X}", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
