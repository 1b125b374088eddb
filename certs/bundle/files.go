package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/siegel-mail/siegel/internal/secret"
)

// The bounds of a folder. What is over them is reported, not read.
const (
	maxFileSize     = 16 << 20
	maxPasswordSize = 4 << 10
	maxFiles        = 200_000
	maxDepth        = 8
)

// Files lists the files of a folder and of the folders in it. Names that begin with a dot are left out, and folders that are symbolic links, so
// that the walk ends.
func Files(dir string) ([]string, error) {
	var all []string
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		items, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, item := range items {
			path := filepath.Join(dir, item.Name())
			switch {
			case strings.HasPrefix(item.Name(), "."):
			case item.IsDir() && depth == maxDepth:
				return fmt.Errorf("folders lie more than %d deep; move %s up", maxDepth, path)
			case item.IsDir():
				if err := walk(path, depth+1); err != nil {
					return err
				}
			case len(all) == maxFiles:
				return fmt.Errorf("more than %d files", maxFiles)
			default:
				all = append(all, path)
			}
		}
		return nil
	}
	err := walk(dir, 1)
	return all, err
}

var errTooLarge = errors.New("the file is too large")

// readBounded reads a regular file. It is looked at once it is open: another one may take its place before.
func readBounded(path string, limit int64) ([]byte, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe waits for no writer
	if err != nil {
		return nil, 0, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, 0, reason(err)
	}
	if int64(len(data)) > limit {
		return nil, 0, errTooLarge
	}
	return data, info.Mode(), nil
}

// reason is err without the path, which the report names.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// PasswordSuffix ends the name of the file with the password of another one.
const PasswordSuffix = ".password"

// passwords returns what to try on a PKCS#12 file: the text of NAME.password where there is one, else the
// passwords given, and none.
func passwords(path string, given []secret.String, r *FileReport) []secret.String {
	var data []byte
	var mode fs.FileMode
	err := fs.ErrNotExist
	if path != "" {
		data, mode, err = readBounded(path+PasswordSuffix, maxPasswordSize)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return append(given[:len(given):len(given)], secret.New(""))
	}
	if err != nil {
		r.Problem("its password file cannot be read: %v", err)
		return nil
	}
	if mode.Perm()&0o004 != 0 {
		r.Problem("everybody on this machine can read its password file; restrict it: chmod 600")
	}
	return []secret.String{secret.New(strings.TrimRight(string(data), "\r\n"))}
}
