package certadmin

import (
	"context"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// Act is the question of the command "note": something that was done beside the gateway and belongs into its audit log.
type Act struct {
	What string `json:"what"` // "backup"
	File string `json:"file"`
}

// Note is the command "note".
func Note() admin.CertsCommand {
	return admin.Handle(func(_ context.Context, a Act, record admin.Record) (struct{}, error) {
		if a.What != "backup" {
			return struct{}{}, admin.Refuse("%.40q is nothing that is noted", a.What)
		}
		return struct{}{}, record(a.What, []string{a.File}, "")
	})
}
