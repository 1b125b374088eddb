package sqlqueue

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

var errContentSize = errors.New("sqlqueue: the content is not as long as it says")

// sealContent reads content and seals it for the database.
func (s *Store) sealContent(c mail.Content, id mail.ID) (plain, sealed []byte, err error) {
	r, err := c.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("sqlqueue: content: %w", err)
	}
	defer r.Close()
	plain = make([]byte, c.Size()+1)
	n, err := io.ReadFull(r, plain)
	if err == nil || int64(n) != c.Size() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil, nil, errContentSize
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("sqlqueue: content: %w", err)
	}
	plain = plain[:n]
	sealed, err = s.key.Seal(plain, contentPlace(id))
	return plain, sealed, err
}

// writeContent encrypts content into a new file, synced, and returns its name. Where it fails there is no
// file.
func (s *Store) writeContent(ctx context.Context, c mail.Content, id mail.ID) (name string, err error) {
	r, err := c.Open()
	if err != nil {
		return "", fmt.Errorf("sqlqueue: content: %w", err)
	}
	defer r.Close()
	name = s.run + "-" + randomName(8)
	path := filepath.Join(s.content, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fileError(err)
	}
	if err := errors.Join(s.encryptTo(ctx, f, r, c.Size(), id), f.Close()); err != nil {
		os.Remove(path)
		return "", fileError(err)
	}
	return name, nil
}

// encryptTo writes and syncs what r gives, which must be size bytes.
func (s *Store) encryptTo(ctx context.Context, f *os.File, r io.Reader, size int64, id mail.ID) error {
	w, err := s.key.Writer(f, contentPlace(id))
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, contextReader{ctx, r}, make([]byte, 32<<10))
	if err != nil {
		return err
	}
	if n != size {
		return errContentSize
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Sync()
}

// fileError names a full disk.
func fileError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w (%v)", queue.ErrFull, err)
	}
	return fmt.Errorf("sqlqueue: content: %w", err)
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read is io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// discard removes the files of entries that were not put.
func (s *Store) discard(entries []entry) {
	for _, e := range entries {
		s.removeFile(e.file)
	}
}

// removeFile removes the file of a message that is gone. What cannot be removed now is swept at the next
// start.
func (s *Store) removeFile(name string) {
	if name == "" {
		return
	}
	if err := os.Remove(filepath.Join(s.content, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Log.WithError(err).Warn("queue: a content file of a message that is gone stays")
	}
}

// Open is queue.Store's.
func (s *Store) Open(ctx context.Context, id mail.ID) (io.ReadCloser, error) {
	if plain, known := s.recent.content(id); known && !s.writer.closed() {
		return io.NopCloser(bytes.NewReader(plain)), nil
	}
	var r io.ReadCloser
	err := s.reading(func(db *database) (err error) {
		r, err = s.openIn(ctx, db, id)
		return err
	})
	return r, err
}

func (s *Store) openIn(ctx context.Context, db *database, id mail.ID) (io.ReadCloser, error) {
	var size int64
	var file sql.NullString
	var body []byte
	err := db.r.content.QueryRowContext(ctx, string(id)).Scan(&size, &file, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, queue.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: open %s: %w", id, err)
	}
	if file.Valid {
		return s.openFile(ctx, db, id, file.String, size)
	}
	plain, err := s.key.Open(body, contentPlace(id))
	if err != nil || int64(len(plain)) != size {
		return nil, fmt.Errorf("open %s: %w", id, queue.ErrDamaged)
	}
	return io.NopCloser(bytes.NewReader(plain)), nil
}

func (s *Store) openFile(ctx context.Context, db *database, id mail.ID, name string, size int64) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(s.content, filepath.Base(name)))
	if errors.Is(err, fs.ErrNotExist) {
		var there bool // it may have been settled meanwhile
		if err := db.r.file.QueryRowContext(ctx, name).Scan(&there); err == nil && !there {
			return nil, queue.ErrNotFound
		}
		return nil, fmt.Errorf("open %s: %w: its file is missing", id, queue.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlqueue: open %s: %w", id, err)
	}
	plain, err := s.key.Reader(f, contentPlace(id))
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

// Read is io.Reader.
func (c *fileContent) Read(p []byte) (int, error) {
	n, err := c.plain.Read(p)
	c.left -= int64(n)
	if errors.Is(err, atrest.ErrAltered) || c.left < 0 || c.left > 0 && errors.Is(err, io.EOF) {
		return 0, queue.ErrDamaged
	}
	return n, err
}

// sweep removes the files of former runs that no message refers to: left by a process that was killed
// between writing a file and committing its row, or between deleting a row and its file.
func (s *Store) sweep(ctx context.Context) {
	dir, err := os.Open(s.content)
	if err != nil {
		s.o.Log.WithError(err).Warn("queue: sweep")
		return
	}
	defer dir.Close()
	for ctx.Err() == nil {
		list, err := dir.ReadDir(256)
		for _, e := range list {
			if ctx.Err() == nil && !strings.HasPrefix(e.Name(), s.run+"-") {
				s.sweepFile(ctx, e.Name())
			}
		}
		if err != nil {
			return // io.EOF
		}
	}
}

func (s *Store) sweepFile(ctx context.Context, name string) {
	var there bool
	err := s.reading(func(db *database) error { return db.r.file.QueryRowContext(ctx, name).Scan(&there) })
	if err == nil && !there {
		s.removeFile(name)
	}
}

// randomName is size random bytes in hexadecimal.
func randomName(size int) string {
	b := make([]byte, size)
	rand.Read(b)
	return hex.EncodeToString(b)
}
