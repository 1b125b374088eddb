package mailauth_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
)

func TestNewSigner(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]mailauth.SignerOptions{
		"domain":        {Domain: "firma", Selector: "s", Key: edKey()},
		"no domain":     {Selector: "s", Key: edKey()},
		"address":       {Domain: "192.0.2.1", Selector: "s", Key: edKey()},
		"selector":      {Domain: "firma.example", Selector: "s s", Key: edKey()},
		"no selector":   {Domain: "firma.example", Key: edKey()},
		"injection":     {Domain: "firma.example", Selector: "s; l=0", Key: edKey()},
		"no key":        {Domain: "firma.example", Selector: "s"},
		"EC key":        {Domain: "firma.example", Selector: "s", Key: ec},
		"no From":       {Domain: "firma.example", Selector: "s", Key: edKey(), Headers: []string{"To"}},
		"odd name":      {Domain: "firma.example", Selector: "s", Key: edKey(), Headers: []string{"From", "a:b"}},
		"break":         {Domain: "firma.example", Selector: "s", Key: edKey(), Headers: []string{"From", "a\r\nb"}},
		"its own field": {Domain: "firma.example", Selector: "s", Key: edKey(), Headers: []string{"From", "DKIM-signature"}},
		"many names":    {Domain: "firma.example", Selector: "s", Key: edKey(), Headers: append(make([]string, 60), "From")},
	} {
		if _, err := mailauth.NewSigner(o); !errors.Is(err, mailauth.ErrSigner) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A signer that signs more signs the rest as before, and leaves the first one as it was.
func TestAlso(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{Domain: "firma.example", Selector: "s1", Headers: []string{"From", "x-b"}})
	more, err := s.Also("X-A", "X-B")
	if err != nil {
		t.Fatal(err)
	}
	text := "X-A: 1\r\n" + letter
	if field, _, _ := strings.Cut(sign(t, text, more), text); !strings.Contains(field, "h=From:From:x-b:X-A:X-A;") {
		t.Error(field)
	}
	if field, _, _ := strings.Cut(sign(t, text, s), text); !strings.Contains(field, "h=From:From:x-b;") {
		t.Error(field)
	}
	if _, err := s.Also("a:b"); !errors.Is(err, mailauth.ErrSigner) {
		t.Error(err)
	}
}

// The field names every default header once more than it occurs, and stands on top of the unchanged message.
func TestSignatureField(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{Domain: "Firma.Example.", Selector: "S1"})
	signed := sign(t, letter, s)
	field, ok := strings.CutSuffix(signed, letter)
	if !ok || !strings.HasPrefix(field, "DKIM-Signature:") || strings.Count(field, "DKIM-Signature") != 1 {
		t.Fatalf("%q", signed)
	}
	want := "h=From:From:To:To:Cc:Reply-To:Subject:Subject:Date:Date:Message-ID:Message-ID:In-Reply-To:References:" +
		"MIME-Version:Content-Type:Content-Transfer-Encoding;"
	for _, part := range []string{want, "c=relaxed/relaxed", "d=firma.example;", "s=s1;", "a=rsa-sha256"} {
		if !strings.Contains(field, part) {
			t.Errorf("no %s in %s", part, field)
		}
	}
	for line := range strings.Lines(field) {
		if len(line) > 998 || !strings.HasSuffix(line, "\r\n") {
			t.Errorf("line %q", line)
		}
	}
}

// A message without one author is not signed, and nothing of it is written.
func TestSignRefuses(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{Key: edKey()})
	for _, text := range []string{message("To: a@b.example"), message("From: a@b.example", "from : c@d.example"), "", "\r\nFrom: a@b.example\r\n"} {
		var out bytes.Buffer
		if err := mailauth.Sign(t.Context(), &out, content(text), s); !errors.Is(err, mailauth.ErrNoAuthor) || out.Len() > 0 {
			t.Errorf("%q: %v, %q", text, err, out.String())
		}
	}
	failing := signer(t, mailauth.SignerOptions{Key: noKey{rsaKey()}})
	var out bytes.Buffer
	if err := mailauth.Sign(t.Context(), &out, content(letter), s, failing); !errors.Is(err, errCard) || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
	if err := mailauth.Sign(t.Context(), full{}, content(letter), s); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

var (
	errCard = errors.New("the card is not there")
	errFull = errors.New("the disk is full")
)

// noKey is a key that cannot be used now.
type noKey struct{ crypto.Signer }

func (noKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errCard }

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// Without signers the message is copied.
func TestSignWithNobody(t *testing.T) {
	for _, text := range []string{letter, "To: a@b.example\r\n\r\nno author\r\n"} {
		if got := sign(t, text); got != text {
			t.Errorf("%q", got)
		}
	}
}

func TestSignersFor(t *testing.T) {
	one := signer(t, mailauth.SignerOptions{})
	two := signer(t, mailauth.SignerOptions{Selector: "ed", Key: edKey()})
	sub := signer(t, mailauth.SignerOptions{Domain: "lab.firma.example"})
	all := mailauth.Signers{one, sub, two}
	for author, want := range map[string]string{
		"a@firma.example": "[firma.example firma.example]", "a@www.firma.example": "[firma.example firma.example]",
		"a@lab.firma.example": "[lab.firma.example]", "a@x.lab.firma.example": "[lab.firma.example]",
		"a@otherfirma.example": "[]", "a@example": "[]", "a@[192.0.2.1]": "[]", "": "[]",
	} {
		domains := []string{}
		for _, s := range all.For(address(t, author)) {
			domains = append(domains, s.Domain())
		}
		if fmt.Sprint(domains) != want {
			t.Errorf("%s: %v", author, domains)
		}
	}
}
