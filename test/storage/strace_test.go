package storage

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/siegel-mail/siegel/test/stand"
)

// tracer is a strace that is attached to the gateway.
type tracer struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  stand.Log
	file string
	done chan struct{}
	once sync.Once
}

// trace attaches strace, with the names of files, and returns when it is.
func (w *world) trace(options ...string) *tracer {
	w.t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "" {
			w.t.Skip("strace is not installed; scripts/install-tools test does it")
		}
		w.t.Fatal(err)
	}
	s := &tracer{t: w.t, file: filepath.Join(w.dir, "trace"), done: make(chan struct{})}
	s.cmd = exec.Command(path, append([]string{"-f", "-y", "-o", s.file, "-p", strconv.Itoa(w.gateway.PID())}, options...)...)
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { defer close(s.done); s.cmd.Wait() }()
	w.t.Cleanup(s.stop)
	if err := s.log.Wait(w.context(), 0, regexp.MustCompile("attached"), s.done); err != nil {
		if os.Getenv("CI") == "" && strings.Contains(s.log.String(), "not permitted") {
			w.t.Skip("this machine lets nobody trace a process")
		}
		w.t.Fatalf("strace: %v\n%s", err, s.log.String())
	}
	return s
}

// stop lets the gateway go.
func (s *tracer) stop() {
	s.once.Do(func() { s.cmd.Process.Signal(syscall.SIGINT) })
	<-s.done
}

// call is a system call: begun at line, ended at line end.
type call struct {
	name, args string
	begin, end int
	result     string
}

// failed reports whether the call came to nothing.
func (c call) failed() bool { return strings.HasPrefix(c.result, "-1") }

var (
	whole   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (.*)$`)
	begun   = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$`)
)

// calls reads what strace saw, in the order of their beginnings.
func (s *tracer) calls() []*call {
	s.t.Helper()
	s.stop()
	f, err := os.Open(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	var list []*call
	open := map[string]*call{}
	lines := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			return list
		}
		line = strings.TrimSuffix(line, "\n")
		if m := begun.FindStringSubmatch(line); m != nil {
			c := &call{name: m[2], args: m[3], begin: n, end: 1 << 62}
			list, open[m[1]+m[2]] = append(list, c), c
		} else if m := resumed.FindStringSubmatch(line); m != nil {
			if c := open[m[1]+m[2]]; c != nil {
				c.end, c.result = n, m[4]
				c.args += m[3]
			}
		} else if m := whole.FindStringSubmatch(line); m != nil {
			list = append(list, &call{name: m[2], args: m[3], begin: n, end: n, result: m[4]})
		}
	}
}

// isSync reports whether c syncs a file whose name ends so.
func (c call) isSync(suffix string) bool {
	return (c.name == "fsync" || c.name == "fdatasync") && strings.Contains(c.args, suffix+">")
}

// writes reports whether c writes to a file whose name ends so.
func (c call) writes(suffix string) bool {
	return (c.name == "pwrite64" || c.name == "write") && strings.Contains(c.args, suffix+">,")
}

// isReply reports whether c says to a client that its message is queued.
func (c call) isReply() bool {
	return c.name == "write" && strings.Contains(c.args, "<socket:[") && queuedAs.MatchString(c.args)
}

var queuedAs = regexp.MustCompile(`250 2\.0\.0 queued as ([0-9a-z]+)`)
