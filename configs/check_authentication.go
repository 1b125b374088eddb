package configs

import (
	"crypto/rsa"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
)

// authentication holds that trusted clients are not everybody, and that there is somebody to judge.
func (k *checker) authentication() {
	for i, p := range k.Authentication.Trusted {
		if p.Bits() < 8 {
			k.failMember("authentication.trusted", i, "%s is the internet: nobody would be judged; list the servers that forward mail", p)
		}
	}
	if k.Authentication.DKIMFail == mailauth.Reject {
		k.warn("authentication.dkim_fail", "a broken signature is no worse than none (RFC 6376, 6.1): mailing lists break them; leave it to dmarc_fail")
	}
}

// dkim reads the keys.
func (k *checker) dkim() {
	seen := map[string]bool{}
	for i := range k.DKIM {
		d := &k.DKIM[i]
		dotted := entryKey("dkim", "", i)
		if d.Key.IsZero() {
			continue
		}
		key, err := mailauth.ParseKey([]byte(d.Key.Reveal()))
		if err != nil {
			k.fail(dotted+".key", "%s", signerTrouble(err))
			continue
		}
		if public, ok := key.Public().(*rsa.PublicKey); ok && public.N.BitLen() < 2048 {
			k.warn(dotted+".key", "an RSA key of %d bits can be broken; make a new one with: siegel dkim new", public.N.BitLen())
		}
		for j, domain := range d.Domains {
			s, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: domain, Selector: d.Selector, Key: key, Headers: d.Headers})
			if err != nil {
				k.failMember(dotted+signerKey(err), j, "%s", signerTrouble(err))
				continue
			}
			name := s.Selector() + "._domainkey." + s.Domain()
			if seen[name] {
				k.fail(dotted+".selector", "another key has this selector for %s; give each its own", shorten(domain))
			}
			seen[name] = true
			k.signs(s, dotted, j)
			d.signers = append(d.signers, s)
		}
	}
}

// signs warns of a domain that neither people inside nor reports of the gateway are from.
func (k *checker) signs(s *mailauth.Signer, dotted string, i int) {
	if k.Hostname == s.Domain() {
		return
	}
	for _, p := range k.Domains {
		domain := strings.TrimLeft(p.String(), "@*.")
		if domain == s.Domain() || strings.HasSuffix(domain, "."+s.Domain()) || p.Match(mail.Address{Local: "postmaster", Domain: s.Domain()}) {
			return
		}
	}
	k.warnMember(dotted+".domains", i, "%s is none of the company's domains, so the key signs only what a listener's senders or a user's may_use permit", s.Domain())
}

// signerKey is the key that a fault of NewSigner is about.
func signerKey(err error) string {
	switch text := err.Error(); {
	case strings.Contains(text, "is not a domain"):
		return ".domains"
	case strings.Contains(text, "is not a selector"):
		return ".selector"
	case strings.Contains(text, "key"):
		return ".key"
	}
	return ".headers"
}

func signerTrouble(err error) string {
	return strings.TrimPrefix(err.Error(), mailauth.ErrSigner.Error()+": ")
}
