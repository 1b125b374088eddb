package probe

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/tlsnames"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// firstField is the number of the first group modulo a prime (RFC 7919, 2).
const firstField, lastField uint16 = 0x0100, 0x01ff

func isField(group uint16) bool { return group >= firstField && group <= lastField }

// onCurves are the groups of a version on curves.
func onCurves(version uint16) []uint16 { return slices.DeleteFunc(groupsOf(version), isField) }

// Prime is that of a Diffie-Hellman key exchange.
type Prime struct {
	Bits int `json:"bits"`
	// Name says where it comes from, where that is known: ffdhe2048 (RFC 7919), modp2048 (RFC 3526), and those of RFC 5114.
	Name string `json:"name,omitempty"`
}

// primes are the SHA-256 digests of well-known primes.
var primes = map[string]string{
	"9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966": "ffdhe2048",
	"0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17": "ffdhe3072",
	"4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e": "ffdhe4096",
	"227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7": "ffdhe6144",
	"770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833": "ffdhe8192",
	"64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b": "modp1536",
	"d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e": "modp2048",
	"48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c": "modp3072",
	"4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33": "modp4096",
	"d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd": "modp6144",
	"39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf": "modp8192",
	"44c55cfee5c075927cf682da5b681bdecbd5c3eb0784c14f5dce7610f0ef133d": "RFC 5114, 1024 bits",
	"bfe545862ca102ad1eeddb5fbfa5bf855ac4995c56a8b408ce3fe099dce93a9d": "RFC 5114, 2048 bits",
	"0b7835722cb619827610c2549fdda5587421686c4409a13865e76225522ddcc9": "RFC 5114, 2048 bits",
}

func primeOf(p []byte) Prime {
	digest := sha256.Sum256(p)
	return Prime{new(big.Int).SetBytes(p).BitLen(), primes[hex.EncodeToString(digest[:])]}
}

// scanGroups finds the groups of a version.
func (p *prober) scanGroups(ctx context.Context, s *scan) (err error) {
	if s.version == hello.TLS13 {
		return p.scanGroups13(ctx, s)
	}
	if err := p.scanCurves(ctx, s); err != nil {
		return err
	}
	return p.scanPrimes(ctx, s)
}

// scanGroups13 finds the groups of TLS 1.3, which a server names in its hello.
func (p *prober) scanGroups13(ctx context.Context, s *scan) (err error) {
	ask := func(ctx context.Context, offered []uint16) (uint16, bool, error) {
		f, err := p.ask(ctx, p.offer(s.version, s.suites, offered), hello.UntilHello)
		if isRefusal(err) {
			return 0, false, nil
		} else if err != nil {
			return 0, false, err
		}
		return f.Hello.Group, f.Hello.Version == s.version, nil
	}
	if s.groups, err = p.drain(ctx, groupsOf(s.version), ask); err != nil {
		return err
	}
	s.groupOrder, s.groups, err = p.order(ctx, s.groups, false, ask)
	return err
}

// scanCurves finds the curves on which keys are agreed on below TLS 1.3.
//
// A server with a key on a curve uses its certificate only with clients that name this curve as well (RFC 8422, 5.1.1), so that
// it stays in the list, at its end. Where such a server prefers it to others, those cannot be seen: it never uses them.
func (p *prober) scanCurves(ctx context.Context, s *scan) (err error) {
	suites, stays := curveSuites(s)
	if len(suites) == 0 {
		return nil
	}
	ask := func(ctx context.Context, offered []uint16) (uint16, bool, error) {
		if stays != 0 {
			offered = append(without(offered, stays), stays)
		}
		f, err := p.ask(ctx, p.offer(s.version, suites, offered), hello.UntilDone)
		if isRefusal(err) {
			return 0, false, nil
		} else if err != nil {
			return 0, false, err
		}
		k, err := hello.ParseKeyExchange(f.KeyExchange, agreement(f.Hello.Suite), s.version)
		return k.Group, err == nil && f.Hello.Version == s.version, nil
	}
	if s.groups, err = p.drain(ctx, onCurves(s.version), ask); err != nil {
		return err
	}
	if stays != 0 { // it is always last in the list, so that order means nothing for it
		return nil
	}
	s.groupOrder, s.groups, err = p.order(ctx, s.groups, false, ask)
	return err
}

// curveSuites are the suites of a scan that agree on keys on curves, best those that need no key on a curve in the certificate; else
// the curve of that key.
func curveSuites(s *scan) (suites []uint16, stays uint16) {
	var free []uint16
	for _, id := range s.suites {
		if a := agreement(id); a.Ephemeral && a.Elliptic {
			suites = append(suites, id)
			if suite, _ := tlsnames.LookupSuite(id); suite.Authentication() != "ECDSA" {
				free = append(free, id)
			}
		}
	}
	if len(free) > 0 {
		return free, 0
	}
	if len(suites) > 0 && len(s.flight.Certificates) > 0 {
		if c, err := x509x.ParseCertificate(s.flight.Certificates[0]); err == nil {
			stays = curveOf(c)
		}
	}
	return suites, stays
}

// curveOf is the number of the curve of a certificate's key; 0 where it has none.
func curveOf(c *x509.Certificate) uint16 {
	if name := curveName(c.PublicKey); name != "" {
		if id, err := tlsnames.ParseGroup(name); err == nil {
			return id
		}
	}
	return 0
}

// scanPrimes finds the primes modulo which keys are agreed on below TLS 1.3, with clients that name groups and with those that
// do not.
func (p *prober) scanPrimes(ctx context.Context, s *scan) error {
	suites := slices.DeleteFunc(slices.Clone(s.suites), func(id uint16) bool {
		a := agreement(id)
		return !a.Ephemeral || a.Elliptic
	})
	if len(suites) == 0 {
		return nil
	}
	fields := slices.DeleteFunc(groupsOf(s.version), func(g uint16) bool { return !isField(g) })
	for {
		prime, ok, err := p.prime(ctx, s, suites, fields)
		if err != nil {
			return err
		}
		known := !ok || slices.Contains(s.primes, prime)
		if !known {
			s.primes = append(s.primes, prime)
		}
		group, err := tlsnames.ParseGroup(prime.Name)
		named := ok && err == nil && slices.Contains(fields, group)
		if named {
			s.groups = append(s.groups, group)
		}
		switch {
		case len(fields) == 0:
			return nil
		case named && len(fields) > 1:
			fields = without(fields, group)
		default:
			fields = nil // a last question, without groups
		}
	}
}

// prime asks for one.
func (p *prober) prime(ctx context.Context, s *scan, suites, fields []uint16) (Prime, bool, error) {
	f, err := p.ask(ctx, p.offer(s.version, suites, append(onCurves(s.version), fields...)), hello.UntilDone)
	if isRefusal(err) {
		return Prime{}, false, nil
	} else if err != nil {
		return Prime{}, false, err
	}
	k, err := hello.ParseKeyExchange(f.KeyExchange, agreement(f.Hello.Suite), s.version)
	if err != nil || k.Prime == nil {
		return Prime{}, false, nil
	}
	return primeOf(k.Prime), true, nil
}

// String is the prime in words: ffdhe2048, or "a prime of 1024 bits".
func (p Prime) String() string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprintf("a prime of %d bits", p.Bits)
}
