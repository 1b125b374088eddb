package pathtest

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

func ce(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, n} }

func oidMail() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 4} }

// with puts an extension in, in the place of one of the kind.
func with(e pkix.Extension) option {
	return func(t *template) {
		without(e.Id)(t)
		t.extensions = append(t.extensions, e)
	}
}

// without takes an extension out.
func without(id asn1.ObjectIdentifier) option {
	return func(t *template) {
		t.extensions = slices.DeleteFunc(slices.Clone(t.extensions), func(e pkix.Extension) bool { return e.Id.Equal(id) })
	}
}

func extension(id asn1.ObjectIdentifier, critical bool, write func(b *cryptobyte.Builder)) pkix.Extension {
	var b cryptobyte.Builder
	write(&b)
	return pkix.Extension{Id: id, Critical: critical, Value: b.BytesOrPanic()}
}

func sequence(id asn1.ObjectIdentifier, critical bool, write func(b *cryptobyte.Builder)) pkix.Extension {
	return extension(id, critical, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, write) })
}

// basic is basicConstraints; a length below 0 is none.
func basic(ca bool, length int64) pkix.Extension {
	return sequence(ce(19), true, func(b *cryptobyte.Builder) {
		if ca {
			b.AddASN1Boolean(true)
		}
		if length >= 0 {
			b.AddASN1Int64(length)
		}
	})
}

func usage(u x509.KeyUsage) pkix.Extension {
	octets, last := []byte{0, 0}, 0
	for bit := range 9 {
		if u&(1<<bit) != 0 {
			octets[bit/8] |= 0x80 >> (bit % 8)
			last = bit + 1
		}
	}
	bits := asn1.BitString{Bytes: octets[:(last+7)/8], BitLength: last}
	return pkix.Extension{Id: ce(15), Critical: true, Value: must(asn1.Marshal(bits))}
}

func extUsage(ids ...asn1.ObjectIdentifier) pkix.Extension {
	return pkix.Extension{Id: ce(37), Value: must(asn1.Marshal(ids))}
}

func idOf(k crypto.Signer) []byte {
	id := sha1.Sum(must(x509x.MarshalPublicKey(k.Public())))
	return id[:]
}

func keyID(k crypto.Signer) pkix.Extension {
	return pkix.Extension{Id: ce(14), Value: must(asn1.Marshal(idOf(k)))}
}

func authorityKeyID(k crypto.Signer) pkix.Extension {
	return sequence(ce(35), false, func(b *cryptobyte.Builder) {
		b.AddASN1(implicit(0), func(b *cryptobyte.Builder) { b.AddBytes(idOf(k)) })
	})
}

// general is one GeneralName.
type general func(b *cryptobyte.Builder)

func tagged(n uint8, text string) general {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(implicit(n), func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
	}
}

func mail(address string) general { return tagged(1, address) }
func host(name string) general    { return tagged(2, name) }
func uri(text string) general     { return tagged(6, text) }
func ip(octets string) general    { return tagged(7, octets) }

func directory(name []byte) general {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(4), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	}
}

func other(id asn1.ObjectIdentifier, text string) general {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(id)
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
			})
		})
	}
}

func registered(id asn1.ObjectIdentifier) general {
	der := must(asn1.Marshal(id))
	return tagged(8, string(der[2:]))
}

func san(names ...general) pkix.Extension {
	return sequence(ce(17), false, func(b *cryptobyte.Builder) {
		for _, n := range names {
			n(b)
		}
	})
}

// bounds is nameConstraints.
func bounds(permitted, excluded []general) pkix.Extension {
	return sequence(ce(30), true, func(b *cryptobyte.Builder) {
		for i, list := range [][]general{permitted, excluded} {
			if len(list) == 0 {
				continue
			}
			b.AddASN1(explicit(uint8(i)), func(b *cryptobyte.Builder) {
				for _, n := range list {
					b.AddASN1(cbasn1.SEQUENCE, cryptobyte.BuilderContinuation(n))
				}
			})
		}
	})
}

// policiesOf is certificatePolicies.
func policiesOf(ids ...string) pkix.Extension {
	return sequence(ce(32), false, func(b *cryptobyte.Builder) {
		for _, id := range ids {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(policy(id)) })
		}
	})
}

// mappings are pairs of policies of the issuer and of the subject.
func mappings(pairs ...string) pkix.Extension {
	return sequence(ce(33), true, func(b *cryptobyte.Builder) {
		for i := 0; i+1 < len(pairs); i += 2 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(policy(pairs[i]))
				b.AddASN1ObjectIdentifier(policy(pairs[i+1]))
			})
		}
	})
}

// policyConstraints; below 0: left out.
func policyConstraints(explicit, mapping int64) pkix.Extension {
	return sequence(ce(36), true, func(b *cryptobyte.Builder) {
		for i, n := range []int64{explicit, mapping} {
			if n >= 0 {
				b.AddASN1Int64WithTag(n, implicit(uint8(i)))
			}
		}
	})
}

func inhibitAny(n int64) pkix.Extension {
	return extension(ce(54), true, func(b *cryptobyte.Builder) { b.AddASN1Int64(n) })
}

// policy is a policy by a short name: "any", or a letter.
func policy(name string) asn1.ObjectIdentifier {
	if name == "any" {
		return asn1.ObjectIdentifier{2, 5, 29, 32, 0}
	}
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, int(name[0])}
}
