package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// headName is the file that says how far the log goes, so that a missing end shows.
const headName = "head"

// head is what the file says.
type head struct {
	Seq  uint64 `json:"seq"`
	Last string `json:"last"` // MAC of that entry
}

// writeHead replaces the head; when it returns nil the new one is on stable storage.
func writeHead(dir string, key atrest.Key, p position) error {
	raw, err := json.Marshal(head{Seq: p.seq, Last: p.mac})
	if err != nil {
		return err
	}
	text, _ := sign(key.Derive("head"), raw)
	f, err := os.OpenFile(filepath.Join(dir, headName+".new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, headName)); err != nil {
		return err
	}
	return syncDir(dir)
}

// readHead returns the head, found false where there is none, and an error where it cannot be believed.
func readHead(dir string, key atrest.Key) (h head, found bool, err error) {
	text, err := readSmall(filepath.Join(dir, headName))
	if errors.Is(err, fs.ErrNotExist) {
		return head{}, false, nil
	}
	if err != nil {
		return head{}, false, fmt.Errorf("audit: %w", err)
	}
	h, err = parseHead(key.Derive("head"), bytes.TrimSuffix(text, []byte("\n")))
	return h, true, err
}

var errHead = errors.New("the file head was altered, or written under another at-rest key")

func parseHead(key atrest.Key, text []byte) (h head, err error) {
	raw, mac, ok := split(text)
	if !ok || hex.EncodeToString(key.MAC(raw)) != mac || json.Unmarshal(raw, &h) != nil {
		return head{}, errHead
	}
	return h, nil
}

func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > 4096 {
		return nil, errHead
	}
	return os.ReadFile(path)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
