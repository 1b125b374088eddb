package snapshot

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/track/audit"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/sqldb"
)

// Opened is an archive that was read and checked, unpacked in a folder.
type Opened struct {
	Summary
	dir     string
	members []member
}

// Open reads an archive into the folder dir, which must be empty, and checks all of it: that it is whole, that every file is as it
// was, that the databases are sound and were written under the key, and that each message has its content. Errors: ErrDamaged,
// sqlqueue.ErrWrongKey, proof.ErrWrongKey, sqldb.ErrUnsound, and that of age for the wrong passphrase or key.
func Open(ctx context.Context, r io.Reader, dir string, identities ...age.Identity) (*Opened, error) {
	plain, err := age.Decrypt(during{ctx, r}, identities...)
	if err != nil {
		return nil, err
	}
	u := unpacking{ctx: ctx, tar: tar.NewReader(plain), dir: dir, found: map[string]member{}}
	if err := u.all(); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil { // the end is authenticated as well
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	o := &Opened{Summary: Summary{About: u.about}, dir: dir, members: u.manifest}
	if err := o.compare(u.found); err != nil {
		return nil, err
	}
	return o, o.check(ctx)
}

// during is a reader that ends with its context.
type during struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (d during) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.r.Read(p)
}

// unpacking is an archive that is being read.
type unpacking struct {
	ctx      context.Context
	tar      *tar.Reader
	dir      string
	about    About
	manifest []member
	found    map[string]member
}

// all reads about.json, the files, and manifest.json, and nothing else in no other order.
func (u *unpacking) all() error {
	if err := u.text(aboutName, maxAbout, &u.about); err != nil {
		return err
	}
	if u.about.Format != format {
		return fmt.Errorf("the file was written by Siegel %s in a format this program does not know; restore it with that version, or a newer one", u.about.Version)
	}
	if !filepath.IsAbs(u.about.Config) || !filepath.IsAbs(u.about.State) {
		return fmt.Errorf("%w: it does not say the whole path of the configuration file, or of the state folder", ErrDamaged)
	}
	for {
		h, err := u.tar.Next()
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		case u.ctx.Err() != nil:
			return u.ctx.Err()
		case h.Name == manifestName:
			if err := u.members(h); err != nil {
				return err
			}
			if _, err := u.tar.Next(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("%w: something follows its end", ErrDamaged)
			}
			return nil
		}
		if err := u.file(h); err != nil {
			return err
		}
	}
}

// members reads the manifest, which has a line for each file that was found, and is no longer than such lines are.
func (u *unpacking) members(h *tar.Header) error {
	most := int64(maxMember)
	for name := range u.found {
		most += maxMember + 6*int64(len(name)) // a letter as \u0000
	}
	if h.Size > most {
		return fmt.Errorf("%w: %s is too large", ErrDamaged, h.Name)
	}
	lines := json.NewDecoder(u.tar)
	open, err := lines.Token()
	if err != nil || open != json.Delim('[') {
		return fmt.Errorf("%w: %s is no list", ErrDamaged, h.Name)
	}
	for lines.More() {
		var m member
		if err := lines.Decode(&m); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, h.Name, err)
		}
		if u.manifest = append(u.manifest, m); len(u.manifest) > len(u.found) {
			return fmt.Errorf("%w: %s has more files than there are", ErrDamaged, h.Name)
		}
	}
	if _, err := lines.Token(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, h.Name, err)
	}
	return nil
}

func (u *unpacking) text(name string, most int64, v any) error {
	h, err := u.tar.Next()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if h.Name != name {
		return fmt.Errorf("%w: it does not begin with %s", ErrDamaged, name)
	}
	return u.decode(h, most, v)
}

func (u *unpacking) decode(h *tar.Header, most int64, v any) error {
	if h.Size > most {
		return fmt.Errorf("%w: %s is too large", ErrDamaged, h.Name)
	}
	if err := json.NewDecoder(u.tar).Decode(v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, h.Name, err)
	}
	return nil
}

// file unpacks one file, or notes a folder.
func (u *unpacking) file(h *tar.Header) error {
	name := strings.TrimSuffix(h.Name, "/")
	ours := strings.HasPrefix(name, filesPrefix) || strings.HasPrefix(name, statePrefix)
	kind := h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeDir
	if _, twice := u.found[name]; twice || !ours || !kind || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%w: it holds %q", ErrDamaged, name)
	}
	if len(u.found) == maxMembers || len(name) > maxName || sparse(h) {
		return fmt.Errorf("%w: it holds more than a gateway has", ErrDamaged)
	}
	path := filepath.Join(u.dir, filepath.FromSlash(name))
	if h.Typeflag == tar.TypeDir {
		u.found[name] = member{Name: name, Mode: fs.ModeDir | fs.FileMode(h.Mode).Perm()}
		return os.MkdirAll(path, 0o700)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), u.tar)
	var disk *fs.PathError
	if err != nil && !errors.As(err, &disk) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	u.found[name] = member{Name: name, Size: n, Mode: fs.FileMode(h.Mode).Perm(), Sum: fmt.Sprintf("%x", hash.Sum(nil))}
	return nil
}

// sparse reports whether a file has holes that take no room in the archive: a small one could fill the disk.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// compare holds what was found against the manifest.
func (o *Opened) compare(found map[string]member) error {
	if len(found) != len(o.members) {
		return fmt.Errorf("%w: it holds %d files of %d", ErrDamaged, len(found), len(o.members))
	}
	for _, m := range o.members {
		have, ok := found[m.Name]
		if !ok || have.Size != m.Size || have.Sum != m.Sum || have.Mode != m.Mode {
			return fmt.Errorf("%w: %q is not as it was", ErrDamaged, m.Name)
		}
		delete(found, m.Name) // each once
		if !m.Mode.IsDir() {
			o.Files++
			o.Bytes += m.Size
		}
	}
	return nil
}

// check looks into the databases and the audit log.
func (o *Opened) check(ctx context.Context) error {
	key, err := atrest.ParseKey(o.Key)
	if err != nil {
		return fmt.Errorf("%w: its at-rest key: %w", ErrDamaged, err)
	}
	o.KeyID = KeyID(key)
	state := filepath.Join(o.dir, statePrefix)
	if err := sqlqueue.CheckCopy(ctx, filepath.Join(state, queueName), key); err != nil {
		return err
	}
	for _, m := range o.members {
		if !strings.HasPrefix(m.Name, statePrefix) || !strings.HasSuffix(m.Name, ".db") {
			continue
		}
		if err := checkDatabase(ctx, filepath.Join(o.dir, filepath.FromSlash(m.Name))); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if err := proof.CheckCopy(ctx, filepath.Join(state, demailName), key); err != nil {
		return err
	}
	if err := checkCertificates(ctx, filepath.Join(state, certsName), key); err != nil {
		return err
	}
	log := filepath.Join(state, auditName)
	if _, err := os.Stat(log); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r, err := audit.Verify(log, key, audit.Expect{})
	if err == nil && r.Faults > o.Faults {
		err = fmt.Errorf("%w: the audit log is not as it was: %s", ErrDamaged, r.Problems[0])
	}
	return err
}

func checkDatabase(ctx context.Context, path string) error {
	db, err := sqldb.Open(path, sqldb.Options{})
	if err != nil {
		return err
	}
	return errors.Join(sqldb.QuickCheck(ctx, db), sqldb.Checkpoint(db), db.Close())
}

// certsName is the folder of the certificate store.
const certsName = "certs"

// checkCertificates opens the certificate store: that proves the key, and that this program can read it.
func checkCertificates(ctx context.Context, dir string, key atrest.Key) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := store.Open(ctx, store.Options{Dir: dir, Key: key})
	if err != nil {
		return err
	}
	return errors.Join(s.Check(), s.Close())
}
