package dmda

import (
	"errors"
	"slices"
	"testing"

	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// hands are a test's on the simulated provider. There is no way between it and the connector, so no fault either.
type hands struct {
	*world
	session *Session
	far     *Session
}

func (h *hands) Fault(f connectortest.Fault) error {
	if f != connectortest.None {
		return errors.New("there is no way that could fail")
	}
	return nil
}

func (h *hands) Taken() ([]connectortest.Taken, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	var out []connectortest.Taken
	for _, l := range h.far.account.letters {
		m, err := demail.ParseMetadata(l.header)
		if err != nil {
			return nil, err
		}
		if m.Type != demail.TypeNormal {
			continue
		}
		t := connectortest.Taken{Key: m.PrivateID, Sender: m.Sender, Options: m.Options}
		for _, r := range m.Chosen.All() {
			t.Recipients = append(t.Recipients, r.Address)
		}
		fields := slices.DeleteFunc(slices.Clone(l.header.Fields()), func(f demail.Field) bool { return demail.IsMetadata(f.Name) || f.Is(demail.FieldEnvelopeTo) })
		t.Content = slices.Concat(demail.NewHeader(fields...).Bytes(), []byte("\r\n"), l.body)
		out = append(out, t)
	}
	return out, nil
}

func (h *hands) Put(content []byte) error {
	return h.a.Lay(h.session.account.Addresses[0], content)
}

func (h *hands) Waiting() (int, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return len(h.session.account.letters), nil
}

func (h *hands) Hung() <-chan struct{} { return nil }

// The parts of the contract that can be kept or broken without a way between.
func TestContract(t *testing.T) {
	names := []string{"Domains", "Submit", "SubmitMany", "SubmitUnfit", "Find", "Lookup", "Fetch", "FetchStops", "FetchLeaves", "CanceledBefore"}
	for _, c := range connectortest.Checks() {
		i := slices.Index(names, c.Name)
		if i < 0 {
			continue
		}
		names = slices.Delete(names, i, i+1)
		t.Run(c.Name, func(t *testing.T) {
			w := newWorld(t)
			h := &hands{world: w, session: w.login(w.a, "post@firma.de-mail.de", demail.LevelHigh), far: w.login(w.b, "amt@stadt.de-mail.de", demail.LevelHigh)}
			s := connectortest.Stand{Provider: Connector{h.session}, Back: h, Sender: address(t, "post@firma.de-mail.de"),
				Recipient: address(t, "amt@stadt.de-mail.de"), Missing: address(t, "niemand@stadt.de-mail.de")}
			if err := c.Run(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	if len(names) > 0 {
		t.Error("no such checks:", names)
	}
}
