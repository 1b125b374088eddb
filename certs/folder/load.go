package folder

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/secret"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// Load reads a folder and the folders in it. Keys are matched to certificates by their public key,
// whichever files they lie in. Certificates in the trust folder are anchors, CA certificates elsewhere help
// to build paths. An empty dir is a folder without files, of which none is read. What is wrong with a file is in the report and does not stop the others; the error is for
// a folder that cannot be read. Each certificate is judged once, so that the report can tell which of them cannot be used.
func Load(dir string, o Options) (*Folder, Report, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Supports == nil {
		o.Supports = o.supports
	}
	l := loader{options: o, byRaw: map[string]*entry{}, keys: map[string]foundKey{}}
	if err := l.folders(dir); err != nil {
		return nil, nil, fmt.Errorf("certs/folder: %w", err)
	}
	f := l.folder()
	l.usefulness(f)
	if o.Revocation != nil {
		f.validator, f.mayChange = f.validator.WithRevocation(o.Revocation), true
		f.forget()
	}
	slices.SortStableFunc(l.report, func(a, b FileReport) int { return cmp.Compare(a.Path, b.Path) })
	return f, l.report, nil
}

type loader struct {
	options Options
	report  Report
	entries []*entry
	byRaw   map[string]*entry
	anchors []*x509.Certificate
	keys    map[string]foundKey // by public key
}

type foundKey struct {
	private crypto.PrivateKey
	file    int
}

// folders reads the files of the folder and of the trust folder, which may lie in it.
func (l *loader) folders(dir string) error {
	trust := l.options.TrustDir
	if dir == "" && trust == "" {
		return nil
	}
	if trust == "" {
		trust = filepath.Join(dir, "trust")
	}
	var paths []string
	var err error
	if dir != "" {
		paths, err = list(dir)
	}
	if err != nil {
		return err
	}
	prefix := filepath.Clean(trust) + string(filepath.Separator)
	for _, path := range paths {
		if !strings.HasPrefix(path, prefix) {
			l.file(path, dir, false)
		}
	}
	anchors, err := list(trust)
	if err != nil && (l.options.TrustDir != "" || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for _, path := range anchors {
		base := dir
		if l.options.TrustDir != "" {
			base = filepath.Dir(filepath.Clean(trust))
		}
		l.file(path, base, true)
	}
	if len(l.anchors) == 0 {
		none := FileReport{Path: filepath.Base(trust)}
		none.problem("there is no trusted certificate, so no certificate will be found valid; put the CA certificates you trust into this folder")
		l.report = append(l.report, none)
	}
	return nil
}

// file reads one file into the loader.
func (l *loader) file(path, base string, trust bool) {
	if strings.HasSuffix(path, passwordSuffix) {
		return
	}
	shown, err := filepath.Rel(base, path)
	if err != nil {
		shown = path
	}
	r := FileReport{Path: safetext.Line(filepath.ToSlash(shown), 0)}
	data, mode, err := readBounded(path, maxFileSize)
	var c content
	if err != nil {
		r.problem("it cannot be read: %v", err)
	} else {
		c = content{brainpool: l.options.SoftwareBrainpool}
		c.parse(path, data, func() []secret.String { return passwords(path, l.options.Passwords, &r) }, &r)
	}
	r.Certificates, r.Keys = len(c.certs), len(c.keys)
	if len(c.keys) > 0 && mode.Perm()&0o004 != 0 {
		r.problem("everybody on this machine can read this private key; restrict it: chmod 600")
	}
	if len(c.keys) > 0 && trust {
		r.problem("a private key lies among the trusted certificates and was not used; move it out of that folder")
		c.keys = nil
	}
	l.take(c, trust, len(l.report))
	l.report = append(l.report, r)
}

func (l *loader) take(c content, trust bool, file int) {
	for _, cert := range c.certs {
		if l.byRaw[string(cert.Raw)] == nil {
			e := &entry{cert: cert, file: file}
			l.byRaw[string(cert.Raw)] = e
			l.entries = append(l.entries, e)
		}
		if trust {
			l.anchors = append(l.anchors, cert)
		}
	}
	for _, key := range c.keys {
		if id := publicKeyID(public(key)); id != "" {
			l.keys[id] = foundKey{key, file}
		}
	}
}

// public is the public half of a private key; nil where it has none.
func public(key crypto.PrivateKey) crypto.PublicKey {
	if k, ok := key.(interface{ Public() crypto.PublicKey }); ok {
		return k.Public()
	}
	return nil
}

// identity joins a certificate and its private key.
func identity(c *x509.Certificate, chain []*x509.Certificate, private crypto.PrivateKey) certs.Identity {
	id := certs.Identity{Certificate: c, Chain: chain}
	if signer, ok := private.(crypto.Signer); ok {
		id.Key = signer
	} else {
		id.Agreement = private
	}
	return id
}

// publicKeyID is the encoding in which public keys compare; empty for a kind that has none.
func publicKeyID(key crypto.PublicKey) string {
	der, err := x509x.MarshalPublicKey(key)
	if err != nil {
		return ""
	}
	return string(der)
}

// folder matches keys, and indexes certificates by address.
func (l *loader) folder() *Folder {
	var cas []*x509.Certificate
	for _, e := range l.entries {
		if e.cert.IsCA {
			cas = append(cas, e.cert)
		}
	}
	f := &Folder{
		validator: certs.NewValidator(l.anchors, cas), supports: l.options.Supports,
		byAddress: map[string][]*entry{},
	}
	slices.SortStableFunc(l.entries, newestFirst)
	l.identify(f, newIssuers(cas))
	for _, e := range l.entries {
		for _, address := range certs.Addresses(e.cert) {
			key := certs.AddressKey(address)
			f.byAddress[key] = append(f.byAddress[key], e)
		}
	}
	return f
}

func newestFirst(a, b *entry) int {
	return cmp.Or(b.cert.NotBefore.Compare(a.cert.NotBefore), b.cert.NotAfter.Compare(a.cert.NotAfter), bytes.Compare(a.cert.Raw, b.cert.Raw))
}

// identify gives certificates their keys and reports the keys that belong to none.
func (l *loader) identify(f *Folder, issuers issuers) {
	used := map[string]bool{}
	for _, e := range l.entries {
		id := publicKeyID(e.cert.PublicKey)
		key, ok := l.keys[id]
		if !ok || id == "" {
			continue
		}
		used[id] = true
		joined := identity(e.cert, issuers.chain(e.cert), key.private)
		e.identity = &joined
		if r, err := x509x.RestrictionOf(e.cert); err == nil && !r.PSSOnly { // RFC 4055, 1.2: such a key only signs
			f.identities = append(f.identities, joined)
		}
	}
	for id, key := range l.keys {
		if !used[id] {
			l.report[key.file].problem("a private key has no certificate in this folder and cannot be used; add its certificate")
		}
	}
}

// usefulness judges each certificate of a user and reports those that cannot be used, and why.
func (l *loader) usefulness(f *Folder) {
	for _, e := range l.entries {
		if e.identity == nil && e.cert.IsCA {
			continue
		}
		r := f.judge(context.Background(), e, certs.Encrypt, l.options.Now)
		if e.identity != nil && !r.Valid() {
			r = f.judge(context.Background(), e, certs.Sign, l.options.Now)
		}
		l.useless(e, r)
	}
}

func (l *loader) useless(e *entry, r certs.Result) {
	file := &l.report[e.file]
	if r.Valid() {
		if e.identity != nil && len(certs.Addresses(e.cert)) == 0 {
			file.note("the certificate of %s bears no mail address; its key can only decrypt", safetext.Line(x509x.Name(e.cert.RawSubject), 80))
		}
		return
	}
	for _, reason := range r.Reasons {
		switch r.Status {
		case certs.StatusExpired, certs.StatusPurpose, certs.StatusTime:
			file.note("%s", reason)
		default:
			file.problem("%s", reason)
		}
	}
	if e.identity != nil {
		file.note("it is not used to sign; its key is kept to decrypt")
	}
}

// issuers finds the certificates above another one.
type issuers map[string][]*x509.Certificate

func newIssuers(cas []*x509.Certificate) issuers {
	m := issuers{}
	for _, c := range cas {
		m[string(c.RawSubject)] = append(m[string(c.RawSubject)], c)
	}
	return m
}

// maxChain bounds the certificates sent along with a signature.
const maxChain = 8

// chain goes up from a certificate to below a self-signed one; of several issuers the one that lives
// longest is taken.
func (m issuers) chain(c *x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for len(chain) < maxChain {
		var above *x509.Certificate
		for _, issuer := range m[string(c.RawIssuer)] {
			longer := above == nil || issuer.NotAfter.After(above.NotAfter)
			if longer && !bytes.Equal(issuer.RawIssuer, issuer.RawSubject) && !slices.Contains(chain, issuer) && x509x.CheckSignatureFrom(c, issuer) == nil {
				above = issuer
			}
		}
		if above == nil {
			return chain
		}
		chain = append(chain, above)
		c = above
	}
	return chain
}
