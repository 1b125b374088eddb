package origin

import (
	"errors"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/status"
	"github.com/siegel-mail/siegel/gateway/texts"
)

// refusal is what the client of a refused message is told. The cause is for the log.
func refusal(env mail.Envelope, r mailauth.Result, a mailauth.Action) error {
	id, v := said(env, r, a)
	return status.Say(errors.New("origin: "+a.Text), a.Code, a.Enhanced, id, v)
}

// ownDomains is the method by which a message that says to be the company's own is judged.
const ownDomains = "own_domains"

// said is the text of an action, and what it is about.
func said(env mail.Envelope, r mailauth.Result, a mailauth.Action) (texts.ID, texts.Values) {
	v := texts.Values{Host: a.Domain, Detail: a.Reason}
	switch {
	case a.Method == "from":
		return texts.OriginFrom, v
	case a.Method == ownDomains:
		return texts.OriginOwn, v
	case a.Method == "dmarc" && r.DMARC.Status == mailauth.Fail:
		v.Detail = string(r.DMARC.Policy)
		return texts.OriginDMARC, v
	case a.Method == "spf" && (r.SPF.Status == mailauth.Fail || r.SPF.Status == mailauth.SoftFail):
		v.Address = env.Client.Addr.String()
		return texts.OriginSPF, v
	case a.Method == "dkim":
		return texts.OriginDKIM, v
	}
	return texts.OriginUnclear, v
}
