package sqlqueue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// sample is a queue with something of everything, as files: after an orderly stop, and as a killed process leaves it.
type sample struct {
	stopped, killed string
	messages        map[mail.ID]queue.Message
}

// makeSample fills a queue. Of its messages some were delivered, so that there are remains of what is gone.
func makeSample(t *testing.T, count int) sample {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "queue")
	s := openStore(t, dir)
	for i := range count {
		n := queuetest.Entry(time.Now(), nil, fmt.Sprint("d", i%7), "e")
		if i%3 == 0 {
			n = queuetest.Entry(time.Now(), nil, fmt.Sprint("d", i%7))
		}
		if i%13 == 7 {
			n = queuetest.Entry(time.Now(), nil, queue.ArchivePrefix+"vault")
			n.Archive = []byte("{}")
		}
		if i%13 == 5 {
			n = queuetest.Entry(time.Now(), nil, queue.Quarantine, queue.Quarantine)
			n.Quarantine = []string{"a rule", "another"}
		}
		n.Content = queuetest.Bytes(crashContent(n.Envelope.ID))
		if i%11 == 0 || i%13 == 5 {
			n.Hold = "held: odd"
		}
		if err := s.Put(t.Context(), []queue.New{n}); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"d1", "d2", "e"} {
		claims, err := s.Claim(t.Context(), d, time.Now(), time.Hour, count/4)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range claims {
			o := queue.Outcome{Index: c.Due[0], State: queue.Delivered}
			if i%4 == 0 {
				o = queue.Outcome{Index: c.Due[0], State: queue.Queued, Reply: "451 later", Next: time.Now().Add(time.Hour), Hidden: true}
			}
			if i%4 == 1 {
				o = queue.Outcome{Index: c.Due[0], State: queue.Held, Reply: "quarantine: invalid", Hidden: true, Quarantine: "invalid"}
			}
			if err := s.Settle(t.Context(), c, []queue.Outcome{o}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	out := sample{messages: listAll(t, s)}
	out.killed = copyDir(t, dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	out.stopped = copyDir(t, dir)
	return out
}

func listAll(t *testing.T, s *sqlqueue.Store) map[mail.ID]queue.Message {
	t.Helper()
	list, err := s.List(t.Context(), queue.Filter{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	all := map[mail.ID]queue.Message{}
	for _, m := range list {
		all[m.Envelope.ID] = m
	}
	return all
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// damagedQueue opens a queue that was damaged and says what became of it.
func damagedQueue(t *testing.T, dir string) (*sqlqueue.Store, []sqlqueue.Recovery) {
	t.Helper()
	var got []sqlqueue.Recovery
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: dir, Key: testKey(t), Recovered: func(r sqlqueue.Recovery) { got = append(got, r) }})
	if err != nil {
		t.Fatalf("a damaged queue keeps the gateway from starting: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s, got
}

// outcome is how the messages of a sample fared.
type outcome struct{ whole, held, empty, changed, gone int }

// fared compares what is in s with what was in it before the damage.
func fared(t *testing.T, s *sqlqueue.Store, want map[mail.ID]queue.Message) (o outcome) {
	t.Helper()
	got := listAll(t, s)
	for id := range got {
		if _, known := want[id]; !known {
			t.Errorf("%s was not in the queue", id)
		}
	}
	for id, m := range want {
		g, there := got[id]
		content, err := read(s, id)
		switch {
		case !there:
			o.gone++
			continue
		case err == nil && !bytes.Equal(content, crashContent(id)):
			t.Errorf("%s has other content", id)
		case err != nil && !errors.Is(err, queue.ErrDamaged):
			t.Errorf("%s: %v", id, err)
		}
		stays(t, m, g)
		if g.Note == "the envelope cannot be read back" { // held when it is claimed
			o.empty++
			continue
		}
		if fmt.Sprint(g.Envelope) != fmt.Sprint(m.Envelope) {
			t.Errorf("%s has another envelope", id)
		}
		switch held := heldByRescue(g); {
		case err != nil:
			o.empty++
		case held:
			o.held++
		case fmt.Sprint(g.Recipients) != fmt.Sprint(m.Recipients):
			o.changed++
		default:
			o.whole++
		}
	}
	return o
}

// stays holds that what was in quarantine is nowhere on its way after a damage, and that what was for an archive alone is for nobody else.
func stays(t *testing.T, was, is queue.Message) {
	t.Helper()
	for i, r := range was.Recipients {
		if i < len(is.Recipients) && r.InQuarantine() && is.Recipients[i].State != queue.Held {
			t.Errorf("%s: what was in quarantine is %s for %s", was.Envelope.ID, is.Recipients[i].State, is.Recipients[i].Destination)
		}
		if i < len(is.Recipients) && was.IsArchive() && is.Recipients[i].State != queue.Held && !strings.HasPrefix(is.Recipients[i].Destination, queue.ArchivePrefix) {
			t.Errorf("%s: what was for an archive is %s for %s", was.Envelope.ID, is.Recipients[i].State, is.Recipients[i].Destination)
		}
	}
}

func heldByRescue(m queue.Message) bool {
	for _, r := range m.Recipients {
		if r.State == queue.Held && strings.Contains(r.LastReply, "damaged") {
			return true
		}
	}
	return false
}

const page = 4096

// overwrite changes bytes of the database's file.
func overwrite(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, at); err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// flip changes a byte at random.
func flip(t *testing.T, path string, rnd *rand.Rand) int64 {
	t.Helper()
	at := rnd.Int64N(size(t, path))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, at, []byte{data[at] ^ byte(1+rnd.IntN(255))})
	return at
}

// damages are ways to lose a disk's mind. most is how many messages may then be gone or held.
func damages(killed bool) map[string]struct {
	do   func(t *testing.T, db string, rnd *rand.Rand)
	most int
} {
	type damage = struct {
		do   func(t *testing.T, db string, rnd *rand.Rand)
		most int
	}
	list := map[string]damage{
		"header":        {func(t *testing.T, db string, _ *rand.Rand) { overwrite(t, db, 0, bytes.Repeat([]byte{0xff}, 100)) }, 0},
		"first page":    {func(t *testing.T, db string, _ *rand.Rand) { overwrite(t, db, 0, make([]byte, page)) }, 0},
		"junk in front": {func(t *testing.T, db string, _ *rand.Rand) { overwrite(t, db, 0, bytes.Repeat([]byte("junk"), page/4)) }, 0},
		"a byte":        {func(t *testing.T, db string, rnd *rand.Rand) { flip(t, db, rnd) }, 60},
		"many bytes": {func(t *testing.T, db string, rnd *rand.Rand) {
			for range 5 {
				flip(t, db, rnd)
			}
		}, 300},
		"a page of zeros": {func(t *testing.T, db string, rnd *rand.Rand) {
			overwrite(t, db, rnd.Int64N(size(t, db)/page)*page, make([]byte, page))
		}, 60},
		"two pages swapped": {func(t *testing.T, db string, rnd *rand.Rand) {
			data, err := os.ReadFile(db)
			if err != nil {
				t.Fatal(err)
			}
			a, b := rnd.Int64N(size(t, db)/page)*page, rnd.Int64N(size(t, db)/page)*page
			overwrite(t, db, a, data[b:b+page])
			overwrite(t, db, b, data[a:a+page])
		}, 120},
		"cut": {func(t *testing.T, db string, rnd *rand.Rand) {
			if err := os.Truncate(db, size(t, db)-rnd.Int64N(10*page)-1); err != nil {
				t.Fatal(err)
			}
		}, 600},
	}
	if killed {
		for _, name := range []string{"header", "first page", "junk in front"} {
			list[name] = damage{list[name].do, 0}
		}
		list["a byte of the log"] = damage{func(t *testing.T, db string, rnd *rand.Rand) { flip(t, db+"-wal", rnd) }, 60}
		list["the log's header"] = damage{func(t *testing.T, db string, _ *rand.Rand) { overwrite(t, db+"-wal", 0, make([]byte, 16)) }, 0}
		list["the index of the log"] = damage{func(t *testing.T, db string, _ *rand.Rand) { overwrite(t, db+"-shm", 0, bytes.Repeat([]byte{7}, 136)) }, 0}
		list["no database, only its log"] = damage{func(t *testing.T, db string, _ *rand.Rand) { os.Remove(db) }, 1000}
		list["no log"] = damage{func(t *testing.T, db string, _ *rand.Rand) { os.Remove(db + "-wal") }, 1000}
	}
	return list
}

// TestDamage damages the queue's database in every way and place, and opens it: the gateway starts, what is
// undamaged is there as it was, nothing is lost without a word, and the damaged database is kept (invariant 12).
// SIEGEL_DAMAGE_ROUNDS sets how often each.
func TestDamage(t *testing.T) {
	rounds := uint64(1)
	if v := os.Getenv("SIEGEL_DAMAGE_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.ParseUint(v, 10, 32); err != nil {
			t.Fatalf("SIEGEL_DAMAGE_ROUNDS: %v", err)
		}
	}
	s := makeSample(t, 150)
	for kind, dir := range map[string]string{"stopped": s.stopped, "killed": s.killed} {
		for name, d := range damages(kind == "killed") {
			t.Run(kind+"/"+name, func(t *testing.T) {
				for seed := range rounds {
					rnd := rand.New(rand.NewPCG(seed, uint64(len(name))))
					place := copyDir(t, dir)
					d.do(t, filepath.Join(place, "queue.db"), rnd)
					damageOnce(t, place, s.messages, d.most)
				}
			})
		}
	}
}

func damageOnce(t *testing.T, place string, want map[mail.ID]queue.Message, most int) {
	t.Helper()
	store, recovered := damagedQueue(t, place)
	o := fared(t, store, want)
	if missing := len(want) - o.whole; missing > most {
		t.Errorf("%d of %d fared badly, at most %d should: %+v %v", missing, len(want), most, o, recovered)
	}
	switch {
	case len(recovered) == 0 && (o.gone > 0 || o.held > 0 || o.changed > 1):
		t.Errorf("without a word: %+v", o)
	case len(recovered) > 0:
		r := recovered[0]
		t.Logf("%+v: %s: %s", o, r.Reason, r)
		if r.Messages != len(want)-o.gone || r.Held < o.held || r.Reason == "" || r.Time.IsZero() {
			t.Errorf("%+v but %v", o, r)
		}
		aside, err := os.ReadDir(filepath.Join(place, r.Aside))
		if err != nil || len(aside) < 2 && !strings.Contains(r.Reason, "gone") {
			t.Errorf("the damaged database is not kept: %v", err)
		}
		if word, err := os.ReadFile(filepath.Join(place, r.Aside, "report.txt")); err != nil || !strings.Contains(string(word), r.String()) {
			t.Errorf("%q, %v", word, err)
		}
		if list, err := sqlqueue.Aside(place); err != nil || len(list) != 1 || filepath.Base(list[0]) != r.Aside {
			t.Errorf("%v, %v", list, err)
		}
	}
	if err := store.Put(context.Background(), []queue.New{queuetest.Entry(time.Now(), queuetest.Bytes("x"), "d1")}); err != nil {
		t.Errorf("nothing is accepted afterwards: %v", err)
	}
	checkStats(t, store)
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, again := damagedQueue(t, place); len(again) != 0 {
		t.Errorf("damaged again at the next start: %v", again)
	}
}

// checkStats wants the counters to be what is in the queue.
func checkStats(t *testing.T, s *sqlqueue.Store) {
	t.Helper()
	var want queue.Stats
	for _, m := range listAll(t, s) {
		want.Messages++
		want.Bytes += m.Size
		for _, r := range m.Recipients {
			if !r.State.Final() {
				want.Recipients++
			}
			if r.State == queue.Held {
				want.Held++
			}
		}
	}
	got, err := s.Stats(t.Context())
	if got.Oldest = (time.Time{}); err != nil || got != want {
		t.Errorf("stats %+v, counted %+v, %v", got, want, err)
	}
}

// Another key is no damage: nothing is set aside for it, damaged or not.
func TestWrongKeyIsNoDamage(t *testing.T) {
	s := makeSample(t, 20)
	for name, spoil := range map[string]func(db string){
		"whole":   func(string) {},
		"damaged": func(db string) { overwrite(t, db, 0, make([]byte, page)) },
	} {
		place := copyDir(t, s.stopped)
		spoil(filepath.Join(place, "queue.db"))
		if _, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: place, Key: atrest.NewKey()}); !errors.Is(err, sqlqueue.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
		if aside, err := filepath.Glob(filepath.Join(place, "damaged-*")); err != nil || len(aside) != 0 {
			t.Errorf("%s: set aside: %v, %v", name, aside, err)
		}
		store, _ := damagedQueue(t, place)
		if o := fared(t, store, s.messages); o.whole != len(s.messages) {
			t.Errorf("%s: with the right key: %+v", name, o)
		}
	}
}

// Damage that shows while the gateway runs is dealt with at once, and what is put meanwhile is put or refused.
func TestDamageWhileRunning(t *testing.T) {
	sample := makeSample(t, 150)
	recovered := make(chan sqlqueue.Recovery, 10)
	s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: sample.stopped, Key: testKey(t), Recovered: func(r sqlqueue.Recovery) { recovered <- r }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db := filepath.Join(sample.stopped, "queue.db")
	overwrite(t, db, 2*page, make([]byte, size(t, db)/page/2*page))
	deadline := time.After(time.Minute)
	for done := false; !done; {
		s.List(t.Context(), queue.Filter{Limit: 1 << 30}) // what fails tells the writer
		select {
		case r := <-recovered:
			t.Log(r)
			done = true
		case <-deadline:
			t.Fatal("nobody noticed")
		default:
		}
	}
	id := putUntilTaken(t, s)
	if got := listAll(t, s); got[id].Envelope.ID != id {
		t.Errorf("%d messages, the new one %q", len(got), got[id].Envelope.ID)
	}
	checkStats(t, s)
}

// putUntilTaken puts a message as a client does that is told to come again.
func putUntilTaken(t *testing.T, s *sqlqueue.Store) mail.ID {
	t.Helper()
	for {
		n := queuetest.Entry(time.Now(), make(queuetest.Bytes, 200<<10), "d1")
		switch err := s.Put(t.Context(), []queue.New{n}); {
		case err == nil:
			if _, err := read(s, n.Envelope.ID); err != nil {
				t.Errorf("what was put during a rescue: %v", err)
			}
			return n.Envelope.ID
		case !errors.Is(err, queue.ErrUnavailable):
			t.Logf("put: %v", err)
		}
	}
}

// A process that dies while a damaged database is set aside has done nothing that the next start cannot end.
func TestSwapGoesOn(t *testing.T) {
	s := makeSample(t, 20)
	for name, at := range map[string]func(t *testing.T, db, aside string){
		"before anything is moved": func(*testing.T, string, string) {},
		"half way": func(t *testing.T, db, aside string) {
			if err := errors.Join(os.Mkdir(aside, 0o700), os.Rename(db, filepath.Join(aside, "queue.db"))); err != nil {
				t.Fatal(err)
			}
		},
		"a new one not made to its end": func(t *testing.T, db, _ string) {
			if err := os.WriteFile(db+".new", []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			place := copyDir(t, s.killed) // its log must not meet the new database
			db := filepath.Join(place, "queue.db")
			rebuilt, err := os.ReadFile(filepath.Join(s.stopped, "queue.db"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(db+".ready-20300102T030405Z", rebuilt, 0o600); err != nil {
				t.Fatal(err)
			}
			at(t, db, filepath.Join(place, "damaged-20300102T030405Z"))
			store, recovered := damagedQueue(t, place)
			if o := fared(t, store, s.messages); o.whole != len(s.messages) {
				t.Errorf("%+v %v", o, recovered)
			}
			for _, f := range []string{"queue.db", "queue.db-wal"} {
				if _, err := os.Stat(filepath.Join(place, "damaged-20300102T030405Z", f)); err != nil {
					t.Error(err)
				}
			}
			if left, _ := filepath.Glob(db + ".*"); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// The content of messages that were lost is kept beside the damaged database, not swept away.
func TestLostContentIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	s := openStore(t, dir)
	id := put(t, s, make(queuetest.Bytes, 300<<10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execSQL(t, dir, `UPDATE message SET envelope = x'00' WHERE id = ?`, string(id))
	overwrite(t, filepath.Join(dir, "queue.db"), 0, make([]byte, 100))
	_, recovered := damagedQueue(t, dir)
	if len(recovered) != 1 || recovered[0].Lost != 1 || recovered[0].Messages != 0 {
		t.Fatalf("%+v", recovered)
	}
	if kept, err := os.ReadDir(filepath.Join(dir, recovered[0].Aside, "content")); err != nil || len(kept) != 1 {
		t.Errorf("%d files are kept, %v", len(kept), err)
	}
}
