package delivery

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/queue"
)

// crowd bounds how many destinations of one kind have lanes: those per domain, of which there may be as many as
// messages in the queue. The others wait for a lane to end, in the order in which they came; the store has
// their messages. It belongs to the mutex of the Scheduler.
type crowd struct {
	lanes   int
	waiting []string
	waits   map[string]bool
}

// isOneOfMany tells the destinations per domain by their names, which have a prefix as those of routes never have.
func isOneOfMany(destination string) bool {
	if !strings.Contains(destination, ":") {
		return false
	}
	return !slices.ContainsFunc([]string{queue.ProtectPrefix, queue.DeMailPrefix, queue.ArchivePrefix}, func(prefix string) bool {
		return strings.HasPrefix(destination, prefix)
	})
}

// admit takes a destination in, or has it wait.
func (c *crowd) admit(destination string, most int) bool {
	switch {
	case !isOneOfMany(destination):
		return true
	case c.lanes < most && !c.waits[destination]:
		c.lanes++
		return true
	case !c.waits[destination]:
		if c.waits == nil {
			c.waits = map[string]bool{}
		}
		c.waits[destination] = true
		c.waiting = append(c.waiting, destination)
	}
	return false
}

// leave gives up the lane of a destination and tells the one whose turn it is.
func (c *crowd) leave(destination string) (next string, ok bool) {
	if !isOneOfMany(destination) {
		return "", false
	}
	c.lanes--
	if len(c.waiting) == 0 {
		return "", false
	}
	next, c.waiting = c.waiting[0], c.waiting[1:]
	delete(c.waits, next)
	return next, true
}
