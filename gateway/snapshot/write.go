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
	"slices"
	"strings"
	"syscall"

	"filippo.io/age"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// Options of Write.
type Options struct {
	About                        // Format is filled in
	Files      []string          // files and folders of the configuration, with absolute paths
	Key        atrest.Key        // the at-rest key
	Recipients []age.Recipient   // who can read the archive
	Progress   func(name string) // is told of each part; nil: nobody
}

// Write writes an archive. A gateway may run meanwhile; of each store the archive has the state of one instant, and of the queue rows and
// contents that agree. A folder in the state folder is used on the way, and removed. Where root calls it all is read as the user of the
// gateway ([AsOwner]); w is open before.
func Write(ctx context.Context, w io.Writer, o Options) (sum Summary, err error) {
	err = AsOwner(o.State, func() error {
		sum, err = write(ctx, w, o)
		return err
	})
	return sum, err
}

func write(ctx context.Context, w io.Writer, o Options) (sum Summary, err error) {
	staged, release, err := stage(ctx, o)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, release()) }()
	info, err := os.Stat(o.State)
	if err != nil {
		return sum, fmt.Errorf("snapshot: %w", err)
	}
	o.User, o.Group = owner(info)
	o.Format, o.Faults = format, staged.faults
	sealed, err := age.Encrypt(w, o.Recipients...)
	if err != nil {
		return sum, fmt.Errorf("snapshot: %w", err)
	}
	a := archive{ctx: ctx, tar: tar.NewWriter(sealed), o: o}
	err = a.text(aboutName, o.About)
	if err == nil {
		err = a.configuration()
	}
	if err == nil {
		err = a.tree(staged.dir, statePrefix)
	}
	if err == nil {
		err = a.text(manifestName, a.members)
	}
	if err := errors.Join(err, a.tar.Close(), sealed.Close()); err != nil {
		return sum, fmt.Errorf("snapshot: %w", err)
	}
	sum = Summary{About: o.About, KeyID: KeyID(o.Key), Files: a.count, Bytes: a.bytes, Notes: append(staged.notes, a.notes...)}
	return sum, nil
}

// archive is one that is being written.
type archive struct {
	ctx     context.Context
	tar     *tar.Writer
	o       Options
	members []member
	bytes   int64
	count   int // of files
	notes   []string
}

// text adds a text of ours.
func (a *archive) text(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = a.tar.Write(data)
	return err
}

// configuration adds the files of the configuration, each once. One that the configuration names and that is not there is noted.
func (a *archive) configuration() error {
	seen := map[string]bool{}
	for _, root := range append([]string{a.o.Config}, a.o.Files...) {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				a.notes = append(a.notes, path+" is named in the configuration and is not there")
				return nil
			case err != nil:
				return err
			case d.IsDir() && within(path, a.o.State):
				return fs.SkipDir
			case seen[path]:
				return nil
			}
			seen[path] = true
			if d.IsDir() {
				return a.folder(path, filesPrefix+strings.TrimPrefix(filepath.ToSlash(path), "/"))
			}
			return a.file(path, filesPrefix+strings.TrimPrefix(filepath.ToSlash(path), "/"))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// within reports whether path lies in dir, or is it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// tree adds the files below dir.
func (a *archive) tree(dir, prefix string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return a.file(path, prefix+filepath.ToSlash(rel))
	})
}

// file adds a file, through a link where it is one; what is neither is noted.
func (a *archive) file(path, name string) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	f, err := openRegular(path, 0)
	if errors.Is(err, errNotRegular) || errors.Is(err, fs.ErrNotExist) {
		a.notes = append(a.notes, path+" is no file and was left out")
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; let the user of the gateway read it: the backup is made as that user", err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m := member{Name: name, Size: info.Size(), Mode: info.Mode().Perm()}
	m.User, m.Group = owner(info)
	if strings.HasPrefix(name, statePrefix) { // copies are ours; the state belongs to whoever runs the gateway
		m.User, m.Group = a.o.User, a.o.Group
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: int64(m.Mode), Size: m.Size, Typeflag: tar.TypeReg, Format: tar.FormatPAX}); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a.tar, hash), f, m.Size); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m.Sum = fmt.Sprintf("%x", hash.Sum(nil))
	if a.members = append(a.members, m); len(a.members) > maxMembers {
		return fmt.Errorf("the gateway has more than %d files, which could not be restored; look at what fills %s", maxMembers, a.o.State)
	}
	a.bytes, a.count = a.bytes+m.Size, a.count+1
	if a.o.Progress != nil {
		a.o.Progress(name)
	}
	return nil
}

// folder adds a folder of the configuration, which may be empty.
func (a *archive) folder(path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	m := member{Name: name, Mode: fs.ModeDir | info.Mode().Perm()}
	m.User, m.Group = owner(info)
	a.members = append(a.members, m)
	return a.tar.WriteHeader(&tar.Header{Name: name + "/", Mode: int64(info.Mode().Perm()), Typeflag: tar.TypeDir, Format: tar.FormatPAX})
}

// owner is the user and group that a file belongs to; -1 where the system does not tell.
func owner(info fs.FileInfo) (user, group int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a file, and waits for no writer of a pipe. More is syscall.O_NOFOLLOW where a link is not followed.
func openRegular(path string, more int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|more, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, errNotRegular)
	}
	return f, nil
}

// skipped reports whether something directly in the state folder, or a file below it, is no part of the state: scratch, locks, and what the
// databases have beside them.
func skipped(rel string) bool {
	base := filepath.Base(rel)
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return first == "spool" || strings.HasPrefix(first, ".") || base == "lock" || base == "spare" || strings.HasSuffix(base, ".lock") || strings.Contains(rel, beforeRestore) ||
		slices.ContainsFunc([]string{"-wal", "-shm", "-journal", ".new"}, func(end string) bool { return strings.HasSuffix(base, end) })
}
