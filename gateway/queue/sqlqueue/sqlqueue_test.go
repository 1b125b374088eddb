package sqlqueue_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/queue/queuetest"
	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/internal/atrest"
)

func testKey(t testing.TB) atrest.Key {
	t.Helper()
	k, err := atrest.ParseKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestStore(t *testing.T) {
	defer goleak.VerifyNone(t)
	queuetest.Run(t, func(t testing.TB, place string, now func() time.Time) queue.Store {
		s, err := sqlqueue.Open(t.Context(), sqlqueue.Options{Dir: filepath.Join(place, "queue"), Key: testKey(t), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
