package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The names of the file with the at-rest key: the second one where there is another file of the first.
const (
	keyName      = "at-rest.key"
	otherKeyName = "at-rest.restored.key"
)

// KeepKey writes the at-rest key into a file of the folder, for the owner of the state folder alone, and returns its path. A file that is
// there already is not touched; it is taken where it holds the key and nobody else can read it.
func (o *Opened) KeepKey(dir, state string) (path string, err error) {
	for _, name := range []string{keyName, otherKeyName} {
		path = filepath.Join(dir, name)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			if o.keptIn(path) {
				return path, nil
			}
			continue
		}
		if err != nil {
			return "", fmt.Errorf("snapshot: the at-rest key: %w", err)
		}
		_, err = f.WriteString(o.Key + "\n")
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return "", fmt.Errorf("snapshot: the at-rest key: %w", err)
		}
		return path, Own(state, path)
	}
	return "", fmt.Errorf("snapshot: everything is in its place but the at-rest key: %s and %s are there already; move one away and restore once more with --replace", filepath.Join(dir, keyName), path)
}

// keptIn reports whether a file holds the key, and nobody else can read it.
func (o *Opened) keptIn(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() != int64(len(o.Key)+1) {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && string(text) == o.Key+"\n"
}
