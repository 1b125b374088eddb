package survey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/smartcard"
	"github.com/siegel-mail/siegel/smartcard/survey"
)

// hanging is a service that takes calls and does not answer.
type hanging struct{ smartcard.Transport }

// Readers implements smartcard.Transport.
func (hanging) Readers(ctx context.Context) ([]smartcard.ReaderState, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("it does not answer: %w", ctx.Err())
}

// A service that hangs is told, and keeps nobody waiting for ever.
func TestHangingService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := survey.Options{Transport: hanging{}}
		began := time.Now()
		if _, err := survey.Take(t.Context(), o); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Minute {
			t.Error(err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var told []string
		if err := survey.Follow(ctx, o, func(e survey.Event) { told = append(told, e.Text) }); err != nil {
			t.Error(err)
		}
		if len(told) != 1 || !strings.HasPrefix(told[0], "it does not answer") {
			t.Errorf("%q", told)
		}
	})
}
