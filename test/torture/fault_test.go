package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/test/stand"
)

// TestFailingDisk lets syncs and writes of the gateway fail while mail flows, as a dying disk would, and then
// be sound again, and kills it at last. Meanwhile clients are put off with 451 or 452, nobody is refused for
// good, and what was answered with 250 comes. What was put off may come all the same: a sync that failed says
// nothing about what is on the disk.
func TestFailingDisk(t *testing.T) {
	for name, c := range map[string]struct {
		calls, fault, reply string
		paths               []string // where the calls fail; everywhere where there are none
	}{
		"sync":  {"fsync,fdatasync", "EIO", "451", nil},
		"write": {"pwrite64", "EIO", "451", []string{"queue.db", "queue.db-wal"}},
		"full":  {"pwrite64", "ENOSPC", "452", []string{"queue.db", "queue.db-wal"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.launch()
			if err := g.Listening(within(t, patience, "listening")); err != nil {
				t.Fatal(err)
			}
			stop := w.pour()
			args := []string{"-e", "inject=" + c.calls + ":error=" + c.fault}
			for _, path := range c.paths {
				args = append(args, "-P", filepath.Join(w.dir, "state", "queue", path))
			}
			for range rounds(t, 2) {
				w.accept(t.Context(), w.dice.below(40))
				w.putOff(g, c.reply, func() (end func()) { return w.strace(g, c.calls, args...) })
			}
			w.accept(t.Context(), w.dice.below(40))
			g.Kill()
			w.end(stop, unanswered, deferred)
		})
	}
}

// putOff begins a fault, waits until a few clients were put off with a reply, and ends it; then a client must
// be accepted again.
func (w *world) putOff(g *stand.Gateway, reply string, begin func() (end func())) {
	w.t.Helper()
	ctx := within(w.t, patience, "a client that is put off with "+reply)
	n := 3
	end := begin()
	err := w.book.until(ctx, func() bool { return w.book.putOff[reply] >= n }, func() { n += w.book.putOff[reply] })
	end()
	if err != nil {
		w.t.Fatalf("%v; there were %v\nthe log of the gateway:\n%s", err, w.book.putOff, tail(g.Log()))
	}
	ctx = within(w.t, patience, "a client that is accepted after a fault")
	if err := w.book.until(ctx, func() bool { return w.book.accepted >= n }, func() { n = w.book.accepted + 5 }); err != nil {
		w.t.Fatalf("%v\nthe log of the gateway:\n%s", err, tail(g.Log()))
	}
}

// strace makes system calls of the gateway fail until end is called.
func (w *world) strace(g *stand.Gateway, calls string, args ...string) (end func()) {
	w.t.Helper()
	var said stand.Log
	cmd := exec.Command("strace", append([]string{"-f", "-o", "/dev/null", "-e", "trace=" + calls, "-p", strconv.Itoa(g.PID())}, args...)...)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return func() {
		cmd.Process.Signal(syscall.SIGINT) // it lets go
		select {
		case <-done:
		case <-time.After(patience):
			cmd.Process.Kill()
			w.t.Error("strace does not end")
		}
		if strings.Contains(said.String(), "not permitted") {
			w.t.Fatalf("strace: %s", said.String())
		}
	}
}

// TestFullDisk fills a small disk with mail that cannot be delivered, until clients are put off with 452. Then
// the next hop takes mail: the queue empties itself, and there is room again.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	w := newWorld(t)
	w.tmpfs(200, 60)
	w.sink.shut.Store(true)
	w.senders.backlog = 1 << 20
	g := w.launch()
	ctx := within(t, patience, "a full disk")
	if err := g.Listening(ctx); err != nil {
		t.Fatal(err)
	}
	stop := w.pour()
	if err := w.book.until(ctx, func() bool { return w.book.putOff["452"] > 20 }, nil); err != nil {
		t.Fatalf("%v; %v\nthe log of the gateway:\n%s", err, w.book.putOff, tail(g.Log()))
	}
	stop()
	w.sink.shut.Store(false)
	if err := w.book.wait(within(t, patience, "the mail on the full disk"), 0); err != nil {
		t.Fatalf("%v\nthe log of the gateway:\n%s", err, tail(g.Log()))
	}
	w.senders.backlog = 200
	stop = w.pour()
	n := 0
	err := w.book.until(within(t, patience, "room for new mail"), func() bool { return w.book.accepted >= n }, func() { n = w.book.accepted + 20 })
	if err != nil {
		t.Fatalf("%v\nthe log of the gateway:\n%s", err, tail(g.Log()))
	}
	g.Kill()
	w.end(stop, unanswered)
}

// tmpfs puts the state of the gateway on a disk of its own, in memory, of so many megabytes, of which so many
// are free.
func (w *world) tmpfs(size, free int) {
	w.t.Helper()
	state := filepath.Join(w.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		w.t.Fatal(err)
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=0700,size=%dm", size), "siegel", state).CombinedOutput()
	if err != nil {
		w.t.Skipf("no disk of our own may be mounted here: %v: %s", err, out)
	}
	w.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", state).CombinedOutput(); err != nil {
			w.t.Errorf("umount: %v: %s", err, out)
		}
	})
	w.write("state/of-others", make([]byte, (size-free)<<20))
}
