package stand

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// Gateway is a running `siegel serve`. Its methods may be called at once.
type Gateway struct {
	log   Log
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // of Wait, once ended
}

// The log lines that steps are waited for by.
var (
	listening = regexp.MustCompile(`(?m)msg=listening`)
	reloaded  = regexp.MustCompile(`(?m)msg="(configuration reloaded|reload failed.*)`)
)

// Serve starts the gateway of a configuration file and returns when it listens. env is added to the environment.
func Serve(ctx context.Context, binary, config string, env ...string) (*Gateway, error) {
	g, err := Launch(binary, config, env...)
	if err != nil {
		return nil, err
	}
	if err := g.Listening(ctx); err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// Launch is Serve without the waiting: what it returns may not listen yet, or end because it cannot.
func Launch(binary, config string, env ...string) (*Gateway, error) {
	g := &Gateway{ended: make(chan struct{})}
	g.cmd = exec.Command(binary, "serve", "--config", config)
	g.cmd.Env = append(os.Environ(), env...)
	g.cmd.Stderr = &g.log
	g.cmd.SysProcAttr = withUs()
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		g.err = g.cmd.Wait()
		close(g.ended)
	}()
	return g, nil
}

// Listening waits until the gateway listens.
func (g *Gateway) Listening(ctx context.Context) error {
	if err := g.log.Wait(ctx, 0, listening, g.ended); err != nil {
		return fmt.Errorf("stand: siegel does not listen: %w", err)
	}
	return nil
}

// PID is the number of the process.
func (g *Gateway) PID() int { return g.cmd.Process.Pid }

// Log is what it wrote to its standard error.
func (g *Gateway) Log() string { return g.log.String() }

// WaitLog waits until a line of the log matches.
func (g *Gateway) WaitLog(ctx context.Context, pattern string) error {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		return err
	}
	return g.log.Wait(ctx, 0, re, g.ended)
}

// Reload sends SIGHUP and waits until the gateway said what came of it.
func (g *Gateway) Reload(ctx context.Context) error {
	from := g.log.Size()
	if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return g.log.Wait(ctx, from, reloaded, g.ended)
}

// Stop ends the gateway in order and returns when it has ended; an error is its exit code. It may be called
// again, and after Kill, and then does nothing.
func (g *Gateway) Stop(ctx context.Context) error {
	select {
	case <-g.ended:
		return nil
	default:
	}
	g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-ctx.Done():
		g.Kill()
		return fmt.Errorf("stand: siegel did not end: %w; its log:\n%s", context.Cause(ctx), g.Log())
	}
	if g.err != nil {
		return fmt.Errorf("stand: siegel ended: %w; its log:\n%s", g.err, g.Log())
	}
	return nil
}

// Kill ends the gateway at once, as a power cut would, and returns when it has ended.
func (g *Gateway) Kill() {
	g.cmd.Process.Kill()
	<-g.ended
}

// PeakMemory is the most memory that the process had resident so far, in bytes (VmHWM of proc(5)).
func (g *Gateway) PeakMemory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("stand: the system does not tell the peak of memory")
}
