package survey_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/apdu"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// ticking is a clock that goes a millisecond forward each time it is asked.
func ticking() func() time.Time {
	at := now
	return func() time.Time {
		at = at.Add(time.Millisecond)
		return at
	}
}

func never(error) bool { return false }

// Each algorithm of a key is tried as often as is asked for, and the card counts the same.
func TestTry(t *testing.T) {
	p := newPIV(t)
	d := newDesk(t, p)
	card, err := d.o.Wallet.Card(smartcard.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		{"RSA-PSS SHA-256", "RSA-PSS SHA-384", "RSA-PSS SHA-512", "RSA PKCS #1 v1.5 SHA-256", "RSA PKCS #1 v1.5 SHA-384", "RSA PKCS #1 v1.5 SHA-512"},
		{"ECDSA P-256 SHA-256"},
	} {
		k, err := card.Key(t.Context(), smartcard.Want{Fingerprint: d.take(t)[0].Card.Certificates[i].Fingerprint, Binding: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, trial := range survey.Try(t.Context(), k, 2, ticking(), never) {
			got = append(got, trial.Algorithm)
			if !trial.Good || trial.Median != time.Millisecond || trial.Problem != "" {
				t.Errorf("%+v", trial)
			}
		}
		if !slices.Equal(got, want) || k.Signatures() != uint64(2*len(want)) {
			t.Errorf("%q, %d signatures", got, k.Signatures())
		}
	}
}

// One algorithm that fails does not keep the others from being tried, unless the error says so.
func TestTryFails(t *testing.T) {
	p := newPIV(t)
	d := newDesk(t, p)
	card, _ := d.o.Wallet.Card(smartcard.Selection{})
	k, err := card.Key(t.Context(), smartcard.Want{Fingerprint: d.take(t)[0].Card.Certificates[0].Fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	p.Fault(1, cardtest.Using, cardtest.Fails(apdu.BadData))
	all := survey.Try(t.Context(), k, 1, ticking(), never)
	if len(all) != 6 || all[0].Good || all[0].Problem == "" || !all[1].Good {
		t.Errorf("%+v", all)
	}
	p.Fault(1, cardtest.Using, cardtest.Fails(apdu.BadData))
	if all := survey.Try(t.Context(), k, 1, ticking(), func(error) bool { return true }); len(all) != 1 {
		t.Errorf("%+v", all)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if all := survey.Try(ended, k, 1, ticking(), never); len(all) != 1 || !errors.Is(all[0].Err, context.Canceled) {
		t.Errorf("%+v", all)
	}
}

// liar signs with another key than its certificate's, or by what nobody knows.
type liar struct {
	crypto.Signer
	public crypto.PublicKey
	scheme tls.SignatureScheme
}

func (l liar) Public() crypto.PublicKey                   { return l.public }
func (l liar) SignatureAlgorithms() []tls.SignatureScheme { return []tls.SignatureScheme{l.scheme} }

// A signature that the certificate does not verify is told of as that.
func TestTryLiar(t *testing.T) {
	k := getRSA(t)
	for scheme, want := range map[tls.SignatureScheme]string{
		tls.PSSWithSHA256:          "survey: the signature does not verify with the certificate: its key is not the one on the card",
		tls.PKCS1WithSHA256:        "survey: the signature does not verify with the certificate: its key is not the one on the card",
		tls.Ed25519:                "survey: Ed25519 is not known here",
		tls.ECDSAWithP384AndSHA384: "survey: the signature does not verify with the certificate: its key is not the one on the card",
	} {
		all := survey.Try(t.Context(), liar{k, "nobody's", scheme}, 1, ticking(), never)
		if len(all) != 1 || all[0].Good || all[0].Problem != want {
			t.Errorf("%v: %+v", scheme, all)
		}
	}
}

func TestAlgorithm(t *testing.T) {
	for s, want := range map[tls.SignatureScheme]string{tls.ECDSAWithP384AndSHA384: "ECDSA P-384 SHA-384", tls.ECDSAWithP521AndSHA512: "ECDSA P-521 SHA-512", tls.Ed25519: "Ed25519"} {
		if got := survey.Algorithm(s); got != want {
			t.Error(got)
		}
	}
}

// A card may say its name at its reset.
func ExampleParseATR() {
	a := survey.ParseATR([]byte("\x3B\x85\x80\x01TESTX"))
	fmt.Println(a.Protocols, a.Text)
	// Output: [T=0 T=1] TESTX
}
