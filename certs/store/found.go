package store

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/certs"
)

// The words of Record.Source of what the gateway found by itself.
const (
	FromSignature = "signature"
	FromDirectory = "directory" // and the name of the directory
)

// WasFound reports whether the gateway found a certificate by itself, and no administrator has said that it is trusted. To encrypt,
// what an administrator brought in is taken before all that was found, however new that is, for as long as it is valid:
// whoever can have a certificate issued for an address must not turn its mail aside.
func (r Record) WasFound() bool { return isFound(r.Source) && r.Trust != Trusted }

// isFound reports whether a source is one of what the gateway finds by itself.
func isFound(source string) bool {
	word, _, _ := strings.Cut(source, " ")
	return word == FromSignature || word == FromDirectory
}

// adopt makes a certificate that the gateway had found by itself one of the source that brings it in now, and that waits for no word any
// more. It reports whether it was such a one.
func (s *Store) adopt(ctx context.Context, tx transaction, f Fingerprint, source string) (bool, error) {
	r, err := s.row(ctx, tx, f)
	if err != nil {
		return false, err
	}
	rec, err := s.unseal(&r)
	if err != nil || !isFound(rec.Source) {
		return false, err
	}
	said := statement{rec.Trust, rec.Scope, rec.Serves}
	if said.Trust == Asked {
		said.Trust = ByPath
	}
	body, err := s.sealBody(r.id, r.added, certificateBody{rec.Certificate.Raw, source})
	if err != nil {
		return false, err
	}
	sealed, err := s.sealStatement(r.id, said)
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE certificate SET body = ?, trust = ?, said = ? WHERE number = ?`, body, said.Trust.number(), sealed, r.number); err != nil {
		return false, fmt.Errorf("certs/store: %w", err)
	}
	return true, nil
}

// firstFor orders certificates of an address for a purpose: newest first; to encrypt, what was found by the gateway itself comes last.
func firstFor(p certs.Purpose, found map[*certs.Candidate]bool) func(a, b certs.Held) int {
	return func(a, b certs.Held) int {
		if p == certs.Encrypt && found[a.Candidate] != found[b.Candidate] {
			if found[a.Candidate] {
				return 1
			}
			return -1
		}
		return certs.NewestFirst(a.Certificate, b.Certificate)
	}
}

// tell tells Options.Changed of what may be found or believed now and was not before.
func (s *Store) tell(a Addition, isNew map[Fingerprint]bool, wide bool) {
	if s.o.Changed == nil || a.Trust == Asked || a.Trust == Distrusted {
		return
	}
	if wide {
		s.o.Changed(nil)
		return
	}
	s.o.Changed(addressesOf(a.Certificates, isNew))
}

// addressesOf are the addresses of the new ones among certificates; not nil.
func addressesOf(all []*x509.Certificate, isNew map[Fingerprint]bool) []string {
	addresses := []string{}
	for _, c := range all {
		if isNew[FingerprintOf(c)] {
			addresses = append(addresses, certs.Addresses(c)...)
		}
	}
	return addresses
}
