package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// checkTime is how long a check may take before it counts as failed.
const checkTime = 5 * time.Second

// Check is one condition of readiness.
type Check struct {
	Name   string // "queue", "listeners"
	Advice string // what an administrator does where it fails, as a sentence
	// Warning: mail can be taken all the same, somebody only has to look.
	Warning bool
	// Run returns nil where the condition holds. It heeds ctx, and may be called at once.
	Run func(ctx context.Context) error
}

// failure is a check that did not pass.
type failure struct {
	check Check
	err   error
}

// runChecks runs all checks at once, those of more behind the others, and returns those that failed, in order.
func runChecks(ctx context.Context, checks []Check, more func() []Check) []failure {
	if more != nil {
		checks = slices.Concat(checks, more())
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	errs := make([]error, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { errs[i] = c.Run(ctx) })
	}
	all.Wait()
	var failed []failure
	for i, err := range errs {
		if err != nil {
			failed = append(failed, failure{checks[i], err})
		}
	}
	return failed
}

// readiness answers /readyz, and logs when its answer changes: the error texts are for the log only.
type readiness struct {
	checks []Check
	more   func() []Check
	log    logrus.FieldLogger
	mu     sync.Mutex
	last   string // names that failed at the last request
}

func newReadiness(checks []Check, more func() []Check, log logrus.FieldLogger) *readiness {
	return &readiness{checks: checks, more: more, log: log}
}

// ServeHTTP implements http.Handler.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	failed := runChecks(req.Context(), r.checks, r.more)
	r.note(failed)
	code, text := http.StatusOK, "ready\n"
	var b strings.Builder
	for _, f := range failed {
		warning := "warning: "
		if !f.check.Warning {
			code, text, warning = http.StatusServiceUnavailable, "not ready\n", ""
		}
		fmt.Fprintf(&b, "%s%s: %s\n", warning, f.check.Name, f.check.Advice)
	}
	writeText(w, code, text+b.String())
}

func (r *readiness) note(failed []failure) {
	names := make([]string, len(failed))
	for i, f := range failed {
		names[i] = f.check.Name
	}
	now := strings.Join(names, " ")
	r.mu.Lock()
	changed := now != r.last
	r.last = now
	r.mu.Unlock()
	if !changed {
		return
	}
	for _, f := range failed {
		what := "not ready: "
		if f.check.Warning {
			what = "look at this: "
		}
		r.log.WithField("check", f.check.Name).WithField("reason", safetext.Line(f.err.Error(), 512)).Warn(what + f.check.Advice)
	}
	if len(failed) == 0 {
		r.log.Info("ready again")
	}
}
