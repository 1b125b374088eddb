package storage

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Syncs fail under load, again and again: nothing that was answered with 250 is lost, and nobody else is told
// anything but to come again. No 250 rests on a sync that succeeds after one of the same log failed: what the kernel
// dropped in between is not there. The log is begun anew first.
func TestSyncsFail(t *testing.T) {
	for name, inject := range map[string]string{
		"of the log and the content": "inject=fsync,fdatasync:error=EIO:when=4+8",
		"of writes":                  "inject=pwrite64:error=EIO:when=200+200",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", "1h")
			s := w.trace("-s", "4096", "-e", "trace=fsync,fdatasync,write,pwrite64,openat,ftruncate,unlink,unlinkat", "-e", inject)
			var mu sync.Mutex
			codes := map[int]int{}
			accepted := map[string]bool{}
			for tries := 0; tries < 10 && len(codes) == 0; tries++ { // strace counts the calls of each thread
				maps.Copy(accepted, w.load(6, 15, func(err error) {
					mu.Lock()
					defer mu.Unlock()
					codes[codeOf(err)]++
				}))
			}
			calls := s.calls()
			for code := range codes {
				if !slices.Contains([]int{421, 451}, code) {
					t.Errorf("refused with %v", codes)
				}
			}
			if len(codes) == 0 {
				t.Error("nothing failed")
			}
			if err := w.gateway.WaitLog(w.context(), "the storage is sound again"); err != nil && name != "of writes" {
				t.Error(err)
			}
			t.Logf("%d accepted, refused by code: %v", len(accepted), codes)
			wantNothingOnDroppedPages(t, calls)
			if err := w.gateway.Stop(w.context()); err != nil {
				t.Error(err)
			}
			if left, err := filepath.Glob(filepath.Join(w.state, "queue", "damaged-*")); err != nil || len(left) != 0 {
				t.Errorf("a failed sync was taken for damage: %v, %v", left, err)
			}
			w.listen()
			w.start()
			w.retry()
			w.wantArrived(accepted)
		})
	}
}

// renewsLog reports whether the log of the queue is begun anew: it is looked at for a new opening, or what waited in
// it was moved to the database and it is emptied or removed. SQLite reuses an open log otherwise.
func (c call) renewsLog() bool {
	switch c.name {
	case "openat", "unlink":
		return strings.Contains(c.args, `queue.db-wal"`)
	case "ftruncate":
		return strings.HasSuffix(c.args, "queue.db-wal>, 0") && !c.failed()
	}
	return false
}

// wantNothingOnDroppedPages checks that after each failed sync of the log no 250 is given for what was written to
// that log: only for what was written after it was begun anew.
func wantNothingOnDroppedPages(t *testing.T, calls []*call) {
	t.Helper()
	failed, failures := 0, 0 // line of the last failure, where the log was not opened anew since
	var behind []*call       // writes to the log after it
	for _, c := range calls {
		switch {
		case c.isSync("queue.db-wal") && c.failed():
			failed, behind = c.end, nil
			failures++
		case failed > 0 && c.begin > failed && c.renewsLog():
			failed, behind = 0, nil
		case failed > 0 && c.writes("queue.db-wal"):
			behind = append(behind, c)
		case failed > 0 && c.isReply():
			id := queuedAs.FindStringSubmatch(c.args)[1]
			if slices.ContainsFunc(behind, func(w *call) bool { return strings.Contains(w.args, id) }) {
				t.Errorf("250 for %s (line %d) though a sync failed (line %d) and the log was not begun anew", id, c.begin, failed)
			}
		}
	}
	t.Logf("%d syncs of the log failed", failures)
}
