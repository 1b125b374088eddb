package smtpin

import (
	"context"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Backup knows the recipients beside Options.Local that external listeners take: mail for them is kept until their
// own server can take it. It is called at once from many goroutines.
type Backup interface {
	// Takes reports whether an address is one of them.
	Takes(to mail.Address) bool
	// Room returns an error where a message of so many octets, 0 where that is unknown, cannot be kept for an
	// address that is taken now; it becomes the reply to RCPT by [status.For].
	Room(ctx context.Context, to mail.Address, size int64) error
}

// keeps reports whether mail for an address is kept as a backup.
func (l *site) keeps(to mail.Address) bool { return l.Backup != nil && l.Backup.Takes(to) }

// room asks whether there is room for a message of so many octets, 0 where that is not known, for a recipient of an external listener.
func (l *site) room(ctx context.Context, to mail.Address, size int64) error {
	if l.Role != External || l.Local.Match(to) || !l.keeps(to) {
		return nil
	}
	return l.Backup.Room(ctx, to, size)
}
