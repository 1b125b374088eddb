package folder

import (
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
	"github.com/siegel-mail/siegel/certs/bundle"
	"github.com/siegel-mail/siegel/internal/safetext"
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
		o.Supports = certs.Supported(o.SoftwareBrainpool)
	}
	l := loader{options: o, byRaw: map[string]*entry{}, keys: map[string]foundKey{}}
	if err := l.folders(dir); err != nil {
		return nil, nil, fmt.Errorf("certs/folder: %w", err)
	}
	f := l.folder()
	l.usefulness(f)
	if o.Revocation != nil {
		f.validator = f.validator.WithRevocation(o.Revocation)
		f.picker.Judge, f.picker.Revocable = f.validator, true
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
		paths, err = bundle.Files(dir)
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
	anchors, err := bundle.Files(trust)
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
		none.Problem("there is no trusted certificate, so no certificate will be found valid; put the CA certificates you trust into this folder")
		l.report = append(l.report, none)
	}
	return nil
}

// file reads one file into the loader.
func (l *loader) file(path, base string, trust bool) {
	if strings.HasSuffix(path, bundle.PasswordSuffix) {
		return
	}
	c, r := bundle.Load(path, bundle.Options{Passwords: l.options.Passwords, SoftwareBrainpool: l.options.SoftwareBrainpool, Named: true})
	shown, err := filepath.Rel(base, path)
	if err != nil {
		shown = path
	}
	r.Path = safetext.Line(filepath.ToSlash(shown), 0)
	if len(c.Keys) > 0 && trust {
		r.Problem("a private key lies among the trusted certificates and was not used; move it out of that folder")
		c.Keys = nil
	}
	l.take(c, trust, len(l.report), r.Path)
	l.report = append(l.report, r)
}

func (l *loader) take(c bundle.Contents, trust bool, file int, path string) {
	for _, cert := range c.Certificates {
		if l.byRaw[string(cert.Raw)] == nil {
			e := &entry{Candidate: certs.Candidate{Certificate: cert}, file: file, path: path}
			l.byRaw[string(cert.Raw)] = e
			l.entries = append(l.entries, e)
		}
		if trust {
			l.byRaw[string(cert.Raw)].anchor = true
			l.anchors = append(l.anchors, cert)
		}
	}
	for _, key := range c.Keys {
		if id := bundle.KeyID(bundle.Public(key)); id != "" {
			l.keys[id] = foundKey{key, file}
		}
	}
}

// folder matches keys, and indexes certificates by address.
func (l *loader) folder() *Folder {
	var cas []*x509.Certificate
	for _, e := range l.entries {
		if e.Certificate.IsCA {
			cas = append(cas, e.Certificate)
		}
	}
	f := &Folder{
		validator: certs.NewValidator(l.anchors, cas).WithPolicies(l.options.Policies),
		entries:   l.entries, anchors: l.anchors, intermediates: cas, byAddress: map[string][]*entry{},
	}
	f.picker = certs.Picker{Judge: f.validator, Supports: l.options.Supports}
	slices.SortStableFunc(l.entries, func(a, b *entry) int { return certs.NewestFirst(a.Certificate, b.Certificate) })
	l.identify(f, certs.NewIssuers(cas))
	for _, e := range l.entries {
		for _, address := range certs.Addresses(e.Certificate) {
			key := certs.AddressKey(address)
			f.byAddress[key] = append(f.byAddress[key], e)
		}
	}
	return f
}

// identify gives certificates their keys and reports the keys that belong to none.
func (l *loader) identify(f *Folder, issuers certs.Issuers) {
	used := map[string]bool{}
	for _, e := range l.entries {
		id := bundle.KeyID(e.Certificate.PublicKey)
		key, ok := l.keys[id]
		if !ok || id == "" {
			continue
		}
		used[id] = true
		joined := bundle.Identity(e.Certificate, issuers.Chain(e.Certificate), key.private)
		e.identity, e.Signs = &joined, joined.Key != nil
		if r, err := x509x.RestrictionOf(e.Certificate); err == nil && !r.PSSOnly { // RFC 4055, 1.2: such a key only signs
			f.identities = append(f.identities, joined)
		}
	}
	for id, key := range l.keys {
		if !used[id] {
			l.report[key.file].Problem("a private key has no certificate in this folder and cannot be used; add its certificate")
		}
	}
}

// usefulness judges each certificate of a user and reports those that cannot be used, and why.
func (l *loader) usefulness(f *Folder) {
	for _, e := range l.entries {
		if e.identity == nil && e.Certificate.IsCA {
			continue
		}
		r := f.picker.Verdict(context.Background(), &e.Candidate, certs.Encrypt, l.options.Now)
		if e.identity != nil && !r.Valid() {
			r = f.picker.Verdict(context.Background(), &e.Candidate, certs.Sign, l.options.Now)
		}
		l.useless(e, r)
	}
}

func (l *loader) useless(e *entry, r certs.Result) {
	file := &l.report[e.file]
	if r.Valid() {
		if e.identity != nil && len(certs.Addresses(e.Certificate)) == 0 {
			file.Note("the certificate of %s bears no mail address; its key can only decrypt", safetext.Line(x509x.Name(e.Certificate.RawSubject), 80))
		}
		return
	}
	for _, reason := range r.Reasons {
		switch r.Status {
		case certs.StatusExpired, certs.StatusPurpose, certs.StatusTime:
			file.Note("%s", reason)
		default:
			file.Problem("%s", reason)
		}
	}
	if e.identity != nil {
		file.Note("it is not used to sign; its key is kept to decrypt")
	}
}
