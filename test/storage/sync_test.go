package storage

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// load sends messages over several connections at once, each until it is taken, and returns the subjects of those that
// were answered with 250. Every seventh is large and goes to a file.
func (w *world) load(connections, each int, refused func(error)) map[string]bool {
	accepted := map[string]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			var c *client
			for i := 0; i < each; {
				var err error
				if c == nil {
					if c, err = w.dial(); err != nil {
						refused(err)
						c = nil
						continue
					}
				}
				size := 2000
				if (n+i)%7 == 0 {
					size = 300 << 10
				}
				subject := fmt.Sprintf("%d-%d-%d", len(w.gateway.Log()), n, i)
				if _, err = c.send(subject, size); err != nil {
					refused(err)
					if code := codeOf(err); code == 0 || code == 421 { // the connection is over
						c.conn.Close()
						c = nil
					}
					continue
				}
				mu.Lock()
				accepted[subject] = true
				mu.Unlock()
				i++
			}
			if c != nil {
				c.conn.Close()
			}
		})
	}
	all.Wait()
	return accepted
}

// No 250 is written to a client before the sync that covers its message has returned: of the log with the row,
// and of the file with large content and its folder before that (invariant 1).
func TestNo250BeforeItsSync(t *testing.T) {
	const tries = 5 // a trace in which replies are missing proves nothing; what one shows counts at once
	for try := 1; !traceSyncs(t); try++ {
		if try == tries {
			t.Fatal("the traces do not show what is tested")
		}
	}
}

// traceSyncs compares replies with syncs in the calls of a gateway under load, and reports whether they are all there.
func traceSyncs(t *testing.T) bool {
	w := newWorld(t, "", "1h")
	s := w.trace("-s", "4096", "-e", "trace=fsync,fdatasync,write,pwrite64,openat")
	w.load(6, 15, func(err error) { t.Errorf("refused: %v", err) })
	calls := s.calls()
	var syncs, writes []*call // of the log
	replies, files := 0, 0
	for _, c := range calls {
		switch {
		case c.isSync("queue.db-wal"):
			syncs = append(syncs, c)
		case c.writes("queue.db-wal"):
			writes = append(writes, c)
		case c.name == "openat" && strings.Contains(c.args, "/content/") && strings.Contains(c.args, "O_CREAT"):
			files++
			wantSynced(t, calls, c)
		case c.isReply():
			replies++
			wantCovered(t, c, writes, syncs)
		}
	}
	t.Logf("%d replies, %d syncs of the log, %d content files", replies, len(syncs), files)
	return replies == 6*15 && files > 0 && len(syncs) > 0
}

// wantCovered checks that a reply was written after a sync that began after the message was written: its id stands in
// clear in the log.
func wantCovered(t *testing.T, reply *call, writes, syncs []*call) {
	t.Helper()
	id := queuedAs.FindStringSubmatch(reply.args)[1]
	i := slices.IndexFunc(writes, func(w *call) bool { return strings.Contains(w.args, id) })
	if i < 0 {
		t.Errorf("250 for %s, which was not written at all", id)
		return
	}
	for _, s := range syncs {
		if s.begin > writes[i].end && s.end < reply.begin && !s.failed() {
			return
		}
	}
	t.Errorf("250 for %s (line %d of the trace) before a sync of what was written (line %d)", id, reply.begin, writes[i].begin)
}

// wantSynced checks that a content file was synced, then its folder, and the log only after both.
func wantSynced(t *testing.T, calls []*call, created *call) {
	t.Helper()
	_, name, _ := strings.Cut(created.args, "/content/")
	name, _, _ = strings.Cut(name, `"`)
	var file, folder *call
	for _, c := range calls {
		switch {
		case c.begin < created.end:
		case file == nil && c.isSync(name):
			file = c
		case file != nil && folder == nil && c.begin > file.end && c.isSync("/content"):
			folder = c
		}
	}
	if file == nil || folder == nil || file.failed() || folder.failed() {
		t.Errorf("the content file %s or its folder was not synced", name)
	}
}
