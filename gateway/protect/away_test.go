package protect

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/smime"
)

// absent simulates a source that is away for some of the addresses it is asked for.
type absent struct {
	finder
	away map[string]bool
	err  error // in place of being away
}

func (a absent) gone(address string) error {
	if !a.away[address] {
		return nil
	}
	if a.err != nil {
		return a.err
	}
	return &certs.UnavailableError{Source: "vault", Err: errors.New("sealed")}
}

func (a absent) Signing(ctx context.Context, address string, now time.Time) (certs.Identity, error) {
	if err := a.gone(address); err != nil {
		return certs.Identity{}, err
	}
	return a.finder.Signing(ctx, address, now)
}

func (a absent) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	if err := a.gone(address); err != nil {
		return nil, err
	}
	return a.finder.Recipient(ctx, address, now)
}

func absentBench(t *testing.T, away []string, rules ...policy.Rule) (*bench, absent) {
	t.Helper()
	a := absent{away: map[string]bool{}}
	for _, who := range away {
		a.away[who] = true
	}
	b := newBench(t, func(o *Options) {
		a.finder = o.Certs.(finder)
		o.Certs = a
	}, rules...)
	return b, a
}

// Who is away matters where a decision rests on it, and nowhere else; what is refused whatever comes back is
// refused at once.
func TestAdmitHolds(t *testing.T) {
	sign := policy.Rule{Name: "sign", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}}
	encrypt := policy.Rule{Name: "encrypt", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Require}}
	possible := policy.Rule{Name: "possible", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.IfPossible}}
	never := policy.Rule{Name: "never", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}
	const alice, bob, dora = "alice@firma.example", "bob@partner.example", "dora@other.example"
	for name, c := range map[string]struct {
		rule policy.Rule
		away []string
		to   []string
		want string // the destination where it is held, "refused", or empty
	}{
		"the key":                         {sign, []string{alice}, []string{bob}, "protect:vault"},
		"the key, which is not needed":    {encrypt, []string{alice}, []string{bob}, ""},
		"a certificate":                   {encrypt, []string{bob}, []string{bob}, "protect:vault"},
		"a certificate, not needed":       {sign, []string{bob}, []string{bob}, ""},
		"nothing is wanted":               {never, []string{alice, bob}, []string{bob}, ""},
		"what may be possible":            {possible, []string{bob}, []string{bob}, "protect:vault"},
		"one away, one without":           {encrypt, []string{bob}, []string{bob, dora}, "refused"},
		"one away, one inside":            {encrypt, []string{bob}, []string{bob, "eve@firma.example"}, "protect:vault"},
		"one away, one nowhere":           {encrypt, []string{bob}, []string{bob, "carol@nowhere.example"}, "refused"},
		"the key, and one without":        {policy.Rule{Name: "both", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}, []string{alice}, []string{dora}, "refused"},
		"the key of one who may not sign": {sign, []string{"mallory@else.example"}, []string{bob}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := absentBench(t, c.away, c.rule)
			env := envelope(t, c.to...)
			adm, err := b.Admit(t.Context(), env, message())
			var refused *Refused
			if c.want == "refused" {
				if !errors.As(err, &refused) {
					t.Errorf("%v, %v", adm, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer adm.Release()
			e := adm.Entries[0]
			if (c.want != "") != (e.Pending != nil) || c.want != "" && (len(adm.Entries) != 1 || e.Destinations[0] != c.want || len(e.Destinations) != len(c.to)) {
				t.Errorf("%d entries, the first for %q, pending %q", len(adm.Entries), e.Destinations, e.Pending)
			}
			if c.want != "" && string(read(t, e.Content)) != string(message()) {
				t.Error("what waits is not what came")
			}
		})
	}
}

// memory is the part of a store that has one message.
type memory struct {
	queue.Store
	entry queue.New
}

func (m memory) Open(context.Context, mail.ID) (io.ReadCloser, error) { return m.entry.Content.Open() }

// claim is that of the first recipients of an entry.
func claim(e queue.New, due ...int) queue.Claim {
	m := queue.Message{Envelope: e.Envelope, Origin: e.Origin, Note: e.Note, Pending: e.Pending, Size: e.Content.Size(), Expires: e.Expires}
	m.Envelope.MayUse = nil // the store keeps it in Pending alone
	for i, r := range e.Envelope.Recipients {
		m.Recipients = append(m.Recipients, queue.Recipient{Recipient: r, Destination: e.Destinations[i], State: queue.Queued})
	}
	return queue.Claim{Message: m, Due: due}
}

// What was held is protected by what counted at its acceptance: who may sign, and how much was wanted.
func TestResume(t *testing.T) {
	both := policy.Rule{Name: "both", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}
	b, a := absentBench(t, []string{"alice@firma.example"}, both)
	env := envelope(t, "bob@partner.example", "carol@partner.example")
	held := b.admit(t, env, message()).Entries[0]
	store := memory{entry: held}
	if _, err := b.Resume(t.Context(), store, claim(held, 0, 1)); !errors.As(err, new(*Away)) {
		t.Fatalf("still away: %v", err)
	}
	delete(a.away, "alice@firma.example")

	lax := newBench(t, nil, policy.Rule{Name: "never", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}})
	adm, err := lax.Resume(t.Context(), store, claim(held, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer adm.Release()
	if len(adm.Entries) != 2 { // To names Bob alone
		t.Fatalf("%d variants", len(adm.Entries))
	}
	for i, who := range []string{"bob@partner.example", "carol@partner.example"} {
		e := adm.Entries[i]
		if o := b.open(t, e, who); o.Verdict != smime.Valid || len(o.Layers) != 2 {
			t.Errorf("%s finds %s, %+v", who, o.Verdict, o.Layers)
		}
		if e.Envelope.ID == env.ID || e.Origin != env.ID || e.Pending != nil {
			t.Errorf("id %s of %s, pending %q", e.Envelope.ID, e.Origin, e.Pending)
		}
	}
	part, err := b.Resume(t.Context(), store, claim(held, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer part.Release()
	if to := part.Entries[0].Envelope.Recipients; len(part.Entries) != 1 || len(to) != 1 || to[0].Address.Local != "carol" {
		t.Errorf("for carol alone: %+v", to)
	}
}

// A signature is made only for what the submitter was allowed when the message was accepted (invariant 4), and
// nothing is made where that cannot be read back.
func TestResumeKeepsWhatWasAllowed(t *testing.T) {
	b, _ := absentBench(t, nil, policy.Rule{Name: "sign", Settings: policy.Settings{Sign: policy.Require}})
	env := envelope(t, "bob@partner.example")
	entry := queue.New{Envelope: env, Content: message(), Origin: env.ID, Destinations: []string{"protect:vault"}}
	level := policy.Levels{Sign: policy.Never, Encrypt: policy.Never}
	other := moment{MayUse: patterns(t, "carol@firma.example"), AtLeast: []policy.Levels{level}}
	var err error
	if entry.Pending, err = other.encode(); err != nil {
		t.Fatal(err)
	}
	var refused *Refused
	if _, err := b.Resume(t.Context(), memory{entry: entry}, claim(entry, 0)); !errors.As(err, &refused) || !strings.Contains(err.Error(), "may not send as alice@firma.example") {
		t.Errorf("signed for another: %v", err)
	}
	for _, bad := range []string{"", "{}", "null", `{"may_use":["*"]}`, `{"may_use":["*"],"at_least":[{}]}`, `{"may_use":["nonsense"],"at_least":[]}`,
		`{"may_use":["*"],"at_least":[{"sign":"never","encrypt":"often"}]}`, `{"may_use":["*"],"at_least":[{"sign":"never","encrypt":"never"}],"x":1}`,
		`{"may_use":["*"],"at_least":[{"sign":"never","encrypt":"never"}]}{}`} {
		entry.Pending = []byte(bad)
		if _, err := b.Resume(t.Context(), memory{entry: entry}, claim(entry, 0)); !IsMomentLost(err) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What waits for its protection is not given to who delivers.
func TestPrepareRefusesPending(t *testing.T) {
	b := newBench(t, nil)
	for _, internal := range []bool{true, false} {
		c := queue.Claim{Message: queue.Message{Pending: []byte{}, Envelope: mail.Envelope{Internal: internal}}}
		if parts, _, err := b.Prepare(t.Context(), nil, c); err == nil || parts != nil {
			t.Errorf("internal %v: %v, %v", internal, parts, err)
		}
	}
}

// hanging simulates a key that answers when it is told to, and heeds no context.
type hanging struct {
	crypto.Signer
	answer chan struct{}
	panics bool
}

func (h hanging) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h.panics {
		panic("planted")
	}
	<-h.answer
	return h.Signer.Sign(random, digest, opts)
}

// A key that hangs is waited for as long as the patience, then not used again until it has answered.
func TestPatientKey(t *testing.T) {
	c, err := ours()
	if err != nil {
		t.Fatal(err)
	}
	id := c.ids["alice@firma.example"]
	digest := make([]byte, 32)
	synctest.Test(t, func(t *testing.T) {
		h := hanging{Signer: id.Key, answer: make(chan struct{})}
		id.Key = h
		p := &Protector{}
		use := func() (time.Duration, error) {
			start := time.Now()
			ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Second, errSlow)
			defer cancel()
			_, err := p.patient(ctx, id).Sign(nil, digest, crypto.SHA256)
			return time.Since(start), err
		}
		if took, err := use(); took != 30*time.Second || !errors.Is(err, certs.ErrUnavailable) || !errors.Is(err, errSlow) {
			t.Errorf("after %s: %v", took, err)
		}
		if took, err := use(); took != 0 || !errors.Is(err, errHangs) {
			t.Errorf("while it hangs: after %s: %v", took, err)
		}
		close(h.answer)
		synctest.Wait()
		if _, err := use(); err != nil {
			t.Errorf("when it has answered: %v", err)
		}
		h.panics = true
		id.Key = h
		if _, err := use(); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("a key that panics: %v", err)
		}
	})
}

func FuzzDecodeMoment(f *testing.F) {
	f.Add([]byte(`{"may_use":["@firma.example","a@b.example","<>","*"],"at_least":[{"sign":"never","encrypt":"require"}]}`))
	f.Add([]byte(`{"may_use":null,"at_least":null}`))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"may_use":null,"at_least":[{"sign":"never","encrypt":"never"}],"de_mail":{"account":"main","sender":"kontakt@firma.de-mail.de","options":{"Dispatch":true},"author":"a@b.example","rule":"r","for":[0]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMoment(data)
		if err != nil {
			return
		}
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeMoment(b)
		if err != nil || len(again.MayUse) != len(m.MayUse) || len(again.AtLeast) != len(m.AtLeast) {
			t.Fatalf("%+v, %+v, %v", m, again, err)
		}
	})
}
