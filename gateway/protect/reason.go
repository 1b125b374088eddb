package protect

import (
	"errors"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/smime"
)

// recipientReason says why a recipient's certificate cannot be encrypted to; empty where the error says nothing of it.
func recipientReason(err error) texts.ID {
	var unusable *certs.UnusableError
	switch {
	case errors.Is(err, certs.ErrNotFound):
		return texts.ReasonNone
	case !errors.As(err, &unusable):
		return ""
	}
	switch unusable.Result.Status {
	case certs.StatusExpired:
		return texts.ReasonExpired
	case certs.StatusTime:
		return texts.ReasonEarly
	case certs.StatusUntrusted:
		return texts.ReasonUntrusted
	case certs.StatusPurpose:
		return texts.ReasonPurpose
	case certs.StatusWeak:
		return texts.ReasonWeak
	case certs.StatusRevoked:
		return texts.ReasonRevoked
	}
	return texts.ReasonUnusable
}

// senderReason says why a sender's certificate cannot sign; empty where the error says nothing of it.
func senderReason(err error) texts.ID {
	switch recipientReason(err) {
	case "":
		return ""
	case texts.ReasonNone:
		return texts.ReasonNoKey
	case texts.ReasonExpired:
		return texts.ReasonKeyExpired
	case texts.ReasonRevoked:
		return texts.ReasonKeyRevoked
	}
	return texts.ReasonKeyUnusable
}

// unfitReason says what is not as strong as a profile demands: mine, of the sender's certificate. Zero where err says nothing of it.
func unfitReason(err error, mine bool) texts.Reason {
	var unfit *smime.UnfitError
	if !errors.As(err, &unfit) {
		return texts.Reason{}
	}
	r := texts.Reason{ID: texts.ReasonUnfit, Detail: unfit.Detail}
	switch {
	case unfit.What == smime.UnfitRule:
		r.ID = texts.ReasonContrary
	case unfit.What == smime.UnfitProgram:
		r.ID = texts.ReasonProgram
	case mine:
		r.ID = texts.ReasonKeyUnfit
	}
	return r
}
