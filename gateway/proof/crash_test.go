package proof_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/proof"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// TestMain is also the child process of the crash test: the test binary again, with the folder of a record in the environment.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SIEGEL_TEST_RECORD"); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}

const crashKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func crashStore(ctx context.Context, dir string) (*proof.Store, error) {
	key, err := atrest.ParseKey(crashKey)
	if err != nil {
		return nil, err
	}
	s, err := proof.Open(ctx, proof.Options{Dir: dir, Key: key})
	if err == nil {
		err = s.Check()
	}
	return s, err
}

// crashContent can be told from its key; every third has a file.
func crashContent(key string) content {
	size := 500
	if key[len(key)-1]%3 == 0 {
		size = 100 << 10
	}
	return message(key, size)
}

// say prints one line in one write, so that a kill cuts no line but the last.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// crashChild submits and settles as fast as it can until it is killed, and says what was answered.
func crashChild(dir string) {
	ctx := context.Background()
	s, err := crashStore(ctx, dir)
	if err != nil {
		say("error %v", err)
		os.Exit(1)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				crashRound(ctx, s, strconv.FormatUint(rand.Uint64(), 36))
			}
		})
	}
	group.Wait()
}

// crashRound is the life of one message.
func crashRound(ctx context.Context, s *proof.Store, key string) {
	must := func(err error) {
		if err != nil {
			say("error %v", err)
			os.Exit(1)
		}
	}
	var quiet testing.B // its Fatal is never called: the texts are fixed
	m := submission(&quiet, key, crashContent(key))
	_, err := s.Begin(ctx, m)
	must(err)
	say("began %s", key)
	state := []proof.State{proof.Taken, proof.Doubtful, proof.Waiting, proof.Refused}[rand.IntN(4)]
	say("settling %s", key)
	must(s.Settle(ctx, key, proof.Result{State: state}))
	say("settled %s %s", key, state)
	if state == proof.Taken {
		e := confirmation(&quiet, "c"+key, key, demail.TypeDispatch)
		e.Content = crashContent(key)
		_, _, err := s.Confirm(ctx, e)
		must(err)
		say("confirmed %s", key)
	}
	left, ok, err := s.Spend(ctx, "a", time.Unix(0, 0), 1, 1<<30)
	must(err)
	if ok {
		say("spent %d", 1<<30-left)
	}
}

// ledger is what children said.
type ledger struct {
	began, settling, confirmed map[string]bool
	settled                    map[string]proof.State
	spent                      int
}

func (l *ledger) read(t *testing.T, r io.Reader, first func()) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return // the last line may be cut
		}
		first()
		words := strings.Fields(line)
		switch words[0] {
		case "began":
			l.began[words[1]] = true
		case "settling":
			l.settling[words[1]] = true
		case "settled":
			l.settled[words[1]] = proof.State(words[2])
		case "confirmed":
			l.confirmed[words[1]] = true
		case "spent":
			n, _ := strconv.Atoi(words[1])
			l.spent = max(l.spent, n)
		default:
			t.Errorf("the child said %q", line)
		}
	}
}

// A process that is killed at any instant loses nothing that was answered, and leaves nothing half done. That a commit is synced before it is answered does not show
// here, since what was written outlives the process anyway.
func TestCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demail")
	l := &ledger{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]proof.State{}, 0}
	for range 6 {
		l.run(t, dir)
		if t.Failed() {
			return
		}
		l.check(t, dir)
	}
	if len(l.began) == 0 || len(l.settled) == 0 || len(l.confirmed) == 0 {
		t.Errorf("nothing was answered: %d, %d, %d", len(l.began), len(l.settled), len(l.confirmed))
	}
	t.Logf("%d begun, %d settled, %d confirmed", len(l.began), len(l.settled), len(l.confirmed))
}

// run has a child work for a while, and kills it; the first one not before it has done each thing once.
func (l *ledger) run(t *testing.T, dir string) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SIEGEL_TEST_RECORD="+dir)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	l.read(t, out, func() {
		if len(l.confirmed) == 0 {
			return
		}
		once.Do(func() {
			time.AfterFunc(time.Duration(100+rand.IntN(300))*time.Millisecond, func() { c.Process.Kill() })
		})
	})
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("the child ended by itself: %v", err)
	}
}

// check opens what a child left.
func (l *ledger) check(t *testing.T, dir string) {
	t.Helper()
	store, err := crashStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{Store: store}
	defer s.Close()
	for key := range l.began {
		r := record(t, s, key)
		want, settled := l.settled[key]
		switch {
		case settled && !l.confirmed[key] && r.State != want:
			t.Errorf("%s is %s, and was settled as %s", key, r.State, want)
		case !settled && !l.settling[key] && r.State != proof.Trying:
			t.Errorf("%s is %s, and was not settled", key, r.State)
		}
		checkContent(t, s, key, crashContent(key))
		if l.confirmed[key] {
			if r.State != proof.Taken || len(r.Evidence) != 1 {
				t.Errorf("%s was confirmed: %s, %d", key, r.State, len(r.Evidence))
			}
			checkEvidence(t, s, "c"+key, crashContent(key))
		}
	}
	if left, _, err := s.Spend(t.Context(), "a", time.Unix(0, 0), 0, 1<<30); err != nil || 1<<30-left < l.spent {
		t.Errorf("%d spent, and %d were answered: %v", 1<<30-left, l.spent, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "content", "*.new")); len(left) > 0 {
		t.Errorf("%d files stay that are new", len(left))
	}
}

// Files whose rows were not committed go at the next start, those whose rows were get their lasting names, and what nobody knows stays.
func TestTidy(t *testing.T) {
	s := newStand(t)
	m := message("eins", 100<<10)
	begin(t, s, submission(t, "k1", m), proof.None)
	dir := filepath.Join(s.o.Dir, "content")
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Rename(files[0], files[0]+".new"), os.WriteFile(filepath.Join(dir, "half.new"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, "foreign"), []byte("x"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s.open(t)
	checkContent(t, s, "k1", m)
	var names []string
	left, _ := os.ReadDir(dir)
	for _, e := range left {
		names = append(names, e.Name())
	}
	if len(names) != 2 || !strings.Contains(strings.Join(names, " "), "foreign") {
		t.Errorf("%q", names)
	}
}
