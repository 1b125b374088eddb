package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Whatever lies where a file was, and takes its place while it is read: nothing waits, and nothing but a file is read.
func TestReadBounded(t *testing.T) {
	dir := t.TempDir()
	file, pipe, path := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "path")
	if err := os.WriteFile(file, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{pipe: "not a regular file", dir: "not a regular file", "/dev/null": "not a regular file", path: "no such file"} {
		if _, _, err := readBounded(name, 10); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data, mode, err := readBounded(file, 4); string(data) != "text" || mode.Perm() != 0o640 || err != nil {
		t.Errorf("%q, %v, %v", data, mode, err)
	}
	if _, _, err := readBounded(file, 3); err != errTooLarge {
		t.Errorf("a long one: %v", err)
	}
	place := func(from string) error {
		if err := os.Link(from, path+"~"); err != nil {
			return err
		}
		return os.Rename(path+"~", path)
	}
	if err := place(file); err != nil {
		t.Fatal(err)
	}
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for range 2000 {
			for _, from := range []string{pipe, file} {
				if err := place(from); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 2000 {
		if data, _, err := readBounded(path, 10); err == nil && string(data) != "text" {
			t.Errorf("%q is read", data)
		}
	}
	swaps.Wait()
}
