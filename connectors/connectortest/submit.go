package connectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// is reports an error that is of none of these classes.
func is(err error, classes ...error) error {
	if !slices.ContainsFunc(classes, func(c error) bool { return connectors.Class(err) == c }) {
		return fmt.Errorf("the error %q is of the class %v, not of %v", fmt.Sprint(err), connectors.Class(err), classes)
	}
	return nil
}

// taken makes sure that exactly the messages of these keys were taken, in any order.
func (s Stand) taken(keys ...string) ([]Taken, error) {
	all, err := s.Back.Taken()
	if err != nil {
		return nil, err
	}
	var got []string
	for _, t := range all {
		got = append(got, t.Key)
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		return nil, fmt.Errorf("the provider has taken %q, not %q", got, keys)
	}
	return all, nil
}

func submit(ctx context.Context, s Stand) error {
	m := s.message("key-1")
	m.Recipients.Cc = []demail.Mailbox{{Address: s.Sender}}
	r, err := s.Provider.Submit(ctx, m)
	if err != nil {
		return err
	}
	if err := connectors.CheckID(r.ID); err != nil {
		return err
	}
	all, err := s.taken("key-1")
	if err != nil {
		return err
	}
	got := all[0]
	if got.Sender != s.Sender || !slices.Equal(got.Recipients, []demail.Address{s.Recipient, s.Sender}) || got.Options != m.Options {
		return fmt.Errorf("what was said about the message became %+v", got)
	}
	return same(got.Content, []byte(m.Content.(Content)))
}

// same makes sure that the bytes are those that were handed over, but for fields of De-Mail on top.
func same(got, want []byte) error {
	rest := got
	for {
		name, _, ok := bytes.Cut(rest, []byte(":"))
		if !ok || !demail.IsMetadata(string(name)) {
			break
		}
		for { // the field with what is folded of it
			_, after, ok := bytes.Cut(rest, []byte("\r\n"))
			if rest = after; !ok || !bytes.HasPrefix(rest, []byte(" ")) && !bytes.HasPrefix(rest, []byte("\t")) {
				break
			}
		}
	}
	if !bytes.Equal(rest, want) {
		return fmt.Errorf("the provider got other bytes:\n%q\nnot\n%q", rest, want)
	}
	return nil
}

// submitMany: different messages at once are each taken once.
func submitMany(ctx context.Context, s Stand) error {
	var keys []string
	var wait sync.WaitGroup
	errs := make([]error, 8)
	ids := make([]string, len(errs))
	for i := range errs {
		key := fmt.Sprintf("many-%d", i)
		keys = append(keys, key)
		wait.Go(func() {
			var r connectors.Receipt
			r, errs[i] = s.Provider.Submit(ctx, s.message(key))
			ids[i] = r.ID
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(errs) {
		return fmt.Errorf("two messages have one id: %q", ids)
	}
	_, err := s.taken(keys...)
	return err
}

// submitUnfit: what Check refuses is not sent.
func submitUnfit(ctx context.Context, s Stand) error {
	for name, change := range map[string]func(*connectors.Message){
		"no key":          func(m *connectors.Message) { m.Key = "" },
		"a key of lines":  func(m *connectors.Message) { m.Key = "a\r\nBcc: b" },
		"a long key":      func(m *connectors.Message) { m.Key = strings.Repeat("k", connectors.MaxKey+1) },
		"no sender":       func(m *connectors.Message) { m.Sender = demail.Address{} },
		"no recipient":    func(m *connectors.Message) { m.Recipients = demail.Recipients{} },
		"an empty one":    func(m *connectors.Message) { m.Recipients.Bcc = []demail.Mailbox{{}} },
		"no content":      func(m *connectors.Message) { m.Content = nil },
		"a large content": func(m *connectors.Message) { m.Content = large{} },
	} {
		m := s.message("unfit")
		change(&m)
		if _, err := s.Provider.Submit(ctx, m); is(err, connectors.ErrRejected, connectors.ErrTooLarge) != nil {
			return fmt.Errorf("%s: %w", name, is(err, connectors.ErrRejected, connectors.ErrTooLarge))
		}
	}
	_, err := s.taken()
	return err
}

// large says that it is, and is not read.
type large struct{ Content }

// Size is beyond every limit.
func (large) Size() int64 { return demail.MaxGross + 1 }

func submitFault(f Fault, taken bool, classes []error) func(context.Context, Stand) error {
	return func(ctx context.Context, s Stand) error {
		if err := s.Back.Fault(f); err != nil {
			return err
		}
		r, err := s.Provider.Submit(ctx, s.message("fault"))
		if err == nil {
			return fmt.Errorf("no error, but the receipt %+v", r)
		}
		if err := is(err, classes...); err != nil {
			return err
		}
		if err := s.Back.Fault(None); err != nil {
			return err
		}
		if err := s.found(ctx, "fault", taken); err != nil {
			return err
		}
		var keys []string
		if taken {
			keys = append(keys, "fault") // once
		}
		_, err = s.taken(keys...)
		return err
	}
}

func find(ctx context.Context, s Stand) error {
	if err := s.found(ctx, "nothing", false); err != nil || s.Forgets {
		return err
	}
	ids := make(map[string]string)
	for _, key := range []string{"find-1", "find-2", "find-11"} {
		r, err := s.Provider.Submit(ctx, s.message(key))
		if err != nil {
			return err
		}
		ids[key] = r.ID
	}
	for key, id := range ids {
		if r, err := s.Provider.Find(ctx, key); err != nil || r.ID != id {
			return fmt.Errorf("%s was taken as %q, and is found as %q: %w", key, id, r.ID, err)
		}
	}
	for _, key := range []string{"find-", "find", "FIND-1", "find-111", "*", "' or '1'='1", "%"} {
		if r, err := s.Provider.Find(ctx, key); err == nil {
			return fmt.Errorf("nothing of the key %q was sent, and %+v is found", key, r)
		}
	}
	return nil
}

func lookup(ctx context.Context, s Stand) error {
	e, err := s.Provider.Lookup(ctx, s.Recipient)
	if s.NoDirectory {
		return is(err, connectors.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	if e.Address != s.Recipient || e.Level != "" && e.Level != demail.LevelNormal && e.Level != demail.LevelHigh {
		return fmt.Errorf("%s is found as %+v", s.Recipient, e)
	}
	if e, err := s.Provider.Lookup(ctx, s.Missing); is(err, connectors.ErrNoSuchAddress) != nil {
		return fmt.Errorf("%s: %+v, %w", s.Missing, e, is(err, connectors.ErrNoSuchAddress))
	}
	return nil
}

// submitNowhere: a provider that knows at once refuses the whole message and says which address it is; another one takes it, and sends a
// notification (TR-01201 3.1, 3.2.1).
func submitNowhere(ctx context.Context, s Stand) error {
	m := s.message("missing")
	m.Recipients.To = append(m.Recipients.To, demail.Mailbox{Address: s.Missing})
	_, err := s.Provider.Submit(ctx, m)
	if err == nil {
		_, err = s.taken("missing")
		return err
	}
	if err := is(err, connectors.ErrNoSuchAddress); err != nil {
		return err
	}
	var e2 *connectors.Error
	if !errors.As(err, &e2) || !slices.Contains(e2.Addresses, s.Missing) || slices.Contains(e2.Addresses, s.Recipient) {
		return fmt.Errorf("the error does not say that it is %s: %w", s.Missing, err)
	}
	_, err = s.taken()
	return err
}

func domains(ctx context.Context, s Stand) error {
	got, err := s.Provider.Domains(ctx)
	if err != nil {
		return err
	}
	if want, err := connectors.CheckDomains(got); err != nil || !slices.Equal(got, want) {
		return fmt.Errorf("%q are not domains in normal form: %w", got, err)
	}
	if !slices.Contains(got, s.Sender.Domain()) {
		return fmt.Errorf("%q are without the sender's", got)
	}
	return nil
}
