package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// cost is what something took.
type cost struct {
	time      time.Duration // of all processors
	allocated uint64        // bytes
	memory    int64         // most that the process had at once, KB
}

// bestOf is the least of some tries in each respect: other work only adds.
func bestOf(n int, f func() (cost, error)) (cost, error) {
	best, err := f()
	for range n - 1 {
		var c cost
		if err != nil {
			break
		}
		c, err = f()
		best = cost{min(best.time, c.time), min(best.allocated, c.allocated), min(best.memory, c.memory)}
	}
	return best, err
}

// here measures f in this process, some times over.
func here(times int, f func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := processor()
	for range times {
		if err := f(); err != nil {
			return cost{}, err
		}
	}
	spent := processor() - start
	runtime.ReadMemStats(&after)
	return cost{time: spent / time.Duration(times), allocated: (after.TotalAlloc - before.TotalAlloc) / uint64(times)}, nil
}

// processor is the time that this process has had so far.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// runProcess runs a command and measures it. Linux counts what a parent had when it forked as memory of the child, so a
// process of ours that has done nothing else is between.
func runProcess(name string, args ...string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	cmd := exec.Command(self, append([]string{"-one", "spawn", name}, args...)...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", name, err, problem.String())
	}
	var c cost
	_, err = fmt.Sscan(out.String(), &c.time, &c.memory)
	return c, err
}

// spawn runs a command and prints the nanoseconds and the kilobytes that it took.
func spawn(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell what a process took")
	}
	fmt.Println(u.Utime.Nano()+u.Stime.Nano(), u.Maxrss)
	return nil
}

// process runs one operation of ours in a process of its own, for its memory.
func (p *party) process(operation string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	return runProcess(self, "-one", operation, "-dir", p.dir)
}
