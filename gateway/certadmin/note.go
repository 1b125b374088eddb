package certadmin

import (
	"context"
	"slices"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// Act is the question of the command "note": something that was done beside the gateway and belongs into its audit log.
type Act struct {
	What   string `json:"what"`             // one of Noted
	File   string `json:"file"`             // or the smart card
	Detail string `json:"detail,omitempty"` // in words; nothing secret
}

// Noted are the acts that are done beside the gateway and stand in its audit log.
func Noted() []string {
	return []string{"backup", "smartcard-unlock", "smartcard-unlock-failed", "smartcard-unblock", "smartcard-unblock-failed", "smartcard-change-pin",
		"smartcard-change-pin-failed"}
}

// maxDetail bounds what is said of an act, in octets.
const maxDetail = 512

// Note is the command "note".
func Note() admin.CertsCommand {
	return admin.Handle(func(_ context.Context, a Act, record admin.Record) (struct{}, error) {
		if !slices.Contains(Noted(), a.What) {
			return struct{}{}, admin.Refuse("%.40q is nothing that is noted", a.What)
		}
		return struct{}{}, record(a.What, []string{a.File}, safetext.Line(a.Detail, maxDetail))
	})
}
