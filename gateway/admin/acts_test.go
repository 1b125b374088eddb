package admin_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// memoryAudit keeps acts in memory.
type memoryAudit struct {
	mu    sync.Mutex
	acts  []admin.Act
	fault error
}

// Record implements admin.Audit.
func (a *memoryAudit) Record(_ context.Context, act admin.Act) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault == nil {
		a.acts = append(a.acts, act)
	}
	return a.fault
}

// That the gateway refused a configuration is an entry of its own behind the order.
func TestRefusedReloadIsAudited(t *testing.T) {
	audit := &memoryAudit{}
	s := start(t, func(o *admin.ControlOptions) {
		o.Audit, o.Reload = audit, func(context.Context) error { return errors.New("line 7: no such key") }
	})
	if err := s.client.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "line 7") {
		t.Fatal(err)
	}
	if len(audit.acts) != 2 || audit.acts[1].What != "reload-refused" || audit.acts[1].Who != audit.acts[0].Who {
		t.Errorf("%+v", audit.acts)
	}
}

// An act is recorded with who did it before it is done, and is not done where it cannot be recorded.
func TestReloadIsAudited(t *testing.T) {
	audit, reloads := &memoryAudit{}, 0
	s := start(t, func(o *admin.ControlOptions) {
		o.Audit, o.Reload = audit, func(context.Context) error { reloads++; return nil }
	})
	if err := s.client.Reload(t.Context()); err != nil || reloads != 1 {
		t.Fatal(reloads, err)
	}
	audit.fault = errors.New("disk on fire")
	if err := s.client.Reload(t.Context()); err == nil || reloads != 1 || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("without a record: %d reloads, %v", reloads, err)
	}
	want := fmt.Sprintf("uid %d", os.Getuid())
	if len(audit.acts) != 1 || audit.acts[0].What != "reload" || !strings.Contains(audit.acts[0].Who, want) || !audit.acts[0].Time.Equal(noon) {
		t.Errorf("%+v", audit.acts)
	}
}
