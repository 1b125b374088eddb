package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// domains: the account is let in, and its domains are read.
func (t *trial) domains(ctx context.Context) (string, error) {
	got, err := t.provider.Domains(ctx)
	if err != nil {
		return "", t.explain(webservice.OpDomains, err)
	}
	if !slices.Equal(got, []string{ownDomain}) {
		return "", fmt.Errorf("the account has the domain %s, and %q are read", ownDomain, got)
	}
	return "the account is let in; its domain is read", nil
}

// login: a session that has ended is begun anew.
func (t *trial) login(ctx context.Context) (string, error) {
	t.handler.Expire()
	if _, err := t.provider.Domains(ctx); err != nil {
		return "", fmt.Errorf("the session has ended, and no new one is begun; give the provider's code for that the class session-expired: %w", err)
	}
	return "a session is begun, and begun anew when it has ended", nil
}

// lay puts messages into the company's own mailbox.
func (t *trial) lay(n int) error {
	for i := range n {
		if err := t.own.Lay(address(ownAddress).Address, received(i)); err != nil {
			return err
		}
	}
	return nil
}

func received(n int) []byte {
	return fmt.Appendf(nil, "From: %s\r\nSubject: %d <&>\r\n\r\nSch\xf6n \x00\r\n.\r\n%d\r\n", farAddress, n, n)
}

// clear empties the company's own mailbox.
func (t *trial) clear() error {
	s, err := t.own.Login(address(ownAddress).Address, demail.LevelHigh, "SIMULATED")
	if err != nil {
		return err
	}
	for _, w := range s.List() {
		s.Acknowledge(w.ID)
	}
	return nil
}

// list: all pages are read.
func (t *trial) list(ctx context.Context) (string, error) {
	n := t.profile.Limits.Page + 1
	if err := errors.Join(t.clear(), t.lay(n)); err != nil {
		return "", err
	}
	got, err := t.client.List(ctx)
	if err != nil {
		return "", t.explain(webservice.OpList, err)
	}
	if len(got) != n {
		return "", fmt.Errorf("%d messages wait, and %d are listed; look at paging", n, len(got))
	}
	for _, w := range got {
		if w.Size >= 0 && w.Size < int64(len(received(0))) {
			return "", fmt.Errorf("a message of %d bytes is listed with %d", len(received(0)), w.Size)
		}
	}
	return fmt.Sprintf("%d messages, one more than a page asks for, are listed", n), t.clear()
}

// fetch: what comes is what lies there, byte for byte.
func (t *trial) fetch(ctx context.Context) (string, error) {
	if !t.profile.Answers(webservice.OpList) {
		return "not looked at, since no list can be asked for", nil
	}
	if err := errors.Join(t.clear(), t.lay(2)); err != nil {
		return "", err
	}
	n := 0
	err := t.provider.Fetch(ctx, func(_ context.Context, in connectors.Incoming) error {
		text, err := io.ReadAll(in.Content)
		if err != nil {
			return err
		}
		if !bytes.Equal(text, received(n)) {
			return errors.New("a message was fetched with other bytes than it has, or out of order")
		}
		n++
		return connectors.ErrLeave
	})
	if err != nil {
		return "", t.explain(webservice.OpFetch, err)
	}
	if n != 2 {
		return "", fmt.Errorf("2 messages wait, and %d are fetched", n)
	}
	return "two messages are fetched as they are, in their order", nil
}

// acknowledge: what was stored does not come again.
func (t *trial) acknowledge(ctx context.Context) (string, error) {
	if err := errors.Join(t.clear(), t.lay(2)); err != nil {
		return "", err
	}
	s, err := t.own.Login(address(ownAddress).Address, demail.LevelHigh, "SIMULATED")
	if err != nil {
		return "", err
	}
	if err := t.client.Acknowledge(ctx, s.List()[0].ID); err != nil {
		return "", t.explain(webservice.OpAcknowledge, err)
	}
	if left := len(s.List()); left != 1 {
		return "", fmt.Errorf("one of two messages was acknowledged, and %d are left", left)
	}
	return "what is acknowledged does not come again", t.clear()
}

// lookup: who is there is found, with the level, and who is not is not.
func (t *trial) lookup(ctx context.Context) (string, error) {
	e, err := t.provider.Lookup(ctx, address(farAddress).Address)
	if err != nil {
		return "", t.explain(webservice.OpLookup, err)
	}
	said := "an address is found"
	switch {
	case e.Level == demail.LevelHigh:
		said += " with its level"
	case t.profile.LevelWord(string(demail.LevelHigh)) != "":
		return "", errors.New("the address has the level high, and another one is read")
	default:
		said += " without a level, since the profile has no words for them"
	}
	if _, err := t.provider.Lookup(ctx, address(missing).Address); connectors.Class(err) != connectors.ErrNoSuchAddress {
		return "", fmt.Errorf("an address that does not exist is not unknown: %w", err)
	}
	return said + ", and one that does not exist is not", nil
}
