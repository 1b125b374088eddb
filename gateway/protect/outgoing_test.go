package protect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// encryptAll demands encryption for everybody.
var encryptAll = policy.Rule{Name: "all", Settings: policy.Settings{Encrypt: policy.Require}}

// A name in the charset of Windows must not keep a message from being signed, nor make its recipients hidden.
func TestAddressesInEveryCharset(t *testing.T) {
	alice := "alice@firma.example"
	for _, field := range []string{
		"Alice <alice@firma.example>", "=?windows-1252?Q?M=FCller?= <alice@firma.example>", "=?iso-8859-15?B?TfxsbGVy?= <alice@firma.example>",
		"=?x-none?Q?M=FCller?= <alice@firma.example>", "M\xfcller <alice@firma.example>", "Müller <alice@firma.example>", "\"M\xfcller\" <alice@firma.example>",
	} {
		h, _, err := entity.Read(strings.NewReader("From: "+field+"\r\nTo: "+field+"\r\n\r\n"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if from := singleFrom(h); from.String() != alice {
			t.Errorf("%q: From is %q", field, from)
		}
		if !visible(h)[alice] {
			t.Errorf("%q: not visible", field)
		}
	}
}

// Nobody is the author of a group, of two addresses, or of two fields.
func TestSingleFrom(t *testing.T) {
	for field, want := range map[string]string{
		"alice@firma.example": "alice@firma.example", "\"a: b\" (c: d) <alice@firma.example>": "alice@firma.example", "\"a\\\":\" <alice@firma.example>": "alice@firma.example",
		"boss@firma.example: alice@firma.example;": "", "Boss: Alice <alice@firma.example>;": "", "\"Boss\": alice@firma.example;": "",
		"alice@firma.example, boss@firma.example": "", "alice@firma.example\r\nFrom : boss@firma.example": "", "": "",
	} {
		h, _, err := entity.Read(strings.NewReader("From: "+field+"\r\n\r\n"), 0)
		if from := singleFrom(h); err != nil || !from.IsNull() && from.String() != want || from.IsNull() != (want == "") {
			t.Errorf("%q: %q, want %q", field, from, want)
		}
	}
}

// A signature whose protected From is its signer's does not stand for that of the From outside.
func TestSignedUnderAnotherFrom(t *testing.T) {
	b := newBench(t, nil, policy.Rule{Name: "all", Settings: policy.Settings{Sign: policy.Require, Encrypt: policy.Never}})
	alice := b.finder.ids["alice@firma.example"]
	var signed strings.Builder
	err := smime.Protect(&signed, message("Subject: x"), smime.ProtectOptions{
		Signers: []smime.Signer{{Certificate: alice.Certificate, Key: alice.Key}}, Headers: smime.HeaderProtection{Policy: smime.HCPNoConfidentiality}, Time: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if adm := b.admit(t, envelope(t, "bob@partner.example"), letter(signed.String())); string(read(t, adm.Entries[0].Content)) != signed.String() {
		t.Error("a valid signature was signed around")
	}
	forged := letter(strings.Replace(signed.String(), "From: Alice <alice@", "From: Boss <boss@", 1))
	var refused *Refused
	if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), forged); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
}

func TestAdmitHidesResentBcc(t *testing.T) {
	b := newBench(t, nil)
	adm := b.admit(t, envelope(t, "bob@partner.example"), message("Resent-Bcc: carol@partner.example", "bcc : dora@other.example"))
	h, _, err := entity.Read(bytes.NewReader(read(t, adm.Entries[0].Content)), 0)
	if err != nil || len(h.Values("Bcc"))+len(h.Values("Resent-Bcc")) > 0 {
		t.Errorf("a Bcc field leaves: %s%v", h.Bytes(), err)
	}
}

// However many recipients are hidden, a message does not grow beyond a bound (invariant 10).
func TestAdmitBoundsVariants(t *testing.T) {
	m := message()
	const room = 3
	ids := maps.Clone(newBench(t, nil).finder.ids)
	b := newBench(t, func(o *Options) { o.MaxTotal, o.Certs = room*m.Size()+1, finder{ids: ids} }, encryptAll)
	hidden := func(n int) mail.Envelope {
		env := envelope(t, "bob@partner.example")
		for i := range n {
			ids[fmt.Sprintf("h%d@partner.example", i)] = ids["carol@partner.example"]
			env.Recipients = append(env.Recipients, mail.Recipient{Address: address(t, fmt.Sprintf("h%d@partner.example", i))})
		}
		return env
	}
	if adm := b.admit(t, hidden(room-1), m); len(adm.Entries) != room {
		t.Errorf("%d variants", len(adm.Entries))
	}
	_, err := b.Admit(t.Context(), hidden(room), m)
	var refused *Refused
	if !errors.As(err, &refused) || !errors.Is(err, ErrVariants) || !strings.Contains(err.Error(), "4 times") {
		t.Errorf("one more: %v", err)
	}
	b = newBench(t, func(o *Options) { o.MaxTotal = 1 }, encryptAll)
	b.admit(t, envelope(t, "bob@partner.example"), m) // one variant is as large as the listener lets it be
}

// A stop ends the work between two variants.
func TestAdmitEndsWithItsContext(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Admit(ctx, envelope(t, "bob@partner.example"), message()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAdmitNoRoute(t *testing.T) {
	b := newBench(t, nil)
	env := envelope(t, "bob@partner.example", "bob@nowhere.example")
	_, err := b.Admit(t.Context(), env, message())
	var refused *Refused
	if !errors.As(err, &refused) || !errors.Is(err, ErrNoRoute) || len(refused.Recipients) != 1 || !strings.Contains(err.Error(), "bob@nowhere.example") {
		t.Errorf("from inside: %v", err)
	}
	env.Internal = false // it was taken as one of ours: what is missing is our affair
	if _, err := b.Admit(t.Context(), env, message()); err == nil || errors.As(err, &refused) || errors.Is(err, ErrNoRoute) {
		t.Errorf("from outside: %v", err)
	}
}

// What no later attempt will mend is refused for good; trouble of our own is not.
func TestAdmitErrors(t *testing.T) {
	b := newBench(t, nil, encryptAll)
	many := letter("From: alice@firma.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		strings.Repeat("--b\r\n\r\nx\r\n", 2000) + "--b--\r\n")
	if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), many); !errors.Is(err, ErrMessage) {
		t.Errorf("too many parts: %v", err)
	}
	long := letter("From: alice@firma.example\r\nX-Long: " + strings.Repeat("x", headerLimit) + "\r\n\r\ntext\r\n")
	if _, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), long); !errors.Is(err, ErrMessage) {
		t.Errorf("a header without end: %v", err)
	}
	fault := errors.New("the disk is gone")
	for after := range 2 {
		_, err := b.Admit(t.Context(), envelope(t, "bob@partner.example"), &failing{letter: message(), after: after, err: fault})
		if !errors.Is(err, fault) || errors.Is(err, ErrMessage) {
			t.Errorf("read %d fails: %v", after, err)
		}
	}
}

// failing is content that can be read a number of times.
type failing struct {
	letter
	after int
	err   error
}

// Open implements mail.Content.
func (f *failing) Open() (io.ReadCloser, error) {
	if f.after--; f.after < 0 {
		return io.NopCloser(io.MultiReader(strings.NewReader("From: "), errReader{f.err})), nil
	}
	return f.letter.Open()
}

type errReader struct{ err error }

// Read implements io.Reader.
func (e errReader) Read([]byte) (int, error) { return 0, e.err }
