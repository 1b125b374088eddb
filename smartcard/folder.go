package smartcard

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// onDisk is a folder of the system.
type onDisk string

// Read implements folder.
func (d onDisk) Read(name string, limit int) ([]byte, error) {
	f, err := os.Open(filepath.Join(string(d), name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(b) > limit {
		err = fmt.Errorf("%w (it is longer than %d octets)", ErrMemoryDamaged, limit)
	}
	return b, err
}

// Create implements folder. The file belongs to whom the folder belongs: a command that root runs beside the gateway must not take it away.
func (d onDisk) Create(name string) (file, error) {
	path := filepath.Join(string(d), name)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := giveTo(f, string(d)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Rename implements folder.
func (d onDisk) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}
