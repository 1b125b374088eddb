package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// resolver is a running Unbound.
type resolver struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// unbound FILE|stop: runs Unbound at $DNS with the local data of FILE, in place of one that runs already. What is not
// in the data it does not know: it asks nobody. stop ends it.
func unboundCommand(ctx context.Context, ts *testscript.TestScript, w *world, _ bool, args []string) error {
	w.resolver.stop()
	w.resolver = nil
	if args[0] == "stop" {
		return nil
	}
	conf := fmt.Sprintf("server:\n interface: 127.0.0.1\n port: %s\n do-daemonize: no\n use-syslog: no\n chroot: \"\"\n username: \"\"\n"+
		" directory: %q\n pidfile: \"\"\n do-ip6: no\n local-zone: \".\" static\nremote-control:\n control-enable: no\nserver:\n", ts.Getenv("DNS_PORT"), w.dir)
	file := filepath.Join(w.dir, "unbound.conf")
	if err := os.WriteFile(file, []byte(conf+ts.ReadFile(args[0])), 0o600); err != nil {
		return err
	}
	name, err := exec.LookPath("unbound")
	if err != nil {
		name = "/usr/sbin/unbound"
	}
	r := &resolver{cmd: exec.Command(name, "-d", "-c", file), ended: make(chan struct{})}
	if err := r.cmd.Start(); err != nil {
		return fmt.Errorf("%w; run scripts/install-tools test", err)
	}
	go func() {
		defer close(r.ended)
		r.cmd.Wait()
	}()
	w.resolver = r
	return r.wait(ctx, ts.Getenv("DNS"))
}

// wait waits until it answers.
func (r *resolver) wait(ctx context.Context, addr string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ended:
			return errors.New("it ended; is there a fault in its configuration?")
		case <-tick.C:
		}
	}
}

func (r *resolver) stop() {
	if r == nil {
		return
	}
	r.cmd.Process.Kill()
	<-r.ended
}
