package proof

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/atrest"
)

const (
	inline  = 32 << 10 // bytes of a content that lies in the database; what is larger has a file
	fresh   = ".new"   // at the end of the name of a file whose row may not be committed
	maxBlob = 32 << 20 // of a certificate, or an answer about one
)

// measure is what is known of a content.
type measure struct {
	Size   int64
	SHA256 []byte
	CRC32  uint32
	Bodies map[string][]byte `json:",omitempty"` // see Record
}

// hashNames are the names of the hashes of bodies.
func hashNames() map[crypto.Hash]string {
	return map[crypto.Hash]string{crypto.SHA256: "sha256", crypto.SHA384: "sha384", crypto.SHA512: "sha512"}
}

// measured reads a content. The digests of its body are taken where that is asked for.
func measured(ctx context.Context, c mail.Content, bodies bool) (m measure, err error) {
	if c == nil {
		return m, fmt.Errorf("%w: it has no content", ErrInvalid)
	}
	r, err := c.Open()
	if err != nil {
		return m, fmt.Errorf("proof: content: %w", err)
	}
	defer r.Close()
	sum, crc, count := sha256.New(), crc32.NewIEEE(), new(counter)
	all := io.TeeReader(contextReader{ctx, r}, io.MultiWriter(sum, crc, count))
	if bodies {
		err = m.digest(all)
	} else {
		_, err = io.Copy(io.Discard, all)
	}
	if err != nil {
		return measure{}, fmt.Errorf("proof: content: %w", err)
	}
	if int64(*count) != c.Size() {
		return measure{}, fmt.Errorf("%w: its content is not as long as it says", ErrInvalid)
	}
	m.Size, m.SHA256, m.CRC32 = c.Size(), sum.Sum(nil), crc.Sum32()
	return m, nil
}

// digest takes the digests of a body behind its header.
func (m *measure) digest(message io.Reader) error {
	r := bufio.NewReader(message)
	if _, err := demail.ReadHeader(r); err != nil {
		return err
	}
	sums, err := demail.BodyDigests(r)
	if err != nil {
		return err
	}
	m.Bodies = make(map[string][]byte, len(sums))
	for h, sum := range sums {
		m.Bodies[hashNames()[h]] = sum
	}
	return nil
}

type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// stored is a content that is ready for its row: small and sealed, or in a file that is on stable storage.
type stored struct {
	name string
	size int64
	body []byte // nil: there is a file
}

// known reports whether it is a shared one that has a row already.
func (c stored) known() bool { return c.size < 0 }

// store makes a content ready under a new name.
func (s *Store) store(ctx context.Context, c mail.Content) (stored, error) {
	var random [16]byte
	rand.Read(random[:])
	return s.storeAs(ctx, c, hex.EncodeToString(random[:]))
}

func (s *Store) storeAs(ctx context.Context, c mail.Content, name string) (stored, error) {
	r, err := c.Open()
	if err != nil {
		return stored{}, fmt.Errorf("proof: content: %w", err)
	}
	defer r.Close()
	out := stored{name: name, size: c.Size()}
	if out.size > inline {
		return out, s.writeFile(ctx, r, out)
	}
	plain := make([]byte, out.size)
	if _, err := io.ReadFull(r, plain); err != nil {
		return stored{}, fmt.Errorf("proof: content: %w", err)
	}
	out.body, err = s.key.Seal(plain, contentPlace(name))
	return out, err
}

// writeFile encrypts a content into a new file, and syncs it and its name. Where it fails there is none.
func (s *Store) writeFile(ctx context.Context, r io.Reader, of stored) error {
	path := filepath.Join(s.contentDir(), of.name+fresh)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fileError(err)
	}
	if err := errors.Join(s.encryptTo(ctx, f, r, of), f.Close(), syncDir(s.contentDir())); err != nil {
		os.Remove(path)
		return fileError(err)
	}
	return nil
}

func (s *Store) encryptTo(ctx context.Context, f *os.File, r io.Reader, of stored) error {
	w, err := s.key.Writer(f, contentPlace(of.name))
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, contextReader{ctx, r}, make([]byte, 32<<10))
	if err != nil {
		return err
	}
	if n != of.size {
		return fmt.Errorf("%w: its content is not as long as it says", ErrInvalid)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Sync()
}

// fileError names a full disk.
func fileError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (%v)", ErrFull, err)
	}
	return fmt.Errorf("proof: content: %w", err)
}

// insert writes the row of a content.
func (c stored) insert(ctx context.Context, tx *sql.Tx) error {
	if c.known() {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO content (name, size, body) VALUES (?, ?, ?)`, c.name, c.size, c.body); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	return nil
}

// keep gives files the names that last, after their rows were committed. What fails is made up for at the next start.
func (s *Store) keep(all ...stored) {
	for _, c := range all {
		if c.body != nil || c.known() {
			continue
		}
		path := filepath.Join(s.contentDir(), c.name)
		if err := os.Rename(path+fresh, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.o.Log.WithError(err).Warn("proof: a content file keeps the name of a new one")
		}
	}
}

// discard removes files that got no row. Where that is not known they stay, and the next start decides.
func (s *Store) discard(err error, all ...stored) {
	if errors.As(err, new(commitError)) {
		return
	}
	for _, c := range all {
		if c.body == nil && !c.known() {
			os.Remove(filepath.Join(s.contentDir(), c.name+fresh)) // the next start does, where this fails
		}
	}
}

// openContent reads a content; the caller closes the reader. A Read that finds it altered is ErrDamaged, and so is the end where it is not as long as it was.
func (s *Store) openContent(ctx context.Context, tx *sql.Tx, name string) (io.ReadCloser, int64, error) {
	var size int64
	var body []byte
	err := tx.QueryRowContext(ctx, `SELECT size, body FROM content WHERE name = ?`, name).Scan(&size, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, fmt.Errorf("%w: a content has no row", ErrDamaged)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("proof: %w", err)
	}
	if body == nil {
		r, err := s.openFile(name, size)
		return r, size, err
	}
	plain, err := s.key.Open(body, contentPlace(name))
	if err != nil || int64(len(plain)) != size {
		return nil, 0, fmt.Errorf("%w: a content was altered", ErrDamaged)
	}
	return io.NopCloser(bytes.NewReader(plain)), size, nil
}

// openMeasured is openContent, and holds what is read against its digest, which stands sealed in another place.
func (s *Store) openMeasured(ctx context.Context, tx *sql.Tx, name string, sum []byte) (io.ReadCloser, error) {
	r, _, err := s.openContent(ctx, tx, name)
	if err != nil {
		return nil, err
	}
	return &summed{ReadCloser: r, hash: sha256.New(), want: sum}, nil
}

// summed is a content that must have a digest.
type summed struct {
	io.ReadCloser
	hash hash.Hash
	want []byte
}

// Read implements io.Reader.
func (r *summed) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && !bytes.Equal(r.hash.Sum(nil), r.want) {
		return 0, fmt.Errorf("%w: a content is another than was kept", ErrDamaged)
	}
	return n, err
}

func (s *Store) openFile(name string, size int64) (io.ReadCloser, error) {
	path := filepath.Join(s.contentDir(), filepath.Base(name))
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(path + fresh)
	}
	if errors.Is(err, fs.ErrNotExist) { // it got its lasting name in between
		f, err = os.Open(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the file of a content is missing", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("proof: content: %w", err)
	}
	plain, err := s.key.Reader(f, contentPlace(name))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &fileContent{Closer: f, plain: plain, left: size}, nil
}

// fileContent reads a content file and finds out where it is not what was stored.
type fileContent struct {
	io.Closer
	plain io.Reader
	left  int64
}

// Read implements io.Reader.
func (c *fileContent) Read(p []byte) (int, error) {
	n, err := c.plain.Read(p)
	c.left -= int64(n)
	if errors.Is(err, atrest.ErrAltered) || c.left < 0 || c.left > 0 && errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%w: a content was altered", ErrDamaged)
	}
	return n, err
}

// attach makes the certificates and answers of a verdict ready as contents that are shared, and notes in it what they are.
func (s *Store) attach(ctx context.Context, v *Verdict) (all []stored, err error) {
	blobs := make([]*Blob, 0, len(v.Certificates)+len(v.Revocation))
	for i := range v.Certificates {
		blobs = append(blobs, &v.Certificates[i])
	}
	for i := range v.Revocation {
		blobs = append(blobs, &v.Revocation[i].Blob)
	}
	seen := map[string]bool{}
	for _, b := range blobs {
		if len(b.DER) == 0 || len(b.DER) > maxBlob {
			return all, fmt.Errorf("%w: a certificate, or an answer about one, is empty or has more than %d bytes", ErrInvalid, maxBlob)
		}
		sum := sha256.Sum256(b.DER)
		b.SHA256, b.Size = sum[:], int64(len(b.DER))
		name := s.blobName(b.SHA256)
		if seen[name] {
			continue
		}
		seen[name] = true
		one, err := s.blob(ctx, name, b.DER)
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// blob makes one ready, unless it is kept already: then it has a name only.
func (s *Store) blob(ctx context.Context, name string, der []byte) (stored, error) {
	there := false
	err := s.reading(ctx, func(tx *sql.Tx) error {
		return wrap(tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM content WHERE name = ?)`, name).Scan(&there))
	})
	if err != nil || there {
		return stored{name: name, size: -1}, err
	}
	return s.storeAs(ctx, inMemory(der), name)
}

// inMemory is a content in memory.
type inMemory []byte

// Open implements mail.Content.
func (b inMemory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }

// Size implements mail.Content.
func (b inMemory) Size() int64 { return int64(len(b)) }
