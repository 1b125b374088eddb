package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A full disk refuses mail with 452 4.3.1, keeps what it took, lets it go, and then takes mail again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=40m,mode=0700"); err != nil {
		if os.Getenv("CI") == "" || os.Geteuid() != 0 {
			t.Skipf("a small disk needs root: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	w := newWorld(t, filepath.Join(dir, "state"), "1s")
	accepted := map[string]bool{}
	c, err := w.dial()
	if err != nil {
		t.Fatal(err)
	}
	fill := func(size int) {
		t.Helper()
		for i := 0; ; i++ {
			subject := fmt.Sprintf("%d-%d", size, i)
			_, err := c.send(subject, size)
			if err == nil {
				accepted[subject] = true
				continue
			}
			if codeOf(err) != 452 || !strings.Contains(err.Error(), "4.3.1") {
				t.Fatalf("refused with %v after %d messages", err, len(accepted))
			}
			return
		}
	}
	fill(1 << 20)
	fill(2000)
	t.Logf("%d messages before the disk was full", len(accepted))
	w.listen()
	w.wantArrived(accepted)
	for i := range 10 {
		subject := fmt.Sprintf("again-%d", i)
		if _, err := c.send(subject, 1<<20); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		accepted[subject] = true
	}
	w.wantArrived(accepted)
}
