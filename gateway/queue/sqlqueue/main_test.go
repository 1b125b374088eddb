package sqlqueue_test

import (
	"os"
	"testing"
)

// TestMain is also the child process that crash, fault and large tests start: the test binary again, with the
// directory of a queue in the environment.
func TestMain(m *testing.M) {
	children := map[string]func(dir string){"crash": crashChild, "fault": faultChild, "large": largeChild}
	if child, ok := children[os.Getenv("SIEGEL_TEST_CHILD")]; ok {
		child(os.Getenv("SIEGEL_TEST_DIR"))
		return
	}
	os.Exit(m.Run())
}
