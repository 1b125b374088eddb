package gateway

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/siegel-mail/siegel/certs/ldap"
)

// stated is a directory in a state.
type stated struct {
	name  string
	state ldap.State
}

func (w stated) Name() string      { return w.name }
func (w stated) State() ldap.State { return w.state }

// Metrics tell of the directories in force, and of no others.
func TestDirectoriesAreWatched(t *testing.T) {
	noon := time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)
	g, none := new(Gateway), []WatchedDirectory{}
	g.directories.Store(&[]WatchedDirectory{
		stated{"company", ldap.State{Found: 7, Nothing: 2, Time: 1500 * time.Millisecond, Connected: 3}},
		stated{"partner", ldap.State{Failed: 4, Err: errors.New("it did not answer in time"), Since: noon}},
	})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newDirectoryCollector(g))
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP siegel_directory_connections Open connections to a directory.
# TYPE siegel_directory_connections gauge
siegel_directory_connections{directory="company"} 3
siegel_directory_connections{directory="partner"} 0
# HELP siegel_directory_questions_total Questions to a directory: found something, found nothing, or got no answer (none).
# TYPE siegel_directory_questions_total counter
siegel_directory_questions_total{answer="found",directory="company"} 7
siegel_directory_questions_total{answer="found",directory="partner"} 0
siegel_directory_questions_total{answer="none",directory="company"} 0
siegel_directory_questions_total{answer="none",directory="partner"} 4
siegel_directory_questions_total{answer="nothing",directory="company"} 2
siegel_directory_questions_total{answer="nothing",directory="partner"} 0
# HELP siegel_directory_seconds_total Time that questions to a directory took.
# TYPE siegel_directory_seconds_total counter
siegel_directory_seconds_total{directory="company"} 1.5
siegel_directory_seconds_total{directory="partner"} 0
# HELP siegel_directory_up 1 where the last question to a directory was answered, 0 where it was not.
# TYPE siegel_directory_up gauge
siegel_directory_up{directory="company"} 1
siegel_directory_up{directory="partner"} 0
`)); err != nil {
		t.Error(err)
	}
	g.directories.Store(&none)
	if n, err := testutil.GatherAndCount(registry); n != 0 || err != nil {
		t.Errorf("%d metrics of no directory, %v", n, err)
	}
}
