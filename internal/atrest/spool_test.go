package atrest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/internal/atrest"
)

func spool(t *testing.T, memory int) (*atrest.Spool, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := atrest.NewSpool(dir, atrest.NewKey(), memory)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// openFiles holds what the process has open below dir, also without a name: Linux lists it.
func openFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && filepath.Dir(target) == dir {
			paths = append(paths, fd)
		}
	}
	return paths
}

func TestBuffer(t *testing.T) {
	s, _ := spool(t, 1000)
	for _, size := range []int{0, 1, 999, 1000, 1001, 5000, 300000} {
		plain := random(size)
		b := s.Create()
		for chunk := plain; len(chunk) > 0; {
			n, err := b.Write(chunk[:min(700, len(chunk))])
			if err != nil {
				t.Fatal(err)
			}
			chunk = chunk[n:]
		}
		if b.Size() != int64(size) {
			t.Errorf("size %d, want %d", b.Size(), size)
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() { readBack(t, b, plain) })
		}
		wait.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func readBack(t *testing.T, b *atrest.Buffer, want []byte) {
	r, err := b.Open()
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
}

func TestBufferOverflowIsEncryptedAndNameless(t *testing.T) {
	s, dir := spool(t, 100)
	plain := bytes.Repeat([]byte("Geheimnis und mehr davon "), 10000)
	b := s.Create()
	if _, err := b.Write(plain); err != nil {
		t.Fatal(err)
	}
	r, err := b.Open()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	open := openFiles(t, dir)
	if files(t, dir) != 0 || len(open) != 1 {
		t.Fatalf("%d names in the directory and %d files open, want 0 and 1", files(t, dir), len(open))
	}
	info, err := os.Stat(open[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	rest, err := os.ReadFile(open[0])
	if err != nil || len(rest) < len(plain) || bytes.Contains(rest, []byte("Geheimnis")) {
		t.Errorf("%d bytes rest, in clear: %v, %v", len(rest), bytes.Contains(rest, []byte("Geheimnis")), err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if open := openFiles(t, dir); len(open) != 0 {
		t.Errorf("still open after Close: %v", open)
	}
}

// Beyond what each buffer keeps in memory, all of them share some more, and give it back.
func TestBufferShared(t *testing.T) {
	const each, most, shared = 1000, 300 << 10, 512 << 10
	dir := filepath.Join(t.TempDir(), "spool")
	s, err := atrest.NewSpool(dir, atrest.NewKey(), each)
	if err != nil {
		t.Fatal(err)
	}
	s.Share(most, shared)
	fill := func(size int) (*atrest.Buffer, []byte) {
		plain, b := random(size), s.Create()
		for chunk := plain; len(chunk) > 0; {
			n, err := b.Write(chunk[:min(30_000, len(chunk))])
			if err != nil {
				t.Fatal(err)
			}
			chunk = chunk[n:]
		}
		return b, plain
	}
	inFiles := func(want int, what string) {
		t.Helper()
		if open := openFiles(t, dir); len(open) != want {
			t.Errorf("%s: %d files, want %d", what, len(open), want)
		}
	}
	first, plain := fill(250 << 10)
	inFiles(0, "room for one")
	second, other := fill(200 << 10)
	inFiles(0, "room for two")
	third, more := fill(100 << 10)
	inFiles(1, "no room for a third")
	readBack(t, first, plain)
	readBack(t, second, other)
	readBack(t, third, more)
	first.Close()
	first.Close()
	fourth, fresh := fill(200 << 10)
	inFiles(1, "the room of the first")
	readBack(t, fourth, fresh)
	readBack(t, second, other)
	fifth, large := fill(400 << 10)
	inFiles(2, "more than one may have")
	readBack(t, fifth, large)
	for _, b := range []*atrest.Buffer{second, third, fourth, fifth} {
		b.Close()
	}
	last, all := fill(290 << 10)
	defer last.Close()
	inFiles(0, "all given back")
	readBack(t, last, all)
}

func TestBufferOrder(t *testing.T) {
	s, _ := spool(t, 100)
	for _, size := range []int{10, 1000} {
		b := s.Create()
		if _, err := b.Write(random(size)); err != nil {
			t.Fatal(err)
		}
		r, err := b.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write([]byte("x")); err == nil {
			t.Error("a write after Open is taken")
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if _, err := b.Open(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Open after Close: %v", err)
		}
		if _, err := b.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		if _, err := io.ReadAll(r); size > 100 && !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a reader outlives the buffer: %v", err)
		}
	}
}

func TestSpoolSweeps(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"spool-1234", "spool-x", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("left over"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "spool-dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := atrest.NewSpool(dir, atrest.NewKey(), 0); err != nil {
		t.Fatal(err)
	}
	if n := files(t, dir); n != 2 {
		t.Errorf("%d entries left, want the file and the directory that are not the spool's", n)
	}
}

func TestSpoolTrouble(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := atrest.NewSpool(file, atrest.NewKey(), 0); err == nil {
		t.Error("a spool in a file")
	}
	s, dir := spool(t, 10)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	b := s.Create()
	if _, err := b.Write(random(100)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("write without a directory: %v", err)
	}
	if _, err := b.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open after a failed write: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func ExampleSpool() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := atrest.NewSpool(dir, atrest.NewKey(), 1024)
	if err != nil {
		panic(err)
	}
	b := s.Create()
	defer b.Close()
	fmt.Fprintf(b, "%4096d", 1) // more than the spool keeps in memory: goes to an encrypted file
	r, err := b.Open()
	if err != nil {
		panic(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	fmt.Println(n, b.Size(), err)
	// Output: 4096 4096 <nil>
}
