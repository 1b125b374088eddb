package delivery

import (
	"errors"
	"strings"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// ErrArchive is why a copy for an archive is not returned to anybody.
var ErrArchive = errors.New("it is the copy for an archive, of which no sender is told; release it, or drop it where the law lets you")

// archiveRoute gives the way of a copy for an archive: to the archive that it was put for, whoever its recipient is and whatever an operator chose.
func (s *Scheduler) archiveRoute(rcpt *queue.Recipient) (Route, error) {
	name, ok := strings.CutPrefix(rcpt.Destination, queue.ArchivePrefix)
	if !ok {
		return Route{}, ErrNoRoute
	}
	return s.o.Router.Archive(name)
}

// patiently is the result for a copy for an archive: what an archive refuses today it may take tomorrow, when its administrator has mended it.
// Such a copy is tried until it is taken, or until an operator decides.
func patiently(r Result) Result {
	if r.Status == Refused {
		r.Status = Deferred
	}
	return r
}
