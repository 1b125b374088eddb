package protect

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/democa"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// finder knows identities by address. A temporary fault, where set, is the answer to every question.
type finder struct {
	ids     map[string]certs.Identity
	fault   error
	encrypt func(address string) (*x509.Certificate, error) // nil: to the certificate that signs
}

func (f finder) Signing(_ context.Context, address string, _ time.Time) (certs.Identity, error) {
	if f.fault != nil {
		return certs.Identity{}, f.fault
	}
	id, ok := f.ids[address]
	if !ok {
		return id, certs.ErrNotFound
	}
	return id, nil
}

func (f finder) Recipient(ctx context.Context, address string, now time.Time) (*x509.Certificate, error) {
	if f.encrypt != nil {
		return f.encrypt(address)
	}
	id, err := f.Signing(ctx, address, now)
	return id.Certificate, err
}

func (f finder) Decryption(_ context.Context, ids []certs.KeyID) ([]certs.Identity, error) {
	var out []certs.Identity
	for _, id := range f.ids {
		if slices.ContainsFunc(ids, func(k certs.KeyID) bool { return k.Matches(id.Certificate) }) {
			out = append(out, id)
		}
	}
	return out, nil
}

// oneRoute sends everything the same way.
type oneRoute struct{}

func (oneRoute) Destination(to mail.Address) (string, error) {
	if to.Domain == "nowhere.example" {
		return "", errors.New("no route")
	}
	return "out", nil
}

// bench is a Protector with three people: alice inside, bob and carol outside; dora outside has no certificate.
type bench struct {
	*Protector
	events *track.Memory
	finder finder
}

// cast is a CA and the people it certifies.
type cast struct {
	ca  *democa.CA
	ids map[string]certs.Identity
}

// ours is the cast of every test, for making keys takes long; others are strangers of the same names.
var ours, others = sync.OnceValues(newCast), sync.OnceValues(newCast)

func newCast() (cast, error) {
	c := cast{ids: map[string]certs.Identity{}}
	var err error
	if c.ca, err = democa.NewCA(time.Now()); err != nil {
		return c, err
	}
	for _, who := range []string{"alice@firma.example", "bob@partner.example", "carol@partner.example"} {
		if c.ids[who], err = c.ca.Issue(who, democa.Options{}); err != nil {
			return c, err
		}
	}
	return c, nil
}

func newBench(t testing.TB, change func(*Options), rules ...policy.Rule) *bench {
	t.Helper()
	return benchOf(t, ours, change, rules...)
}

func benchOf(t testing.TB, from func() (cast, error), change func(*Options), rules ...policy.Rule) *bench {
	t.Helper()
	c, err := from()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{events: track.NewMemory(0), finder: finder{ids: c.ids}}
	pol, err := policy.New(policy.Config{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	spool, err := atrest.NewSpool(t.TempDir(), atrest.NewKey(), 0)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Local: patterns(t, "@firma.example"), Policy: pol, Vocabulary: policy.DefaultVocabulary(), Certs: b.finder,
		Validator: certs.NewValidator([]*x509.Certificate{c.ca.Certificate()}, nil), Router: oneRoute{},
		Expire: time.Hour, Spool: spool, Recorder: b.events, Patience: 10 * time.Minute, // a loaded machine is no key that is away
	}
	if change != nil {
		change(&o)
	}
	if b.Protector, err = New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

func patterns(t testing.TB, texts ...string) (out mail.Patterns) {
	t.Helper()
	for _, s := range texts {
		p, err := mail.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// envelope is one from alice at an internal listener.
func envelope(t testing.TB, to ...string) mail.Envelope {
	t.Helper()
	e := mail.Envelope{
		ID: mail.NewID(time.Now()), From: address(t, "alice@firma.example"), Internal: true,
		MayUse: patterns(t, "@firma.example"), Received: time.Now(),
	}
	for _, s := range to {
		e.Recipients = append(e.Recipients, mail.Recipient{Address: address(t, s)})
	}
	return e
}

// letter is content in memory.
type letter string

func (l letter) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(l))), nil }
func (l letter) Size() int64                  { return int64(len(l)) }

func message(fields ...string) letter {
	all := append([]string{"From: Alice <alice@firma.example>", "To: bob@partner.example", "MIME-Version: 1.0",
		"Content-Type: text/plain"}, fields...)
	return letter(strings.Join(all, "\r\n") + "\r\n\r\nThe secret text.\r\n")
}

func read(t *testing.T, s smime.Source) []byte {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != s.Size() {
		t.Errorf("Size is %d, the content has %d bytes", s.Size(), len(b))
	}
	return b
}

func (b *bench) admit(t *testing.T, env mail.Envelope, m letter) *Admission {
	t.Helper()
	adm, err := b.Admit(t.Context(), env, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(adm.Release)
	return adm
}

// open opens an entry as its recipient's program does.
func (b *bench) open(t *testing.T, e queue.New, who string) *smime.Opened {
	t.Helper()
	id := b.finder.ids[who]
	o, err := smime.Open(t.Context(), e.Content, smime.OpenOptions{
		Keys: only(id), Judge: b.judge, Scratch: b.scratch, Now: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o
}

// only offers one identity's key.
func only(id certs.Identity) cms.KeyFinder {
	return func([]cms.RecipientID) []cms.Key {
		return []cms.Key{{Certificate: id.Certificate, Decrypter: id.Key.(crypto.Decrypter)}}
	}
}

func TestAdmitProtectsByGroup(t *testing.T) {
	require := policy.Rule{Name: "partner", To: patterns(t, "@partner.example"), Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}}
	b := newBench(t, nil, require)
	env := envelope(t, "bob@partner.example", "carol@partner.example", "dora@other.example", "eve@firma.example")
	adm := b.admit(t, env, message("Cc: carol@partner.example, dora@other.example"))
	if len(adm.Entries) != 3 {
		t.Fatalf("%d variants, want one for the partner, one signed, one internal", len(adm.Entries))
	}
	shared, signed, internal := adm.Entries[0], adm.Entries[1], adm.Entries[2]
	if shared.Envelope.ID != env.ID || signed.Envelope.ID == env.ID {
		t.Error("the first variant keeps the id that the sender is told, the others get their own")
	}
	for _, who := range []string{"bob@partner.example", "carol@partner.example"} {
		o := b.open(t, shared, who)
		if o.Verdict != smime.Valid || len(o.Layers) != 2 || !o.Layers[0].Decrypted {
			t.Errorf("%s finds %s in %+v", who, o.Verdict, o.Layers)
		}
	}
	if bytes.Contains(read(t, shared.Content), []byte("secret")) {
		t.Error("the encrypted variant is readable")
	}
	if o := b.open(t, signed, "dora@other.example"); o.Verdict != smime.Valid || len(o.Layers) != 1 {
		t.Errorf("the signed variant is %s, %+v", o.Verdict, o.Layers)
	}
	if got := read(t, internal.Content); !bytes.Equal(got, []byte(message("Cc: carol@partner.example, dora@other.example"))) {
		t.Errorf("internal mail was changed:\n%s", got)
	}
}

func TestAdmitHidesBcc(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}})
	adm := b.admit(t, envelope(t, "bob@partner.example", "carol@partner.example"), message("Bcc: carol@partner.example"))
	if len(adm.Entries) != 2 {
		t.Fatalf("%d variants, want one each", len(adm.Entries))
	}
	o := b.open(t, adm.Entries[0], "bob@partner.example")
	if n := len(o.Layers[0].Recipients); n != 1 {
		t.Errorf("the variant for To names %d recipients inside", n)
	}
	for _, e := range adm.Entries {
		if bytes.Contains(bytes.ToLower(read(t, e.Content)), []byte("bcc:")) {
			t.Error("the Bcc field leaves")
		}
	}
}

func TestAdmitRefusesWhole(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}})
	adm, err := b.Admit(t.Context(), envelope(t, "bob@partner.example", "dora@other.example"), message())
	var refused *Refused
	if !errors.As(err, &refused) || adm != nil {
		t.Fatalf("got %v, %v", adm, err)
	}
	if len(refused.Recipients) != 1 || refused.Recipients[0].String() != "dora@other.example" {
		t.Errorf("refused for %v", refused.Recipients)
	}
	if !strings.Contains(err.Error(), "dora@other.example") || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the sentence is %q", err)
	}
}

func TestAdmitFlags(t *testing.T) {
	never := policy.Rule{Name: "never", Settings: policy.Settings{Sign: policy.Never, Encrypt: policy.Never}}
	for name, field := range map[string]string{
		"tag": "Subject: [encrypt] Plans", "header": "X-Siegel-Encrypt: yes\r\nSubject: Plans",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil, never)
			adm := b.admit(t, envelope(t, "bob@partner.example"), message(field))
			got := read(t, adm.Entries[0].Content)
			if bytes.Contains(got, []byte("[encrypt]")) || bytes.Contains(got, []byte("X-Siegel")) {
				t.Errorf("the flag leaves:\n%s", got)
			}
			if !bytes.Contains(got, []byte("Subject: Plans\r\n")) {
				t.Errorf("the subject is not what it was:\n%s", got)
			}
			if o := b.open(t, adm.Entries[0], "bob@partner.example"); len(o.Layers) != 1 || !o.Layers[0].Decrypted {
				t.Errorf("layers %+v", o.Layers)
			}
		})
	}
}

// A key is used for a single From address that the submitter may use, and for no other (invariant 4).
func TestAdmitSignsOnlyForTheSubmitter(t *testing.T) {
	for name, c := range map[string]struct{ from, mayUse string }{
		"another domain":  {"From: bob@partner.example", "@firma.example"},
		"another person":  {"From: alice@firma.example", "eve@firma.example"},
		"two addresses":   {"From: alice@firma.example, eve@firma.example", "@firma.example"},
		"two fields":      {"From: alice@firma.example\r\nFrom: alice@firma.example", "@firma.example"},
		"no field":        {"Sender: alice@firma.example", "@firma.example"},
		"only in display": {"From: \"alice@firma.example\" <eve@firma.example>", "@firma.example"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			env := envelope(t, "dora@other.example")
			env.MayUse = patterns(t, c.mayUse)
			m := letter(c.from + "\r\nTo: dora@other.example\r\n\r\ntext\r\n")
			if got := b.admit(t, env, m); got.Entries[0].Note != "unchanged" {
				t.Errorf("it was %s", got.Entries[0].Note)
			}
		})
	}
}

func TestAdmitLeavesProtectedMailAlone(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Require}})
	id := b.finder.ids["alice@firma.example"]
	var already bytes.Buffer
	err := smime.Protect(&already, message(), smime.ProtectOptions{
		Signers:   []smime.Signer{{Certificate: id.Certificate, Key: id.Key}},
		EncryptTo: []cms.Recipient{{Certificate: b.finder.ids["bob@partner.example"].Certificate}},
	})
	if err != nil {
		t.Fatal(err)
	}
	adm := b.admit(t, envelope(t, "bob@partner.example"), letter(already.String()))
	if got := read(t, adm.Entries[0].Content); !bytes.Equal(got, already.Bytes()) {
		t.Error("an encrypted message was changed")
	}
}

// A label is no signature: what only claims to be signed is signed.
func TestAdmitSignsAroundABadSignature(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}})
	m := letter("From: alice@firma.example\r\nTo: bob@partner.example\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; boundary=b\r\n\r\n" +
		"--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nAAAA\r\n--b--\r\n")
	adm := b.admit(t, envelope(t, "bob@partner.example"), m)
	if adm.Entries[0].Note != "signed" {
		t.Errorf("it was %s", adm.Entries[0].Note)
	}
}

func TestAdmitTemporaryFault(t *testing.T) {
	fault := errors.New("the directory is away")
	b := newBench(t, func(o *Options) { o.Certs = finder{fault: fault} })
	_, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), message())
	var refused *Refused
	if !errors.Is(err, fault) || errors.As(err, &refused) {
		t.Errorf("a fault that may pass must not refuse for good: %v", err)
	}
}

// oneMessage is a store of one content, for Prepare.
type oneMessage struct {
	queue.Store
	content letter
}

func (o oneMessage) Open(context.Context, mail.ID) (io.ReadCloser, error) { return o.content.Open() }

// claimOf claims a message for all of its recipients.
func claimOf(env mail.Envelope, content string) queue.Claim {
	c := queue.Claim{Message: queue.Message{Envelope: env, Origin: env.ID, Size: int64(len(content))}}
	for i, r := range env.Recipients {
		c.Due, c.Message.Recipients = append(c.Due, i), append(c.Message.Recipients, queue.Recipient{Recipient: r})
	}
	return c
}

// onePart is the content of the one part that there must be.
func onePart(t *testing.T, parts []Part) mail.Content {
	t.Helper()
	if len(parts) != 1 || parts[0].Aside != nil {
		t.Fatalf("parts %+v", parts)
	}
	return parts[0].Content
}

func (b *bench) prepare(t *testing.T, content string, internal bool) []byte {
	t.Helper()
	env := envelope(t, "alice@firma.example")
	env.Internal = internal
	parts, release, err := b.Prepare(t.Context(), oneMessage{content: letter(content)},
		claimOf(env, content))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	return read(t, onePart(t, parts))
}

// fromBob is a message of bob to alice, signed and encrypted, with the given field outside.
func (b *bench) fromBob(t *testing.T, field string) string {
	t.Helper()
	id := b.finder.ids["bob@partner.example"]
	var out bytes.Buffer
	err := smime.Protect(&out, letter("From: bob@partner.example\r\nTo: alice@firma.example\r\n"+field+
		"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nwe accept\r\n"), smime.ProtectOptions{
		Signers:   []smime.Signer{{Certificate: id.Certificate, Key: id.Key}},
		EncryptTo: []cms.Recipient{{Certificate: b.finder.ids["alice@firma.example"].Certificate}},
		Time:      time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPrepareOpens(t *testing.T) {
	b := newBench(t, nil)
	got := b.prepare(t, b.fromBob(t, "X-Siegel-Verdict: forged\r\nX-Siegel-Layer-9: forged\r\n"), false)
	h, body, err := entity.Read(bytes.NewReader(got), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if v := h.Values("X-Siegel-Verdict"); len(v) != 1 || v[0] != "valid" {
		t.Errorf("verdict fields %q", v)
	}
	if bytes.Contains(got, []byte("forged")) {
		t.Error("a forged field arrives")
	}
	if v, _ := h.Get("X-Siegel-Layer-1"); v != "enveloped; aes256-cbc; decrypted; unauthenticated" {
		t.Errorf("layer 1 is %q", v)
	}
	if v, _ := h.Get("X-Siegel-Signer-2"); !strings.HasPrefix(v, `valid; address="bob@partner.example"; algorithm=rsa-sha256; serial=`) {
		t.Errorf("signer is %q", v)
	}
	text, _ := io.ReadAll(body)
	if m, _ := h.ContentType(); m.Type != "multipart/signed" || !bytes.Contains(text, []byte("we accept")) {
		t.Errorf("the signed entity did not arrive: %s", got)
	}
}

func TestPrepareLeavesTheRest(t *testing.T) {
	b := newBench(t, nil)
	foreign := benchOf(t, others, nil).fromBob(t, "") // to a key that this gateway does not have
	got := string(b.prepare(t, foreign, false))
	if !strings.HasSuffix(got, foreign) {
		t.Error("what no key opens must pass as it came")
	}
	if !strings.Contains(got, "X-Siegel-Layer-1: enveloped; aes256-cbc; not decrypted\r\n") {
		t.Errorf("the fields are\n%.400s", got)
	}
	if out := b.fromBob(t, ""); string(b.prepare(t, out, true)) != out {
		t.Error("mail from inside must pass as it is in the queue")
	}
}

func TestEventsHoldNoContent(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}})
	b.admit(t, envelope(t, "bob@partner.example"), message("Subject: the planted subject"))
	var kinds []string
	for _, e := range b.events.Events() {
		kinds = append(kinds, string(e.Kind))
		if text := strings.Join([]string{e.Rule, e.Reply, e.Algorithms, e.SignedBy, e.Flags, e.Known, strings.Join(e.Layers, " ")}, " "); strings.Contains(text, "planted") || strings.Contains(text, "secret") {
			t.Errorf("content in an event: %+v", e)
		}
	}
	if want := []string{"decided", "protected"}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a": `"a"`, `a"b\c`: `"a\"b\\c"`, "a\r\nX-Siegel-Verdict: valid": `"a??X-Siegel-Verdict: valid"`,
		"Müller": `"M{U+00FC}ller"`, strings.Repeat("x", 300): `"` + strings.Repeat("x", 200) + `..."`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}
