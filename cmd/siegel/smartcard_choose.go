package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/smartcard/survey"
)

// chosen is a certificate on a card in a reader.
type chosen struct {
	reader      survey.Reader
	certificate survey.Certificate
}

// minFingerprint is how many digits of a fingerprint name a certificate.
const minFingerprint = 8

// plainFingerprint is a fingerprint as people write it, in the form in which they are compared.
func plainFingerprint(s string) (string, error) {
	s = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(s))
	if len(s) < minFingerprint || len(s) > 64 || strings.Trim(s, "0123456789abcdef") != "" {
		return "", usageError(fmt.Sprintf("--cert takes the SHA-256 of a certificate, or its first %d or more of 64 hexadecimal digits, as siegel smartcard list shows it", minFingerprint))
	}
	return s, nil
}

// withFingerprint finds the certificate whose fingerprint begins so. The same certificate on two cards is ambiguous.
func withFingerprint(readers []survey.Reader, text string) (chosen, error) {
	want, err := plainFingerprint(text)
	if err != nil {
		return chosen{}, err
	}
	var found []chosen
	for _, r := range readers {
		if r.Card == nil {
			continue
		}
		for _, c := range r.Card.Certificates {
			if strings.HasPrefix(c.Fingerprint, want) {
				found = append(found, chosen{r, c})
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return chosen{}, fmt.Errorf("no card holds a certificate %s…; those that are there:\n%s", want[:minFingerprint], inventory(readers))
	}
	var where []survey.Reader
	for _, f := range found {
		f.reader.Card = &survey.Card{Family: f.reader.Card.Family, Serial: f.reader.Card.Serial, Certificates: []survey.Certificate{f.certificate}}
		where = append(where, f.reader)
	}
	return chosen{}, fmt.Errorf("more than one certificate begins so; name more digits, or its card by --serial or --reader:\n%s", inventory(where))
}

// inventory lists certificates, a line each, for errors: with it they can be named.
func inventory(readers []survey.Reader) string {
	var lines []string
	for _, r := range readers {
		switch {
		case r.Card == nil && r.State == survey.Empty:
			lines = append(lines, fmt.Sprintf("  reader %s: no card", r))
		case r.Card == nil && r.State == survey.Strange:
			lines = append(lines, fmt.Sprintf("  reader %s: an unknown card; siegel smartcard list says more", r))
		case r.Card == nil:
			lines = append(lines, fmt.Sprintf("  reader %s: %s; %s", r, clean(r.Problem), r.Remedy))
		case len(r.Card.Certificates) == 0:
			lines = append(lines, fmt.Sprintf("  reader %s, card %s: no certificate", r, cardName(r.Card)))
		default:
			for _, c := range r.Card.Certificates {
				lines = append(lines, fmt.Sprintf("  reader %s, card %s, %s: %s, %s, SHA-256 %s", r, cardName(r.Card), c.Key, clean(c.Subject), c.Expiry, c.Fingerprint))
			}
		}
	}
	if len(lines) == 0 {
		return "  no reader is there"
	}
	return strings.Join(lines, "\n")
}

// errNoCard says that there is nothing to work with.
func errNoCard(readers []survey.Reader) error {
	return errors.New("there is no card that could be used:\n" + inventory(readers))
}
