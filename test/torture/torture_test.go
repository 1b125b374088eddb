package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/test/stand"
)

// patience bounds waits for what must come; nothing waits that long where all is well.
const patience = 3 * time.Minute

// binary is the command under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	return stand.Build(context.Background(), buildDir)
})

// buildDir is where it is built; set by TestMain.
var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "siegel-torture"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// rounds is how often the gateway is ended in a test: ROUNDS of the environment, or what is good for a
// change of the code.
func rounds(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("ROUNDS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ROUNDS=%q: a number from 1 is wanted", text)
	}
	return n
}

// chance is a source of numbers that can be had again by SEED. How a kill falls into the work of the
// gateway is up to the machine all the same.
func chance(t *testing.T) *dice {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED=%q: %v", text, err)
		}
	}
	t.Logf("SEED=%d", seed)
	return &dice{r: rand.New(rand.NewPCG(seed, 0))}
}

// dice may be thrown by many at once.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// below gives a number from 0 to n-1.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// percent is true n times in a hundred.
func (d *dice) percent(n int) bool { return d.below(100) < n }

// upTo gives a time from 0 to most.
func (d *dice) upTo(most time.Duration) time.Duration {
	return time.Duration(d.below(int(most/time.Microsecond))) * time.Microsecond
}

// within is a context for something that must come.
func within(t *testing.T, d time.Duration, what string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), d, fmt.Errorf("%s: not within %s", what, d))
	t.Cleanup(cancel)
	return ctx
}

// pause lets d pass, or less where ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
