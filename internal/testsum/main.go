// Command testsum runs go test and tells briefly what came of it; it changes nothing about how the tests run.
//
//	go run ./internal/testsum [ARGUMENTS OF go test]
//
// It prints one line for each package, the whole output of what failed, the reasons of what was skipped,
// and last "N passed, N failed, N skipped", subtests counted. Its exit code is 0 where nothing failed.
// With CI=true in the environment a skipped test is a failure too, except one that says it misses
// SIEGEL_TESTDATA: public test vectors that are not part of this repository.
package main

import (
	"fmt"
	"os"
	"os/exec"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		return 2
	}
	s := newSummary(os.Stdout, os.Getenv("CI") == "true")
	readErr := s.read(out)
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "testsum:", readErr)
	}
	waitErr := cmd.Wait()
	good := s.finish()
	if !good || readErr != nil || waitErr != nil {
		return 1
	}
	return 0
}
