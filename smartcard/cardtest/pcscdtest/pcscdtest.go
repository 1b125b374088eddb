//go:build unix

// Package pcscdtest runs the real PC/SC daemon with virtual readers for a test, beside whatever else runs on the machine. It puts no card
// into the readers: that is cardtest.ServeVPCD.
//
// pcscd has one socket per machine, /run/pcscd/pcscd.comm. So each daemon runs in a mount namespace of its own, where that folder is one
// of the test's, and the programs of the test find it there by PCSCLITE_CSOCK_NAME. Tests of several packages run at once that way. Who
// may not make namespaces (unshare: not root, and no user namespaces) cannot run these tests, and is told so.
package pcscdtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/smartcard/cardtest"
)

// driver is the library of vsmartcard-vpcd.
const driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so.0.8"

// deadline is how long a daemon may take to start on a loaded machine, and a program that asks it to run.
const deadline = 90 * time.Second

// Daemon is a running pcscd with two virtual readers, or more.
type Daemon struct {
	dir  string
	port []int // of each pair of readers, that of the first; the second has the next
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *bytes.Buffer // read after done

	mu sync.Mutex // held while the daemon is stopped: a card may do that while a test restarts it
}

// Start starts a daemon, waits until its readers listen, and ends it with the test. Where pcscd or the driver is missing the test is
// skipped, and fails where CI is set. libpcsclite remembers the socket it found first, so a process has one daemon at a time, always at
// Socket: a second Start waits until the first daemon is stopped.
func Start(t testing.TB) *Daemon {
	t.Helper()
	return StartPairs(t, 1)
}

// StartPairs is Start with so many pairs of readers.
func StartPairs(t testing.TB, pairs int) *Daemon {
	t.Helper()
	for _, need := range []string{"pcscd", "unshare", driver} {
		if !there(need) {
			missing(t, need)
		}
	}
	d := &Daemon{dir: home()}
	d.lock(t)
	t.Cleanup(func() {
		d.Stop()
		os.RemoveAll(d.dir)
	})
	for range pairs {
		port, err := freeport.FindPair() // the driver takes both
		if err != nil {
			t.Fatal(err)
		}
		d.port = append(d.port, port)
	}
	d.Restart(t)
	return d
}

// home is the folder of this process.
func home() string { return filepath.Join(os.TempDir(), fmt.Sprintf("siegel-pcscd-%d", os.Getpid())) }

func there(name string) bool {
	if filepath.IsAbs(name) {
		_, err := os.Stat(name)
		return err == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}

func missing(t testing.TB, name string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; scripts/install-tools test installs it", name)
	}
	t.Skipf("%s is missing; scripts/install-tools test installs it", name)
}

// lock makes the folder, when the daemon of another test of this process is over.
func (d *Daemon) lock(t testing.TB) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := os.Mkdir(d.dir, 0o755)
		if err == nil {
			return
		}
		if !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("%s is there; remove it where no test runs", d.dir)
		}
	}
}

// Restart starts the daemon, after it has ended the one that ran. The readers keep their names and addresses; cards in them are pulled.
func (d *Daemon) Restart(t testing.TB) {
	t.Helper()
	d.Stop()
	d.configure(t)
	os.Remove(d.Socket())
	const script = `mount -t tmpfs none /run && mkdir /run/pcscd && mount --bind "$1" /run/pcscd && exec pcscd --foreground --critical --config "$1/reader.conf"`
	args := []string{"--mount", "sh", "-c", script, "sh", d.dir}
	if os.Getuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	d.cmd, d.done, d.log = exec.Command("unshare", args...), make(chan struct{}), &bytes.Buffer{}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // it is killed in the end
	}()
	d.await(t)
}

// configure names the readers. The driver keeps what it knows in itself, so that each pair has a copy of it.
func (d *Daemon) configure(t testing.TB) {
	t.Helper()
	var config strings.Builder
	for i, port := range d.port {
		library := driver
		if i > 0 {
			library = filepath.Join(d.dir, fmt.Sprintf("driver%d.so", i))
			text, err := os.ReadFile(driver)
			if err == nil {
				err = os.WriteFile(library, text, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&config, "FRIENDLYNAME %q\nDEVICENAME /dev/null:0x%04X\nLIBPATH %s\nCHANNELID 0x%04X\n", friendly(i), port, library, port)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "reader.conf"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until the daemon answers; its readers listen by then.
func (d *Daemon) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("unix", d.Socket()); err == nil {
			c.Close()
			return
		}
		select {
		case <-d.done:
			t.Fatalf("pcscd has ended (in a mount namespace of its own; see the package's comment):\n%s", d.log)
		case <-ctx.Done():
			t.Fatal("pcscd does not start")
		case <-tick.C:
		}
	}
}

// Stop kills the daemon; cards in its readers are pulled. A second call does nothing, and waits for the first.
func (d *Daemon) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.done
	d.cmd = nil
}

// Freeze lets the daemon hang: it answers nothing until Thaw.
func (d *Daemon) Freeze(t testing.TB) { d.signal(t, syscall.SIGSTOP) }

// Thaw lets the daemon go on.
func (d *Daemon) Thaw(t testing.TB) { d.signal(t, syscall.SIGCONT) }

func (d *Daemon) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// Handles is how many files and connections the daemon has open.
func (d *Daemon) Handles(t testing.TB) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// Socket is where the daemon listens. Programs, and libpcsclite in this process, find it by PCSCLITE_CSOCK_NAME.
func (d *Daemon) Socket() string { return filepath.Join(d.dir, "pcscd.comm") }

// Setenv points libpcsclite of this process to the daemon, for the rest of the test.
func (d *Daemon) Setenv(t testing.TB) {
	t.Helper()
	t.Setenv("PCSCLITE_CSOCK_NAME", d.Socket())
}

// friendly is the name of a pair of readers.
func friendly(pair int) string {
	if pair == 0 {
		return "Siegel simulated"
	}
	return fmt.Sprintf("Siegel simulated, pair %d", pair+1)
}

// Reader is the name of a reader; they are counted from 0.
func (d *Daemon) Reader(i int) string { return fmt.Sprintf("%s 00 %02d", friendly(i/2), i%2) }

// Address is where a reader takes a card.
func (d *Daemon) Address(i int) string { return "127.0.0.1:" + strconv.Itoa(d.port[i/2]+i%2) }

// Plug puts a card into a reader, waits until the daemon knows it, and returns what pulls it; the end of the test does too.
func (d *Daemon) Plug(t testing.TB, i int, c cardtest.Card) (pull func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	watched := &watched{Card: c, known: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- cardtest.ServeVPCD(ctx, d.Address(i), watched) }()
	pull = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Logf("reader %d: %v", i, err) // a fault has pulled it, or the daemon has ended
		}
	})
	t.Cleanup(pull)
	select {
	case <-watched.known:
	case err := <-done:
		done <- nil
		t.Fatalf("reader %d: %v", i, err)
	case <-time.After(deadline):
		t.Fatalf("pcscd does not see the card in reader %d", i)
	}
	return pull
}

// AwaitCard waits until the daemon knows a card in a reader that something else has put in; it asks opensc-tool.
func (d *Daemon) AwaitCard(t testing.TB, i int) {
	t.Helper()
	over := time.After(deadline)
	for {
		out, err := d.Try(t, "opensc-tool", "--reader", d.Reader(i), "--atr")
		if err == nil {
			return
		}
		select {
		case <-over:
			t.Fatalf("pcscd does not see the card in reader %d:\n%s", i, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// watched is a card that tells when the daemon knows it: the daemon asks for the ATR to see whether a card is there, gives power, asks for
// the ATR, notes the card, and asks again at its next look.
type watched struct {
	cardtest.Card
	known chan struct{}

	mu    sync.Mutex
	power bool
	asked int
}

// Reset is cardtest.Card.
func (w *watched) Reset() {
	w.mu.Lock()
	w.power = true
	w.mu.Unlock()
	w.Card.Reset()
}

// ATR is cardtest.Card.
func (w *watched) ATR() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.power {
		if w.asked++; w.asked == 2 {
			close(w.known)
		}
	}
	return w.Card.ATR()
}

// Run runs a program against the daemon, with a home of its own, and returns what it wrote. A program that fails fails the test.
func (d *Daemon) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := d.Try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\npcscd: %d", name, strings.Join(args, " "), err, out, d.port[0])
	}
	return out
}

// Try is Run for a program that may fail.
func (d *Daemon) Try(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	if !there(name) {
		missing(t, name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PCSCLITE_CSOCK_NAME="+d.Socket(), "HOME="+d.dir, "LC_ALL=C")
	cmd.Stdin = io.NopCloser(strings.NewReader(""))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
