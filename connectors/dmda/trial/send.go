package trial

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/dmdaweb"
	"github.com/siegel-mail/siegel/connectors/webservice"
)

// memory is a message.
type memory []byte

// Size is its length.
func (m memory) Size() int64 { return int64(len(m)) }

// Open reads it.
func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }

func address(s string) demail.Mailbox {
	a, _ := demail.ParseAddress(s) // of our own
	return demail.Mailbox{Address: a}
}

// message is one with everything in it that XML or base64 could harm.
func (t *trial) message(o demail.Options) connectors.Message {
	t.keys++
	m := connectors.Message{Key: fmt.Sprintf(`trial-<&"'>-%d`, t.keys), Sender: address(sender).Address, Options: o, Recipients: demail.Recipients{
		To: []demail.Mailbox{address(farAddress), address("buero@" + farDomain)}, Cc: []demail.Mailbox{address("kasse@" + farDomain)}, Bcc: []demail.Mailbox{address("geheim@" + farDomain)}}}
	m.Content = memory("From: <" + sender + ">\r\nTo: " + farAddress + ", buero@" + farDomain + "\r\nCc: kasse@" + farDomain + "\r\nSubject: <a> & ]]> \"b\"\r\nMessage-ID: <" +
		fmt.Sprint(t.keys) + "@firma.de-mail.de>\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSchöne Grüße <&>\x00\xff\r\n.\r\n\r\n--\r\n")
	return m
}

// arrived empties the mailbox of the other side, and gives the messages themselves.
func (t *trial) arrived() ([]letter, error) {
	s, err := t.far.Login(address(farAddress).Address, demail.LevelHigh, "SIMULATED")
	if err != nil {
		return nil, err
	}
	var out []letter
	for _, w := range s.List() {
		l, err := s.Get(w.ID)
		if err != nil {
			return nil, err
		}
		s.Acknowledge(w.ID)
		one, err := parse(l)
		if err != nil {
			return nil, err
		}
		if one.meta.Type == demail.TypeNormal {
			out = append(out, one)
		}
	}
	return out, nil
}

// letter is a message that has arrived.
type letter struct {
	meta    *demail.Metadata
	content []byte // as it was before the provider added to it
}

func parse(l dmda.Letter) (letter, error) {
	h, err := demail.ReadHeader(bufio.NewReader(bytes.NewReader(l.Content)))
	if err != nil {
		return letter{}, err
	}
	m, err := demail.ParseMetadata(h)
	own := slices.DeleteFunc(slices.Clone(h.Fields()), func(f demail.Field) bool { return demail.IsMetadata(f.Name) || f.Is(demail.FieldEnvelopeTo) })
	return letter{m, slices.Concat(demail.NewHeader(own...).Bytes(), l.Content[len(h.Bytes()):])}, err
}

// send submits a message and gives what arrives of it.
func (t *trial) send(ctx context.Context, m connectors.Message) (connectors.Receipt, []letter, error) {
	r, err := t.provider.Submit(ctx, m)
	if err != nil {
		return r, nil, t.explain(webservice.OpSubmit, err)
	}
	all, err := t.arrived()
	return r, all, err
}

// explain adds to an error what the simulated provider has noted.
func (t *trial) explain(op webservice.Operation, err error) error {
	if why := t.why(op); why != "" {
		return fmt.Errorf("%w; the simulated provider says: %s", err, why)
	}
	return err
}

// submit: the message arrives as it was sent, once for each who may see it.
func (t *trial) submit(ctx context.Context) (string, error) {
	m := t.message(demail.Options{})
	r, all, err := t.send(ctx, m)
	if err != nil {
		return "", err
	}
	if r.ID == "" || len(all) == 0 {
		return "", errors.New("nothing arrived")
	}
	seen := map[demail.Address]bool{}
	for _, l := range all {
		switch {
		case !bytes.Equal(l.content, m.Content.(memory)):
			return "", errors.New("the message arrived with other bytes than it was sent with")
		case l.meta.PrivateID != m.Key:
			return "", fmt.Errorf("the key of the message was %s, and %s arrived", m.Key, l.meta.PrivateID)
		case l.meta.Sender != m.Sender:
			return "", fmt.Errorf("the sender of the message was %s, and %s arrived", m.Sender, l.meta.Sender)
		}
		for _, o := range l.meta.Chosen.All() {
			seen[o.Address] = true
		}
		if secret := m.Recipients.Bcc[0].Address; len(l.meta.Chosen.All()) > 1 && strings.Contains(l.meta.Chosen.String(), secret.String()) {
			return "", fmt.Errorf("others see the recipient %s, who was Bcc", secret)
		}
	}
	for _, o := range m.Recipients.All() {
		if !seen[o.Address] {
			return "", fmt.Errorf("nothing arrived at %s; does the request name all recipients", o.Address)
		}
	}
	return fmt.Sprintf("taken as %s; %d bytes, key, sender and four recipients arrived as they were sent, Bcc unseen", r.ID, m.Content.Size()), nil
}

// options: each arrives, and no other with it.
func (t *trial) options(ctx context.Context) (string, error) {
	lost := []string{}
	for name, o := range map[string]demail.Options{
		"dispatch": {Dispatch: true}, "receipt": {Receipt: true}, "retrieve": {Retrieve: true}, "authoritative": {Authoritative: true}, "private": {Private: true},
	} {
		_, all, err := t.send(ctx, t.message(o))
		if err != nil {
			return "", fmt.Errorf("with the option %s: %w", name, err)
		}
		for _, l := range all {
			got := l.meta.Options
			got.Private = got.Private && !o.Retrieve // which implies it (TR-01201 3.1, 3.3.5)
			if got != o && !slices.Contains(lost, name) {
				lost = append(lost, name)
			}
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		return "", fmt.Errorf("the provider does not learn that these options were asked for: %s; write their variables into the request, or they are lost", strings.Join(lost, ", "))
	}
	return "each of the five options arrived", nil
}

// find: the key finds the message, and no other key does.
func (t *trial) find(ctx context.Context) (string, error) {
	m := t.message(demail.Options{})
	r, _, err := t.send(ctx, m)
	if err != nil {
		return "", err
	}
	found, err := t.provider.Find(ctx, m.Key)
	if err != nil {
		return "", t.explain(webservice.OpFind, err)
	}
	if found.ID != r.ID {
		return "", fmt.Errorf("the message was taken as %s, and %s is found", r.ID, found.ID)
	}
	if _, err := t.provider.Find(ctx, "another"); connectors.Class(err) != connectors.ErrNotFound {
		return "", fmt.Errorf("a message that was never sent is looked for, and the answer is not that there is none: %w", err)
	}
	return "the key finds " + r.ID + ", and another key finds nothing", nil
}

// lost: where the answer is lost, nobody sends again before find has told.
func (t *trial) lost(ctx context.Context) (string, error) {
	t.handler.SetFaults(dmdaweb.Fault{Kind: dmdaweb.Lost, Operation: webservice.OpSubmit, Times: 1})
	defer t.handler.SetFaults()
	m := t.message(demail.Options{})
	_, err := t.provider.Submit(ctx, m)
	if connectors.OutcomeOf(err) != connectors.Doubtful {
		return "", fmt.Errorf("the answer was lost, and that is not in doubt: %w", err)
	}
	if !t.profile.Has(webservice.OpFind) {
		return "an answer that is lost is in doubt, and stays so: the profile has no find", nil
	}
	if !t.profile.Answers(webservice.OpFind) {
		return "an answer that is lost is in doubt", nil
	}
	if _, err := t.provider.Find(ctx, m.Key); err != nil {
		return "", fmt.Errorf("the answer was lost, and the message is not found: %w", err)
	}
	return "an answer that is lost is in doubt, and find tells that the message was taken", nil
}

// refusals: every class that the profile has a code for is understood as that.
func (t *trial) refusals(ctx context.Context) (string, error) {
	var understood, none []string
	for _, one := range []struct {
		kind  dmdaweb.Kind
		class webservice.Class
		want  error
	}{
		{dmdaweb.Unavailable, webservice.Unavailable, connectors.ErrUnavailable}, {dmdaweb.Rejected, webservice.Rejected, connectors.ErrRejected},
		{dmdaweb.UnknownAt, webservice.NoSuchAddress, connectors.ErrNoSuchAddress}, {dmdaweb.NotEntitled, webservice.NotEntitled, connectors.ErrNotEntitled},
		{dmdaweb.DailyLimit, webservice.OverQuota, connectors.ErrNotEntitled}, {dmdaweb.TooLarge, webservice.TooLarge, connectors.ErrTooLarge}, {dmdaweb.Login, webservice.LoginFailed, connectors.ErrLogin},
	} {
		if !t.profile.Refuses(one.class) {
			none = append(none, string(one.class))
			continue
		}
		t.handler.SetFaults(dmdaweb.Fault{Kind: one.kind})
		_, err := t.provider.Submit(ctx, t.message(demail.Options{}))
		t.handler.SetFaults()
		t.pass(25 * time.Hour) // a login that was refused is not tried again for a while
		if connectors.Class(err) != one.want {
			return "", fmt.Errorf("the provider refuses as %s, and that is understood as: %w", one.class, err)
		}
		understood = append(understood, string(one.class))
	}
	said := "refusals are understood: " + strings.Join(understood, ", ")
	if len(understood) == 0 {
		said = "the profile has no codes"
	}
	if len(none) > 0 {
		said += "; without a code and an example of it: " + strings.Join(none, ", ")
	}
	return said, nil
}
