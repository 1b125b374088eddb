package freeport_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/freeport"
)

// asks is set in the environment of a second process, which finds ports until it is told to end.
const asks = "SIEGEL_FREEPORT_ASKS"

// Two processes side by side find different ports, and what one has found is free for others when it has ended.
// The ports are many: by chance alone some would be the same.
func TestProcesses(t *testing.T) {
	const many = 300
	if os.Getenv(asks) != "" {
		for range many {
			fmt.Println("port", freeport.Port(t))
		}
		fmt.Scanln()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestProcesses$")
	cmd.Env = append(os.Environ(), asks+"=yes")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs := map[int]bool{}
	for range many {
		var port int
		if _, err := fmt.Fscanf(out, "port %d\n", &port); err != nil {
			t.Fatal(err)
		}
		theirs[port] = true
	}
	if len(theirs) != many {
		t.Errorf("%d ports, of which %d differ", many, len(theirs))
	}
	names := func() string {
		b, err := os.ReadFile("/proc/net/unix")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	held := func() (n int) {
		all := names() + "\n"
		for port := range theirs {
			if strings.Contains(all, fmt.Sprintf("@siegel-port-%d\n", port)) {
				n++
			}
		}
		return n
	}
	for range many {
		if port := freeport.Port(t); theirs[port] {
			t.Errorf("port %d was found by two processes", port)
		}
	}
	if n := held(); n != many {
		t.Errorf("%d of %d are held", n, many)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := held(); n > many/10 { // some may have been found by a third one since
		t.Errorf("%d are held still", n)
	}
}
