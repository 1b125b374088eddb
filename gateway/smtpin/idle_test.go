package smtpin_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/smtpin"
)

// clientsOf, in the environment, makes the test's program a crowd of clients: "address count".
const clientsOf = "SIEGEL_TEST_CLIENTS_OF"

func TestMain(m *testing.M) {
	if job := os.Getenv(clientsOf); job != "" {
		if err := beCrowd(job); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// beCrowd connects many clients that then do nothing, from a hundred to an address of 127/8: a third has said
// nothing, a third EHLO, and a third is in the middle of a message. It says so and stays until its input ends.
func beCrowd(job string) error {
	address, number, _ := strings.Cut(job, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	faults := make(chan error, n)
	turn := make(chan struct{}, 16)
	conns := make([]net.Conn, n)
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			var err error
			if conns[i], err = joinCrowd(address, i); err != nil {
				faults <- fmt.Errorf("client %d: %w", i, err)
			}
		})
	}
	all.Wait()
	select {
	case err := <-faults:
		return err
	default:
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		c.Close()
	}
	return err
}

func joinCrowd(address string, i int) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(i/100/250), byte(i/100%250+1))}
	c, err := (&net.Dialer{LocalAddr: from, Timeout: patience}).Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(3 * patience))
	said := [][]string{{""}, {"", "EHLO c\r\n"}, {"", "HELO c\r\n", "MAIL FROM:<>\r\n", "RCPT TO:<alice@firma.example>\r\n", "DATA\r\n"}}
	in := bufio.NewReaderSize(c, 512)
	for _, line := range said[i%3] {
		if _, err := io.WriteString(c, line); err != nil {
			return nil, err
		}
		for {
			l, err := in.ReadString('\n')
			if err != nil {
				return nil, err
			}
			if l[0] == '4' || l[0] == '5' {
				return nil, fmt.Errorf("after %q: %s", line, l)
			}
			if l[3] != '-' {
				break
			}
		}
	}
	_, err = io.WriteString(c, map[bool]string{true: "Subject: slow\r\n\r\n"}[i%3 == 2])
	return c, err
}

// gather starts a crowd in a process of its own, since its descriptors are as many as ours, and returns how many
// have come.
func gather(t testing.TB, s *smtpin.Server, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if spare := 500; uint64(n+spare) > limit.Cur {
		n = int(limit.Cur) - spare
		t.Logf("%d connections, since ulimit -n is %d", n, limit.Cur)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	crowd := exec.Command(self)
	crowd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", clientsOf, s.Addr("external"), n))
	crowd.Stderr = os.Stderr
	stay, err := crowd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := crowd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := crowd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stay.Close()
		crowd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the crowd says %q: %v", line, err)
	}
	return n
}

// Ten thousand clients that are silent, or in the middle of a message, hold what is theirs: it is little, and the
// next one is served as if they were not there.
func TestIdleClients(t *testing.T) {
	h := &sink{}
	o := options(t, h, listener(smtpin.External, nil))
	o.Limits.Connections, o.Limits.PerClient = idleClients+100, 100
	s := serve(t, o)
	before := memory()
	n := gather(t, s, idleClients)
	p := dial(t, s, "external")
	p.say("", "220 ", "EHLO client.example", "250 ")
	p.message("from somebody who means it")
	if len(h.messages()) != 1 {
		t.Error("no message")
	}
	each := uint64(idleBytes + 1)
	for start := time.Now(); each > idleBytes && time.Since(start) < patience; {
		each = (memory() - before) / uint64(n) // which collects garbage
	}
	t.Logf("%d connections take up %d bytes each", n, each)
	if each > idleBytes {
		t.Errorf("more than %d", idleBytes)
	}
}
