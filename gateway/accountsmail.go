package gateway

import (
	"context"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// tellRefusedLogin tells the administrators that a provider does not let an account in, so that nothing of it is sent or fetched.
func (g *Gateway) tellRefusedLogin(account string, why error) {
	line := safetext.Line(why.Error(), 300)
	g.o.Log.WithField("account", account).Error("The De-Mail provider does not let the account in, and is not asked again: " + line + ". Mend it, then: siegel reload")
	g.tellAdministrators(context.Background(), texts.AlarmLogin, texts.Values{Account: account, Lines: []string{line}})
}

// tellDoubt tells the administrators of a De-Mail of which nobody knows whether it was sent.
func (g *Gateway) tellDoubt(account, key string, id mail.ID) {
	g.o.Log.WithField("account", account).WithField("id", id).Warnf("Nobody knows whether the De-Mail provider has a message; it is held. siegel demail show %s", key)
	g.tellAdministrators(context.Background(), texts.AlarmDoubt, texts.Values{Account: account, Number: string(id), Detail: key})
}
