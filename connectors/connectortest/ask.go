package connectortest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors"
)

// asks are the requests that change nothing.
func (s Stand) asks() map[string]func(context.Context) error {
	asks := map[string]func(context.Context) error{
		"Domains": func(ctx context.Context) error { _, err := s.Provider.Domains(ctx); return err },
		"Fetch": func(ctx context.Context) error {
			return s.Provider.Fetch(ctx, func(context.Context, connectors.Incoming) error { return nil })
		},
	}
	if !s.Forgets {
		asks["Find"] = func(ctx context.Context) error { _, err := s.Provider.Find(ctx, "ask"); return err }
	}
	if !s.NoDirectory {
		asks["Lookup"] = func(ctx context.Context) error { _, err := s.Provider.Lookup(ctx, s.Recipient); return err }
	}
	return asks
}

// askFault: whoever asks while something is wrong learns that it may pass, or that a person has to mend it; never an answer.
func askFault(f Fault) func(context.Context, Stand) error {
	return func(ctx context.Context, s Stand) error {
		if err := s.Back.Fault(f); err != nil {
			return err
		}
		want := []error{connectors.ErrUnavailable}
		if f == Login {
			want = []error{connectors.ErrLogin}
		}
		for name, ask := range s.asks() {
			classes := want
			if name == "Find" && f != Login { // that nothing is found is an answer, and this is none
				classes = append(classes, connectors.ErrInDoubt)
			}
			if err := is(ask(ctx), classes...); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
}

// noAnswer: a request ends with its context, whatever the provider does.
func noAnswer(ctx context.Context, s Stand) error {
	if err := s.Back.Fault(Hangs); err != nil {
		return err
	}
	for name, ask := range s.asks() {
		err := s.hung(ctx, ask)
		if err := is(err, connectors.ErrUnavailable, connectors.ErrInDoubt); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: the error does not say that it was called off: %w", name, err)
		}
	}
	return nil
}

// hung calls off a request once the provider has it.
func (s Stand) hung(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	select {
	case <-s.Back.Hung():
	case err := <-done:
		return fmt.Errorf("it ended before it was called off: %w", err)
	}
	cancel()
	return <-done
}

// canceled: a message that was handed over when its context ended is in doubt, and found afterwards.
func canceled(ctx context.Context, s Stand) error {
	if err := s.Back.Fault(Hangs); err != nil {
		return err
	}
	err := s.hung(ctx, func(ctx context.Context) error {
		_, err := s.Provider.Submit(ctx, s.message("canceled"))
		return err
	})
	if err := is(err, connectors.ErrInDoubt); err != nil {
		return err
	}
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the error does not say that it was called off: %w", err)
	}
	if err := s.Back.Fault(None); err != nil {
		return err
	}
	if err := s.found(ctx, "canceled", true); err != nil {
		return err
	}
	_, err = s.taken("canceled")
	return err
}

// canceledBefore: nothing is begun for a context that has ended.
func canceledBefore(ctx context.Context, s Stand) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.Provider.Submit(ended, s.message("before"))
	if err := is(err, connectors.ErrUnavailable); err != nil {
		return err
	}
	for name, ask := range s.asks() {
		if err := is(ask(ended), connectors.ErrUnavailable); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	_, err = s.taken()
	return err
}

// secrets: no error holds one, nor anything of a message.
func secrets(ctx context.Context, s Stand) error {
	forbidden := append([]string{subject, body[:20], "Number 0"}, s.Secrets...)
	check := func(err error) error {
		for _, word := range forbidden {
			if err != nil && strings.Contains(err.Error(), word) {
				return errors.New("an error holds a secret, or a piece of a message")
			}
		}
		return nil
	}
	if err := s.put(1); err != nil {
		return err
	}
	for f := None; f <= Cut; f++ {
		if f == Hangs || f == Huge {
			continue
		}
		if err := s.Back.Fault(f); err != nil {
			return err
		}
		_, err := s.Provider.Submit(ctx, s.message(fmt.Sprintf("secret-%d", f)))
		if err := check(err); err != nil {
			return fmt.Errorf("with %v Submit says: %w", f, err)
		}
		for name, ask := range s.asks() {
			if err := check(ask(ctx)); err != nil {
				return fmt.Errorf("with %v %s says: %w", f, name, err)
			}
		}
	}
	return nil
}
