package cms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
)

// maxAttempts is the private key operations for one message after which no further recipient info is looked at.
const maxAttempts = 16

// away reports whether err says that a key cannot be asked at present, which has nothing to do with what it
// was asked.
func away(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// keyring finds the content key of a message among its recipient infos.
type keyring struct {
	transports []keyTrans
	agreements []keyAgree
	keys       []Key
	size       int // of the content key
	attempts   int
	away       error // of the last key that was away
	matched    bool  // some key fits some recipient info
}

// contentKey returns the content key. Where it cannot be had it returns a random key instead, so that what
// follows takes the same course; failed says that the key is not right for certain. OAEP and key wrap tell, v1.5
// must not: those two stand chosen ciphertexts, so that what they tell of a recipient info its maker knew, and
// they come first. The error is ErrNoKey, or that of a key that is away.
func (k *keyring) contentKey() (key []byte, failed bool, err error) {
	if key, ok := k.fromOAEP(); ok {
		return key, false, nil
	}
	if key, ok := k.fromAgreement(); ok {
		return key, false, nil
	}
	if key, ok := k.fromPKCS1(); ok {
		return key, false, nil
	}
	if k.away != nil {
		return nil, false, fmt.Errorf("cms: a key for this message is not available: %w", k.away)
	}
	if !k.matched {
		return nil, false, ErrNoKey
	}
	return k.random(), true, nil
}

func (k *keyring) random() []byte {
	key := make([]byte, k.size)
	rand.Read(key)
	return key
}

// fromOAEP tries every key on every recipient info with OAEP. OAEP stands chosen ciphertexts, so what
// fails may be followed by a further try.
func (k *keyring) fromOAEP() ([]byte, bool) {
	for _, key := range k.keys {
		for i := range k.transports {
			t := &k.transports[i]
			if t.oaep == nil || !t.fits(key) || k.attempts >= maxAttempts {
				continue
			}
			k.matched = true
			k.attempts++
			plain, err := key.Decrypter.Decrypt(rand.Reader, t.ciphertext(key), t.oaep)
			if err == nil && len(plain) == k.size {
				return plain, true
			}
			if away(err) {
				k.away = err
			}
		}
	}
	return nil, false
}

// fromAgreement has every key agree with every originator that wrapped something for it.
func (k *keyring) fromAgreement() ([]byte, bool) {
	for _, key := range k.keys {
		for i := range k.agreements {
			a := &k.agreements[i]
			wrapped := a.wrappedFor(key)
			if len(wrapped) == 0 || k.attempts >= maxAttempts {
				continue
			}
			k.matched = true
			if plain, ok := k.agree(a, key, wrapped); ok {
				return plain, true
			}
		}
	}
	return nil, false
}

// agree asks key once, and tries what it gives on each of wrapped.
func (k *keyring) agree(a *keyAgree, key Key, wrapped [][]byte) ([]byte, bool) {
	peer, ok := a.peer(key.Certificate.PublicKey)
	if !ok {
		return nil, false
	}
	k.attempts++
	secret, err := key.Agreement.SharedSecret(peer)
	if away(err) {
		k.away = err
	}
	if err != nil || !validSecret(key.Certificate.PublicKey, secret) {
		return nil, false
	}
	defer clear(secret)
	for _, info := range a.sharedInfos() {
		kek := a.scheme.derive(secret, a.ukm, info, wrapSize(a.wrap.oid))
		plain, ok := unwrapAny(kek, wrapped, k.size)
		clear(kek)
		if ok {
			return plain, true
		}
	}
	return nil, false
}

// unwrapAny is the first key that is under kek.
func unwrapAny(kek []byte, wrapped [][]byte, size int) ([]byte, bool) {
	for _, w := range wrapped {
		if plain, ok := unwrapKey(kek, w, size); ok {
			return plain, true
		}
	}
	return nil, false
}

// fromPKCS1 decrypts the first recipient info with PKCS #1 v1.5 that a key is for, and no other, whatever comes
// of it: a second try after a failed first would tell an attacker who adds recipient infos of his own
// whether the padding of the first was right. Only a key that is away makes room for another.
func (k *keyring) fromPKCS1() ([]byte, bool) {
	for _, key := range k.keys {
		for i := range k.transports {
			t := &k.transports[i]
			if t.oaep != nil || !t.fits(key) || k.attempts >= maxAttempts {
				continue
			}
			k.matched = true
			if plain, ok := k.implicit(t); ok {
				return plain, true
			}
		}
	}
	return nil, false
}

// implicit decrypts t with implicit rejection: a wrong padding gives a random key (RFC 3218, 2.3.2). It is
// false only where every key is away.
func (k *keyring) implicit(t *keyTrans) ([]byte, bool) {
	keys := k.distinct(t)
	result := k.random()
	asked := false
	for _, key := range keys {
		first, ok := k.sessionKey(t, key)
		if !ok {
			continue
		}
		asked = true
		right := 1
		if len(keys) > 1 {
			// Several keys under one identifier: of a right padding the result is the same each time, of a
			// wrong one it is random. Which it was shows in nothing.
			second, again := k.sessionKey(t, key)
			if !again {
				continue
			}
			right = subtle.ConstantTimeCompare(first, second)
			clear(second)
		}
		subtle.ConstantTimeCopy(right, result, first)
		clear(first)
	}
	return result, asked
}

// distinct are the different keys that t fits.
func (k *keyring) distinct(t *keyTrans) []Key {
	var keys []Key
next:
	for _, key := range k.keys {
		if !t.fits(key) || len(keys) == maxCandidates {
			continue
		}
		for _, other := range keys {
			if rsaKey(key.Certificate).Equal(rsaKey(other.Certificate)) {
				continue next
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// sessionKey asks key once. A refusal, or a key of another size, from a Decrypter that does not reject
// implicitly itself counts as a random key. It is false where the key is away.
func (k *keyring) sessionKey(t *keyTrans, key Key) ([]byte, bool) {
	k.attempts++
	result := k.random()
	//lint:ignore SA1019 most mail is encrypted this way; SessionKeyLen is the safe form of it
	opts := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: k.size}
	plain, err := key.Decrypter.Decrypt(rand.Reader, t.ciphertext(key), opts)
	if away(err) {
		k.away = err
		return nil, false
	}
	if err == nil && len(plain) == k.size {
		copy(result, plain)
	}
	clear(plain)
	return result, true
}
