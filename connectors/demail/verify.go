package demail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Result is what became of the integrity of a message.
type Result struct {
	Signature
	Integrity *Integrity // nil where it is missing or cannot be read
}

// Message verifies X-de-mail-integrity of a message (3.4, 3.1.13 and 3.1.21). body is read to its end whatever comes of it, so that it may be
// a reader that stores what it passes on; it is hashed as it comes. The error is that of body: whatever is wrong with the message is in
// the result.
//
// A result that is trusted says that the body, and of each field that is covered ([Integrity.Covers]) the topmost, as [Header.Settled]
// gives them, are what the provider signed. A digest alone (StateHashed) says nothing of the kind; it is never enough where the guideline
// demands a signature.
func (v Verifier) Message(ctx context.Context, h Header, body io.Reader) (Result, error) {
	field, ok := h.First(FieldIntegrity)
	if !ok {
		_, err := io.Copy(io.Discard, body)
		return Result{Signature: Signature{Reason: "there is no " + FieldIntegrity}}, err
	}
	i, err := ParseIntegrity(field.Value())
	if err != nil {
		r := Result{Signature: broken(err)}
		_, err = io.Copy(io.Discard, body)
		return r, err
	}
	bodyHash, err := BodyHash(body, i.Hash)
	if err != nil {
		return Result{}, err
	}
	return Result{Signature: v.integrity(ctx, h, i, field, bodyHash), Integrity: i}, nil
}

func (v Verifier) integrity(ctx context.Context, h Header, i *Integrity, field Field, bodyHash []byte) Signature {
	if err := i.complete(h); err != nil {
		return broken(err)
	}
	if !bytes.Equal(bodyHash, i.BodyHash) {
		return broken(errors.New("the body is not the one that was hashed"))
	}
	digest, err := headerHash(h, i, field)
	if err != nil {
		return broken(err)
	}
	if i.Algorithm == Unsigned {
		return hashed(h, i, digest)
	}
	c, err := headerCertificate(h)
	if err != nil {
		return broken(err)
	}
	cert, err := parseCertificate(c)
	if err != nil {
		return broken(err)
	}
	if err := verify(cert, i.Algorithm, i.Hash, digest, i.Value); err != nil {
		return broken(err)
	}
	return v.judge(ctx, cert, nil, providerOf(h))
}

// complete makes sure that every field that belongs into the digest, and is there, is covered: else it could be changed.
func (i *Integrity) complete(h Header) error {
	for _, name := range covered() {
		if _, there := h.First(name); there && !i.Covers(name) {
			return fmt.Errorf("%s is not covered", name)
		}
	}
	return nil
}

// hashed compares a digest that nobody signed. Whoever changes a message can make it anew, so it must not stand where a signature has to.
func hashed(h Header, i *Integrity, digest []byte) Signature {
	if why := mustBeSigned(h); why != "" {
		return broken(errors.New(why + " has to be signed, and there is a digest only"))
	}
	if !bytes.Equal(digest, i.Value) {
		return broken(errors.New("the header is not the one that was hashed"))
	}
	return Signature{State: StateHashed, Reason: "there is a digest only, and no signature"}
}

// mustBeSigned says what has to be (3.4, 3.1.13, 3.4.1 and 3.5.1); empty where nothing has.
func mustBeSigned(h Header) string {
	if f, ok := h.First(FieldAuthoritative); ok && f.Value() != "no" {
		return "what is sent as authoritative"
	}
	f, _ := h.First(FieldMessageType)
	if t := MessageType(f.Value()); t.Confirmation() || t == TypeIdentification {
		return "a " + string(t)
	}
	return ""
}

// headerCertificate reads the certificate that came with the message (3.4, 3.1.14).
func headerCertificate(h Header) ([]byte, error) {
	f, ok := h.First(FieldCertificate)
	if !ok {
		return nil, errors.New("there is a signature, and no " + FieldCertificate)
	}
	der, err := parseBase64(f.Value())
	if err != nil {
		return nil, wrapField(FieldCertificate, err)
	}
	return der, nil
}

// providerOf is who claims to have sent the message: for what providers write themselves their system address.
func providerOf(h Header) Address {
	f, ok := h.First(FieldSender)
	if !ok {
		return Address{}
	}
	a, _ := ParseAddress(f.Value())
	return a
}
