package configs

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// archives holds that each archive is one place, and that nothing gets there that anybody on the way, or on this machine, could read.
func (k *checker) archives() {
	unique, folders := k.unique("archives"), map[Path]string{}
	for i := range k.Archives {
		a := &k.Archives[i]
		dotted := entryKey("archives", a.Name, i)
		if why := badName(a.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(a.Name, dotted)
		a.certificate = nil
		if a.Certificate != "" {
			a.certificate = k.archiveCertificate(dotted+".certificate", a.Certificate)
		}
		switch {
		case a.To != "" && a.Folder != "":
			k.fail(dotted+".folder", "an archive is a journal address or a folder; make two of them, or remove one of the two")
		case a.To != "":
			k.journal(a, dotted)
		case a.Folder != "":
			k.archiveFolder(a, dotted)
			if other, twice := folders[a.Folder]; twice {
				k.fail(dotted+".folder", "the archive %s has this folder; give each its own", shorten(other))
			}
			folders[a.Folder] = a.Name
		default:
			k.fail(dotted, "this archive is nowhere; write to: with its journal address, or folder:")
		}
	}
	k.archivesNamed()
}

// archivesNamed warns of archives that the policy does not name. That it names none that are not there is held where its keys are judged.
func (k *checker) archivesNamed() {
	used := map[string]bool{}
	look := func(names []string) {
		for _, name := range names {
			used[name] = true
		}
	}
	look(k.Policy.Default.Archive)
	for _, r := range k.Policy.Rules {
		look(r.Archive)
	}
	for _, levels := range [][]PolicyLevel{k.Policy.Senders, k.Policy.Recipients} {
		for _, l := range levels {
			look(l.Archive)
		}
	}
	for i, a := range k.Archives {
		if a.Name != "" && !used[a.Name] {
			k.warn(entryKey("archives", a.Name, i), "no policy names this archive, so nothing goes there; write archive: [%s] under policy.default, or in a rule", shorten(a.Name))
		}
	}
}

// archiveFolder holds that nothing readable comes to lie on the gateway's disk unless that was said.
func (k *checker) archiveFolder(a *Archive, dotted string) {
	k.folder(dotted+".folder", a.Folder, true)
	if a.From != "" {
		k.warn(dotted+".from", "a folder sends nothing back; remove this, or write to: with a journal address")
	}
	switch {
	case a.Certificate != "" && a.Plaintext:
		k.fail(dotted+".plaintext", "copies are either encrypted to the certificate or not; remove one of the two")
	case a.Certificate == "" && !a.Plaintext:
		k.fail(dotted+".certificate", "the copies would lie in the folder for everybody to read who gets at this disk; give the certificate that they are encrypted to, or write plaintext: true "+
			"where the folder is the mounted share of an archive")
	case a.Plaintext:
		k.warn(dotted+".plaintext", "whoever reads the folder reads all mail, also what was encrypted; this is right only for the mounted share of an archive")
	}
	info, err := os.Stat(a.Folder.String())
	if err == nil && info.Mode().Perm()&0o002 != 0 {
		k.fail(dotted+".folder", "every user of this machine may write to %s, and so take away copies or make some; run chmod o-w on it", shorten(a.Folder.String()))
	}
}

// journal holds that a journal address is reached by a connection that only the archive can read.
func (k *checker) journal(a *Archive, dotted string) {
	a.to, a.from = mail.Address{}, mail.Address{}
	if a.Plaintext {
		k.fail(dotted+".plaintext", "this is for a folder; a journal address is reached by TLS that is verified, or on the company's own server")
	}
	to, ok := k.archiveAddress(dotted+".to", a.To)
	if !ok {
		return
	}
	a.to = to
	k.journalSender(a, dotted)
	k.journalRoute(to, dotted+".to")
}

// journalSender holds that bounces get to the administrator, and are known as what they are.
func (k *checker) journalSender(a *Archive, dotted string) {
	at, text := dotted+".from", a.From
	if text == "" && len(k.Admin.MailTo) > 0 {
		at, text = "admin.mail_to", k.Admin.MailTo[0]
	}
	if text == "" {
		k.fail(at, "nobody would be told where the archive sends copies back; name an address of an administrator here, or under admin.mail_to")
		return
	}
	from, ok := k.archiveAddress(at, text)
	switch {
	case !ok:
		return
	case from == a.to:
		k.fail(at, "what the archive sends back would go to the archive; name the address of an administrator")
	case !k.Config.Domains.Match(from):
		k.warn(at, "this address is none of the company's own, so what the archive sends back, with the mail in it, goes to others")
	}
	a.from = from
}

func (k *checker) archiveAddress(dotted, text string) (mail.Address, bool) {
	a, err := mail.ParseAddress(text)
	switch {
	case err != nil:
		k.fail(dotted, "this is no address%s", strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
	case !a.IsASCII():
		k.fail(dotted, "an archive has to be reached from every server; choose an address of ASCII characters")
	default:
		return a, true
	}
	return mail.Address{}, false
}

// journalRoute holds that the route of a journal address is to the company's own server, or verified.
func (k *checker) journalRoute(to mail.Address, dotted string) {
	for i := range k.Routes {
		r := &k.Routes[i]
		if !r.Domains.Match(to) {
			continue
		}
		home := k.Config.Domains.Match(to) && !r.MX && !r.RoundTrip
		verified := r.TLS.Mode == RouteTLSDANE || r.TLS.Mode == RouteTLSMTASTS || r.TLS.Mode == RouteTLSVerified && !r.MX
		if !home && !verified {
			k.fail(dotted, "copies must not go over the internet for others to read, and the route %s, by which this address is reached, does not make sure who gets them; give the "+
				"address a route with hosts and tls: verified, or one with tls: dane", shorten(r.Name))
		}
		return
	}
	k.fail(dotted, "no route has the domain of this address, so nothing can be sent there; add one with hosts and tls: verified")
}

// archiveCertificate reads a certificate that can be encrypted to.
func (k *checker) archiveCertificate(dotted string, p Path) *x509.Certificate {
	list := k.certificatesMember(dotted, 0, p)
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		k.fail(dotted, "this file has %d certificates; leave the one that copies are encrypted to", len(list))
		return nil
	}
	c := list[0]
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.Size() < 256 {
			k.fail(dotted, "its key has %d bits, too few for what is kept for years; use 2048 or more, better 3072", key.Size()*8)
		}
	case *ecdsa.PublicKey:
	default:
		k.fail(dotted, "nothing can be encrypted to a key of this kind; use RSA, or an elliptic curve of NIST")
		return nil
	}
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement) == 0 {
		k.fail(dotted, "this certificate is not for encryption, by its key usage; name one with keyEncipherment or keyAgreement")
	}
	k.validity(c, dotted)
	return c
}

// Archive returns the archive of a name.
func (c *Config) Archive(name string) (Archive, bool) {
	for _, a := range c.Archives {
		if a.Name == name && name != "" {
			return a, true
		}
	}
	return Archive{}, false
}
