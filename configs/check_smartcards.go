package configs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
)

// smartcards judges the keys on cards. It comes before all that refers to one.
func (k *checker) smartcards() {
	unique := k.unique("smartcards")
	for i := range k.Smartcards {
		s := &k.Smartcards[i]
		dotted := entryKey("smartcards", s.Name, i)
		if why := badName(s.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(s.Name, dotted)
		if b, err := hex.DecodeString(fingerprint(s.Certificate)); s.Certificate != "" && (err != nil || len(b) != sha256.Size) {
			k.fail(dotted+".certificate", "this is no SHA-256 of a certificate, which has 64 hexadecimal digits; siegel smartcard list prints it, and openssl x509 -noout -fingerprint -sha256")
		}
		k.cardPlace(s, dotted)
		k.cardPIN(s, dotted)
		if s.Chain != "" {
			s.chain = k.certificatesOf(dotted+".chain", s.Chain)
		}
	}
	if len(k.Smartcards) > 0 && !k.options.PCSC() {
		k.fail("smartcards", "this program was built without PC/SC (CGO_ENABLED=0) and reaches no card and no token; install one that was built with libpcsclite-dev, or remove the section")
	}
	k.cardsAlike()
}

// cardPlace holds that a card can be found, and is not taken for another.
func (k *checker) cardPlace(s *Smartcard, dotted string) {
	if !s.PKCS11.Given() {
		if s.Serial == "" && s.Reader == "" {
			k.fail(dotted, "say which card: give its serial, or its reader where two cards are alike; siegel smartcard list prints both")
		}
		if err := s.Selection().Check(); err != nil {
			k.fail(dotted+".reader", "this is no name of a reader with * for anything in it; siegel smartcard list prints the names")
		}
		return
	}
	p := s.PKCS11
	for key, given := range map[string]bool{"reader": s.Reader != "", "serial": s.Serial != "", "family": s.Family != "", "pin_reference": s.PINReference != ""} {
		if given {
			k.fail(dotted+"."+key, "this is of a card in a reader, and pkcs11 of a token; remove one of the two (the serial number of a token is pkcs11.serial)")
		}
	}
	switch {
	case p.Module == "":
		k.fail(dotted+".pkcs11.module", "name the file of the PKCS#11 module, as /usr/lib/softhsm/libsofthsm2.so")
	case k.file(dotted+".pkcs11.module", p.Module) == nil:
	case p.Token == "" && p.Serial == "":
		k.fail(dotted+".pkcs11", "say which token: give its label as token, or its serial")
	}
}

func (k *checker) cardPIN(s *Smartcard, dotted string) {
	if s.PINReference != "" {
		if n, ok := parseReference(s.PINReference); ok {
			s.reference = &n
		} else {
			k.fail(dotted+".pin_reference", "this is no number of a PIN: one or two hexadecimal digits, as 81")
		}
	}
	if pin := s.PIN.Reveal(); strings.TrimSpace(pin) != pin || len(pin) > maxPIN {
		k.fail(dotted+".pin", "this is no PIN: it begins or ends with a space or line break, or is longer than %d characters; nothing else may stand in its file", maxPIN)
	}
}

// maxPIN is longer than what any card takes.
const maxPIN = 64

// cardsAlike holds that entries of the same card name it alike, so that all who use it wait in one queue and each PIN is of one key.
func (k *checker) cardsAlike() {
	for i := range k.Smartcards {
		for j := range i {
			key, text := alike(&k.Smartcards[i], &k.Smartcards[j])
			if text != "" {
				k.fail(entryKey("smartcards", k.Smartcards[i].Name, i)+"."+key, "the entry %s "+text, shorten(k.Smartcards[j].Name))
				break
			}
		}
	}
}

// alike says at which key, and why, one entry cannot stand beside an earlier one.
func alike(s, o *Smartcard) (key, text string) {
	switch {
	case s.PKCS11.Given() || o.PKCS11.Given():
	case s.Serial != "" && strings.EqualFold(s.Serial, o.Serial) && s.Reader != o.Reader:
		return "reader", "names the same card with another reader; write the same one in both"
	case !strings.EqualFold(s.Serial, o.Serial) || s.Reader != o.Reader:
	case s.Family != o.Family:
		return "family", "has another family for the same card; write the same one in both"
	case fingerprint(s.Certificate) == fingerprint(o.Certificate):
		return "certificate", "is of the same key; one is enough"
	case s.PIN.IsZero() || o.PIN.IsZero():
	case s.reference == nil || o.reference == nil:
		return "pin_reference", "has a PIN for the same card; give each of them its pin_reference, or one entry the pin alone where they share it"
	case *s.reference == *o.reference:
		return "pin", "has a pin of the same number; give it in one place, it is that of both"
	}
	return "", ""
}

// certificatesOf reads the certificates of a PEM file.
func (k *checker) certificatesOf(dotted string, p Path) []*x509.Certificate {
	return k.certificatesMember(dotted, 0, p)
}

// certificatesMember is certificatesOf for the i-th value of a list.
func (k *checker) certificatesMember(dotted string, i int, p Path) []*x509.Certificate {
	text := k.fileMember(dotted, i, p)
	if text == nil {
		return nil
	}
	var all []*x509.Certificate
	for rest := bytes.TrimSpace(text); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			k.failMember(dotted, i, "the certificate %d of this file cannot be read", len(all)+1)
			return nil
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		k.failMember(dotted, i, "there is no PEM certificate in this file")
	}
	return all
}

// clientCard is the key that a client_key names on a card, with the certificates of client_certificate; nil where the key is not on one, or
// something is wrong with it. The keys in the configuration begin with prefix.
func (k *checker) clientCard(certificateFile Path, keyFile KeyFile, prefix string) *CardKey {
	name, ok := keyFile.Card()
	if !ok {
		return nil
	}
	s, ok := k.Smartcard(name)
	if !ok {
		k.fail(prefix+"key", "the configuration has no smart card named %s; name one under smartcards", shorten(name))
		return nil
	}
	if s.NonRepudiation {
		k.warn(prefix+"key", "%s may use a key that binds its holder by what it signs, and a TLS handshake signs what the server chooses; use the authentication key of the card", shorten(name))
	}
	out := &CardKey{Name: name}
	if certificateFile == "" {
		return out
	}
	if out.Chain = k.certificatesOf(prefix+"certificate", certificateFile); len(out.Chain) == 0 {
		return nil
	}
	if sum := sha256.Sum256(out.Chain[0].Raw); hex.EncodeToString(sum[:]) != fingerprint(s.Certificate) {
		k.fail(prefix+"certificate", "the first certificate of this file is not that of the smart card %s; put it first, or remove client_certificate: it is read from the card", shorten(name))
		return nil
	}
	k.validity(out.Chain[0], prefix+"certificate")
	return out
}
