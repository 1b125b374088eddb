package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/freeport"
)

// sink is a running smtp-sink that counts. It implements io.Writer for the counters that smtp-sink prints.
type sink struct {
	addr string
	cmd  *exec.Cmd

	mu      sync.Mutex
	got     int
	line    []byte
	changed chan struct{} // closed when got changes
}

func startSink(ctx context.Context) (*sink, error) {
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	s := &sink{addr: fmt.Sprintf("127.0.0.1:%d", port), changed: make(chan struct{})}
	s.cmd = exec.Command(tool("smtp-sink"), "-c", "-u", "nobody", s.addr, "1000")
	s.cmd.Stdout = s
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			return s, c.Close()
		}
		select {
		case <-ctx.Done():
			s.stop()
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// Write reads counters: "sess=3 quit=2 mesg=2" and a carriage return, each time anew.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.line = append(s.line, p...)
	end := bytes.LastIndexByte(s.line, '\r')
	if end < 0 {
		return len(p), nil
	}
	last := s.line[:end]
	if at := bytes.LastIndex(last, []byte("mesg=")); at >= 0 {
		if n, err := strconv.Atoi(string(last[at+len("mesg="):])); err == nil && n != s.got {
			s.got = n
			close(s.changed)
			s.changed = make(chan struct{})
		}
	}
	s.line = append(s.line[:0], s.line[end+1:]...)
	return len(p), nil
}

// count is the number of messages so far.
func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// wait waits until so many messages have come.
func (s *sink) wait(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		got, changed := s.got, s.changed
		s.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %d of %d", context.Cause(ctx), got, n)
		}
	}
}

func (s *sink) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}
