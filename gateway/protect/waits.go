package protect

import (
	"slices"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// waiting is what a message waits for, as it rests with the moment at which it was accepted.
type waiting struct {
	For    texts.ID `json:"for"`
	Detail string   `json:"detail,omitempty"`
}

// waitsFor is what a message that is away waits for; nil where nobody is told.
func waitsFor(away *Away) *waiting {
	if away.Reason.ID == "" {
		return nil
	}
	return &waiting{away.Reason.ID, away.Reason.Detail}
}

// noteOf is the same for operators.
func noteOf(away *Away) string { return "held for protection: " + away.Reason.In(texts.English) }

// Waits says for the sender of a message that waits for its protection (queue.Message.IsPending) what it waited for from the first, as it
// comes back without it; the zero Said where that was not noted.
func Waits(m queue.Message) texts.Said {
	then, err := decodeMoment(m.Pending)
	if err != nil || then.Waits == nil || !slices.Contains(texts.Awaited(), then.Waits.For) {
		return texts.Said{}
	}
	return texts.Said{ID: texts.WhyNotProtected, Values: texts.Values{Reason: then.Waits.For, Detail: then.Waits.Detail}}
}
