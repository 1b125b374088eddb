package admin

import (
	"context"
	"time"
)

// Act is something that an administrator has the gateway do.
type Act struct {
	Time    time.Time
	Who     string   // name and number of the user as far as known: "root (uid 0)"
	What    string   // "drop", "reload", "start"
	Subject []string // what it is done to: ids of messages, files
	Detail  string   // in words
}

// Audit is where acts are written down. Record returns nil when the act is on stable storage; an act whose
// Record fails is not carried out. It may be called at once.
type Audit interface {
	Record(ctx context.Context, a Act) error
}
