package protect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// moment is what counts of the moment at which a pending message was accepted. It rests in the queue, sealed.
type moment struct {
	// MayUse are the addresses the submitter may have signed (invariant 4).
	MayUse mail.Patterns `json:"may_use"`
	// AtLeast are the levels that were in force for each recipient of the envelope.
	AtLeast []policy.Levels `json:"at_least"`
	// Quarantine is, for each recipient of the envelope, why a person was to decide; empty for those for whom nobody was. nil: for nobody.
	Quarantine []string `json:"quarantine,omitempty"`
	// DeMail is how it leaves as De-Mail; nil: it did not.
	DeMail *deMailMoment `json:"de_mail,omitempty"`
	// Waits is what it waits for, for its sender; nil: that is not known.
	Waits *waiting `json:"waits,omitempty"`
}

func (m moment) encode() ([]byte, error) { return json.Marshal(m) }

// decodeMoment reads what encode wrote, and nothing else: what is not understood is not guessed at.
func decodeMoment(b []byte) (moment, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m moment
	if err := d.Decode(&m); err != nil {
		return moment{}, momentError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return moment{}, momentError(errors.New("there is more than one of it"))
	}
	for _, l := range m.AtLeast {
		if l.Sign == "" || l.Encrypt == "" {
			return moment{}, momentError(errors.New("a level is missing"))
		}
	}
	if then := m.DeMail; then != nil && (then.Account == "" || then.Sender.IsZero() || then.Author.IsNull()) {
		return moment{}, momentError(errors.New("a De-Mail has no account, sender or author"))
	}
	return m, nil
}
