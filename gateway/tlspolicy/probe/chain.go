package probe

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Certificate is one that a server sent. Texts in it are made safe to print.
type Certificate struct {
	// Chain is the kind of key that the chain it stands in is for: RSA, ECDSA, Ed25519. Position is its place, 0 the server's own.
	Chain     string    `json:"chain"`
	Position  int       `json:"position"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // hexadecimal
	Names     []string  `json:"names,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Key       string    `json:"key"` // "RSA 2048", "EC P-256"
	Signature string    `json:"signature"`
	SHA256    string    `json:"sha256"` // of the certificate, hexadecimal
	// Pin is the SHA-256 digest of the public key, in base64 (RFC 7469, 2.4).
	Pin string `json:"pin"`
	// Unreadable says why nothing but the digest is known.
	Unreadable string `json:"unreadable,omitempty"`
}

// chain is what a server sends for one kind of key.
type chain struct {
	kind string
	der  [][]byte
	all  []*x509.Certificate // nil entries could not be read, or have a key beyond measure
	more int                 // that were sent beside
}

// What is looked at of a chain. Who sends it chooses its length and the size of its keys, and so how long it takes to judge it.
const (
	maxNames = 100  // of one certificate, that are told
	maxChain = 20   // certificates; twice of what anybody needs
	maxRSA   = 8192 // bits; what crypto/tls takes
)

func newChain(der [][]byte) chain {
	c := chain{der: der[:min(len(der), maxChain)], kind: "unknown", more: max(len(der)-maxChain, 0)}
	for _, d := range c.der {
		parsed, err := x509x.ParseCertificate(d)
		if err != nil || tooLarge(parsed.PublicKey) {
			parsed = nil
		}
		c.all = append(c.all, parsed)
	}
	if len(c.all) > 0 && c.all[0] != nil {
		c.kind = keyKind(c.all[0].PublicKey)
	}
	return c
}

// tooLarge reports whether each look at a signature of a key would take a while.
func tooLarge(key any) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k.N.BitLen() > maxRSA
}

func keyKind(key any) string {
	switch key.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "ECDSA"
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}

// curveName is the name of the curve of a key; empty where it is none of ECDSA.
func curveName(key any) string {
	if k, ok := key.(*ecdsa.PublicKey); ok && k.Curve != nil {
		return k.Curve.Params().Name
	}
	return ""
}

func keyText(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + curveName(k)
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PublicKey:
		return "X25519"
	}
	return "unknown"
}

// certificates tells of each certificate.
func (c chain) certificates() []Certificate {
	var out []Certificate
	for i, der := range c.der {
		out = append(out, describe(c.kind, i, der, c.all[i]))
	}
	return out
}

func describe(kind string, position int, der []byte, c *x509.Certificate) Certificate {
	digest := sha256.Sum256(der)
	out := Certificate{Chain: kind, Position: position, SHA256: hex.EncodeToString(digest[:])}
	if c == nil {
		info, err := x509x.Parse(der)
		if err != nil {
			out.Unreadable = "it is no certificate"
			return out
		}
		out.Subject, out.Issuer, out.Key = safetext.Line(info.Subject, 500), safetext.Line(info.Issuer, 500), safetext.Line(info.KeyAlgorithm, 100)
		out.Serial, out.Unreadable = fmt.Sprintf("%x", info.Serial), "it breaks rules that crypto/x509 holds certificates to"
		if big, err := x509x.ParseCertificate(der); err == nil {
			out.Key, out.Unreadable = keyText(big.PublicKey), fmt.Sprintf("its key has more than the %d bits that programs take", maxRSA)
		}
		return out
	}
	pin := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	out.Subject, out.Issuer = safetext.Line(x509x.Name(c.RawSubject), 500), safetext.Line(x509x.Name(c.RawIssuer), 500)
	out.Serial, out.NotBefore, out.NotAfter = fmt.Sprintf("%x", c.SerialNumber), c.NotBefore.UTC(), c.NotAfter.UTC()
	out.Key, out.Signature, out.Pin = keyText(c.PublicKey), signatureName(c), base64.StdEncoding.EncodeToString(pin[:])
	for _, name := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
		out.Names = append(out.Names, safetext.Line(name, 253))
	}
	for _, ip := range c.IPAddresses[:min(len(c.IPAddresses), maxNames)] {
		out.Names = append(out.Names, ip.String())
	}
	return out
}

func signatureName(c *x509.Certificate) string {
	if c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
		return "unknown"
	}
	return c.SignatureAlgorithm.String()
}

// judge says what is right and wrong with the chain of a server with a name.
func (c chain) judge(r *Report, name string, roots *x509.CertPool, now time.Time) {
	say := func(level Level, text, remedy string) {
		r.say("certificate", level, c.kind+": "+text, remedy)
	}
	if len(c.all) == 0 || c.all[0] == nil {
		say(Bad, "the server's certificate cannot be read, or has a key of more bits than programs take", "have the server get another certificate")
		return
	}
	leaf := c.all[0]
	if err := leaf.VerifyHostname(name); err != nil {
		say(Bad, "it is not for "+safetext.Line(name, 253)+namesOf(leaf), "connect by a name that is in it (or give that as --server-name), or have the server get one with this name")
	} else {
		say(Good, "it is for "+safetext.Line(name, 253), "")
	}
	for i, cert := range c.all {
		if cert != nil {
			judgeTime(say, place(i), cert, now)
			judgeStrength(say, place(i), cert, i > 0 && isRoot(cert))
		}
	}
	c.judgeOrder(say)
	c.judgePath(say, roots, now)
}

func place(i int) string {
	if i == 0 {
		return "the certificate"
	}
	return fmt.Sprintf("certificate %d of the chain", i)
}

func namesOf(c *x509.Certificate) string {
	if len(c.DNSNames)+len(c.IPAddresses) == 0 {
		return ", and names no host at all among its subject alternative names"
	}
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	const shown = 5
	text := ", but for " + strings.Join(all[:min(shown, len(all))], ", ")
	if n := len(all) - shown; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return safetext.Line(text, 600)
}

// soon is how long before its end a certificate is told of.
const soon = 21 * 24 * time.Hour

func judgeTime(say func(Level, string, string), what string, c *x509.Certificate, now time.Time) {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case now.After(c.NotAfter):
		say(Bad, what+" has expired on "+day(c.NotAfter), "have the server renew it")
	case now.Before(c.NotBefore):
		say(Bad, what+" is not valid before "+day(c.NotBefore), "look at the clocks of both ends")
	case c.NotAfter.Sub(now) < soon:
		say(Note, what+" ends soon, on "+day(c.NotAfter), "have the server renew it")
	}
}

// Below these a key can be broken in reach of some (TR-02102-1, 2.3.1; NIST SP 800-57 part 1, 5.6.1).
const leastRSA, leastEC = 2048, 224

func judgeStrength(say func(Level, string, string), what string, c *x509.Certificate, root bool) {
	const remedy = "have the server get a certificate with a stronger key"
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < leastRSA {
			say(Bad, fmt.Sprintf("%s has an RSA key of only %d bits", what, n), remedy)
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < leastEC {
			say(Bad, fmt.Sprintf("%s has a key on a curve of only %d bits", what, n), remedy)
		}
	}
	if !root && x509x.WeakSignature(c.SignatureAlgorithm) {
		say(Bad, what+" is signed with "+signatureName(c)+", which can be forged", "have it issued anew, with SHA-256")
	}
}

func isRoot(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// judgeOrder says where certificates stand in the wrong order or to no end (RFC 8446, 4.4.2; RFC 5246, 7.4.2).
func (c chain) judgeOrder(say func(Level, string, string)) {
	if c.more > 0 {
		say(Note, fmt.Sprintf("%d certificates more than %d are sent, which were not looked at", c.more, maxChain), "have the server send its own certificate and those of its issuers alone")
	}
	for i, cert := range c.all {
		switch {
		case cert == nil:
			say(Note, place(i)+" cannot be read, or has a key of more bits than programs take", "have the server send another one")
		case i == 0:
		case c.all[i-1] != nil && !bytes.Equal(c.all[i-1].RawIssuer, cert.RawSubject):
			if c.issuerOf(i-1) >= 0 || c.issues(i) {
				say(Note, place(i)+" stands in the wrong place", "have the server send its own certificate first and then each issuer after what it issued; TLS 1.2 demands that")
			} else {
				say(Note, place(i)+", "+safetext.Line(x509x.Name(cert.RawSubject), 200)+", has nothing to do with the others", "have the server leave it out")
			}
		case isRoot(cert):
			say(Note, place(i)+" is a root, which nobody needs to be sent", "")
		}
	}
}

// issuerOf is the place of who issued certificate i; -1 where it was not sent, or issued itself.
func (c chain) issuerOf(i int) int {
	if c.all[i] == nil || isRoot(c.all[i]) {
		return -1
	}
	for j, other := range c.all {
		if j != i && other != nil && bytes.Equal(other.RawSubject, c.all[i].RawIssuer) {
			return j
		}
	}
	return -1
}

// issues reports whether certificate i issued another one of the chain.
func (c chain) issues(i int) bool {
	for j := range c.all {
		if c.issuerOf(j) == i {
			return true
		}
	}
	return false
}

// judgePath says whether the certificate is believed.
func (c chain) judgePath(say func(Level, string, string), roots *x509.CertPool, now time.Time) {
	leaf := c.all[0]
	between := x509.NewCertPool()
	for _, cert := range c.all[1:] {
		if cert != nil {
			between.AddCert(cert)
		}
	}
	whose := "the authorities of --ca"
	if roots == nil {
		whose = "the authorities of this machine"
	}
	paths, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	if err == nil {
		anchor := paths[0][len(paths[0])-1]
		say(Good, "it is believed by "+whose+": "+safetext.Line(x509x.Name(anchor.RawSubject), 200), "")
		return
	}
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) && now.Before(leaf.NotAfter) && now.After(leaf.NotBefore) {
		say(Bad, "it is not believed by "+whose+": "+plainVerify(err), "have the server get another certificate")
		return
	}
	last := leaf
	for at, seen := 0, 0; seen <= len(c.all); seen++ {
		next := c.issuerOf(at)
		if next < 0 {
			break
		}
		at, last = next, c.all[next]
	}
	switch issuer := safetext.Line(x509x.Name(last.RawIssuer), 200); {
	case now.After(leaf.NotAfter) || now.Before(leaf.NotBefore):
		say(Bad, "whether it is believed was not judged, since it is not valid now", "")
	case isRoot(leaf):
		say(Bad, "it was issued by itself, so nobody vouches for it", "pin it (pins below), or have the server get one from an authority")
	case isRoot(last):
		say(Bad, "its root "+issuer+" is not among "+whose, "give that root with --ca (and as ca in the configuration) if it is the right one")
	default:
		remedy := "have the server send it"
		if len(last.IssuingCertificateURL) > 0 {
			remedy += "; it is at " + safetext.Line(last.IssuingCertificateURL[0], 200)
		}
		say(Bad, "a certificate is missing between it and "+whose+": that of "+issuer+" ("+plainVerify(err)+")", remedy+"; or give the missing authority with --ca")
	}
}

// plainVerify is why a path was not found, in short.
func plainVerify(err error) string {
	return strings.TrimPrefix(safetext.Line(err.Error(), 200), "x509: ")
}
