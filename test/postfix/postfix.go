// Package postfix runs Postfix instances of their own on loopback for tests and benchmarks; it leaves the machine's own Postfix alone.
//
// Postfix wants to be started by root.
package postfix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options say what an instance does.
type Options struct {
	Hostname  string
	Port      int      // on 127.0.0.1
	Mailboxes []string // addresses delivered to; every other one in their domains is refused
	Relay     string   // host:port that takes the other domains; empty: they are refused
	// Certificate and Key are PEM; with them STARTTLS is offered.
	Certificate, Key []byte
	Settings         map[string]string // more lines for main.cf
	Services         []string          // more lines for master.cf
	// Dir is where Postfix finds mail of an earlier run of its own, and leaves it. Empty: a folder that Stop
	// removes. It must be reachable for every user of the machine.
	Dir string
}

// Server is a running instance. Its methods may be called at once.
type Server struct {
	o         Options
	dir       string
	temporary bool
	cmd       *exec.Cmd
	ended     chan struct{} // closed when the master has ended
	endErr    error

	mu   sync.Mutex
	seen map[string]bool // files that Next gave
}

// Start starts an instance and returns when it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{o: o, dir: o.Dir, seen: map[string]bool{}, ended: make(chan struct{})}
	if os.Getuid() != 0 {
		return nil, errors.New("postfix: only root can start it")
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "postfix")
		if err != nil {
			return nil, err
		}
		s.dir, s.temporary = dir, true
	}
	err := s.configure(ctx)
	if err == nil {
		err = s.run(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("postfix: %w", err), s.Stop())
	}
	return s, nil
}

// run starts the master process and waits for the greeting.
func (s *Server) run(ctx context.Context) error {
	out, err := command(ctx, "postconf", "-c", s.dir, "-h", "daemon_directory").Output()
	if err != nil {
		return err
	}
	// In the foreground it is our child, and ends with us. It begins by closing every file it might have,
	// which takes long where a million are permitted.
	s.cmd = exec.Command("sh", "-c", `ulimit -n 4096; exec "$0" "$@"`,
		filepath.Join(strings.TrimSpace(string(out)), "master"), "-d", "-c", s.dir)
	s.cmd.SysProcAttr = ownGroup()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.endErr = s.cmd.Wait()
		close(s.ended)
	}()
	return s.poll(ctx, s.answers)
}

// command is an external program that may stand where only root's PATH leads.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if _, err := exec.LookPath(name); err != nil {
		name = filepath.Join("/usr/sbin", name)
	}
	return exec.CommandContext(ctx, name, args...)
}

// poll asks again and again until an answer comes, ctx ends or Postfix does.
func (s *Server) poll(ctx context.Context, ask func() (bool, error)) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the log of %s:\n%s", context.Cause(ctx), s.o.Hostname, s.Log())
		case <-s.ended:
			return fmt.Errorf("master ended: %v; the log of %s:\n%s", s.endErr, s.o.Hostname, s.Log())
		case <-ticker.C:
		}
	}
}

// answers reports whether the instance greets.
func (s *Server) answers() (bool, error) {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false, nil
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(time.Second))
	greeting := make([]byte, len("220"))
	n, _ := c.Read(greeting)
	return string(greeting[:n]) == "220", nil
}

// Addr is the host and port it listens on.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.o.Port) }

// Dir is where its configuration, its queue and its mailboxes are.
func (s *Server) Dir() string { return s.dir }

// PID is the process of the master, which heads the group of all daemons.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log is everything it wrote into its log.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "mail.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Next waits for a message to a mailbox that it has not given yet and returns its bytes, with the LF that
// Postfix writes at the end of lines.
func (s *Server) Next(ctx context.Context, mailbox string) (message []byte, err error) {
	err = s.poll(ctx, func() (bool, error) {
		files, err := s.unseen(mailbox)
		if err != nil || len(files) == 0 {
			return false, err
		}
		message, err = os.ReadFile(files[0])
		s.mark(files[0])
		return true, err
	})
	return message, err
}

// Waiting counts the messages to all mailboxes that Next has not given yet.
func (s *Server) Waiting() (n int, err error) {
	for _, mailbox := range s.o.Mailboxes {
		files, err := s.unseen(mailbox)
		if err != nil {
			return 0, err
		}
		n += len(files)
	}
	return n, nil
}

// unseen lists the files of a mailbox that Next has not given yet, the oldest first: their names begin with the time.
func (s *Server) unseen(mailbox string) (files []string, err error) {
	entries, err := os.ReadDir(s.maildir(mailbox))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if file := filepath.Join(s.maildir(mailbox), e.Name()); !s.seen[file] {
			files = append(files, file)
		}
	}
	return files, nil
}

func (s *Server) mark(file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[file] = true
}

// maildir is where new messages to a mailbox lie.
func (s *Server) maildir(mailbox string) string {
	return filepath.Join(s.dir, "mail", mailbox, "new")
}

// Flush makes it try everything that waits now: also a message that it put off for hours since a process of its
// own, which it had lost sight of when it was ended, still held it.
func (s *Server) Flush(ctx context.Context) error {
	if out, err := command(ctx, "postqueue", "-c", s.dir, "-f").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix: postqueue: %w: %s", err, out)
	}
	return nil
}

// closed waits until no daemon holds the port any more.
func (s *Server) closed() error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for range 10_000 {
		c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err != nil {
			return nil
		}
		c.Close()
		<-ticker.C
	}
	return fmt.Errorf("postfix: somebody still listens on %s", s.Addr())
}

// Stop ends the instance and returns when its processes have ended. It may be called more than once.
func (s *Server) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM) // the whole group: the daemons are children of the master
		<-s.ended
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		if err := s.closed(); err != nil {
			return err
		}
	}
	if s.temporary {
		return os.RemoveAll(s.dir)
	}
	return nil
}
