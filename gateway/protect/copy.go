package protect

import (
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Copy is the entry of a copy for an archive: the message as it came, to be put in the commit that accepts it. known is an encoded archive.Kept.
func Copy(env mail.Envelope, content mail.Content, archive string, known []byte, now time.Time) queue.New {
	to := mail.Address{Local: archive, Domain: archiveDomain}
	entry := queue.New{
		Envelope: env.WithRecipients(mail.NewID(now), []mail.Recipient{{Address: to, Notify: []string{"NEVER"}}}),
		Content:  content, Origin: env.ID, Destinations: []string{queue.ArchivePrefix + archive},
		Note: "copy for the archive " + archive, Due: now, Archive: known,
	}
	e := &entry.Envelope
	e.From, e.MayUse, e.DeMail, e.EnvID, e.Ret, e.TLS = mail.Address{}, nil, nil, "", "", mail.TLSAsRouted // who sends it is told nothing
	return entry
}
