package gateway

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/archive/backlog"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
)

// copies takes room for the copies among entries that are to be committed, and returns the entries that are. Where an archive has no room the error is a
// status.Error, or its copy is left out, as the administrator chose. done must be called once with whether the entries are in the queue.
func (g *Gateway) copies(ctx context.Context, env mail.Envelope, entries []queue.New) (out []queue.New, done func(put bool), err error) {
	if !slices.ContainsFunc(entries, isCopy) {
		return entries, func(bool) {}, nil
	}
	if !env.Fetched && g.isJournal(env, entries) {
		return slices.DeleteFunc(entries, isCopy), func(bool) {}, nil
	}
	var taken []func(bool)
	done = func(put bool) {
		for _, f := range taken {
			f(put)
		}
	}
	for _, e := range entries {
		if !isCopy(e) {
			out = append(out, e)
			continue
		}
		a, _ := g.archiveOf(strings.TrimPrefix(e.Destinations[0], queue.ArchivePrefix))
		settled, err := g.backlogs.Reserve(ctx, a.Name, a.Limit, e.Content.Size())
		switch {
		case err == nil:
			taken, out = append(taken, settled), append(out, e)
		case errors.Is(err, backlog.ErrFull) && a.Continue:
			g.leftOut(e, a)
		default:
			done(false)
			return nil, nil, err
		}
	}
	return out, done, nil
}

// copiesOfDeMail implements inbox.Options.Copies.
func (g *Gateway) copiesOfDeMail(ctx context.Context, env mail.Envelope, from mail.Address, content mail.Content) ([]queue.New, func(bool), error) {
	entries, err := g.protector.Load().CopiesOf(ctx, env, from, content)
	if err != nil {
		return nil, nil, err
	}
	return g.copies(ctx, env, entries)
}

func isCopy(e queue.New) bool { return e.Archive != nil }

// leftOut says that a message is taken without its copy.
func (g *Gateway) leftOut(e queue.New, a Archive) {
	g.o.Log.WithField("id", e.Origin).WithField("archive", a.Name).Error("The message is not archived: so many copies wait for the archive that archives.limit is reached, and when_full is continue.")
	g.recorder.Record(track.Event{
		Time: g.o.Now(), Kind: track.Dropped, ID: e.Envelope.ID, Origin: e.Origin, Direction: e.Envelope.Direction(), Destination: e.Destinations[0],
		Reply: "not archived: too many copies wait for the archive", Size: e.Content.Size(),
	})
}

// isJournal reports whether a message is a copy that was sent to a journal address and has come round, or tells that such a copy could not be delivered:
// neither is archived, since it would never end. A copy has the author of copies, whom nobody is who borrows the id of one.
func (g *Gateway) isJournal(env mail.Envelope, entries []queue.New) bool {
	sends := func(from mail.Address) bool {
		return slices.ContainsFunc(*g.archives.Load(), func(a Archive) bool { return !a.From.IsNull() && a.From.Key() == from.Key() })
	}
	if env.From.IsNull() && len(env.Recipients) > 0 && !slices.ContainsFunc(env.Recipients, func(r mail.Recipient) bool { return !sends(r.Address) }) {
		return true
	}
	header := outerHeader(entries[slices.IndexFunc(entries, isCopy)].Content)
	local, host, ok := strings.Cut(strings.Trim(header("Message-ID"), "<>"), "@")
	if !ok || !strings.EqualFold(host, g.o.Hostname) {
		return false
	}
	copyID, mark, _ := strings.Cut(local, ".")
	if !hmac.Equal([]byte(mark), []byte(g.journalMark(copyID))) {
		return false
	}
	author, err := netmail.ParseAddress(header("From"))
	if err != nil {
		return false
	}
	from, err := mail.ParseAddress(author.Address)
	return err == nil && sends(from)
}

// copiesIn is the store as package backlog asks it, which is opened later.
type copiesIn struct{ *Gateway }

// Waiting implements backlog.Queue.
func (b copiesIn) Waiting(ctx context.Context, name string) (bytes int64, err error) {
	u, err := b.store.Usage(ctx, queue.ArchivePrefix+name)
	return u.Bytes, err
}

var _ backlog.Queue = copiesIn{}

// oldestCopy is when the oldest copy came that waits for an archive; zero where none does.
func (g *Gateway) oldestCopy(ctx context.Context, name string) (time.Time, error) {
	list, err := g.store.List(ctx, queue.Filter{Destination: queue.ArchivePrefix + name, Limit: 1})
	if err != nil || len(list) == 0 {
		return time.Time{}, err
	}
	return list[0].Envelope.Received, nil
}

// waitingCopies says what waits for an archive, for people.
func waitingCopies(u queue.Usage, oldest time.Time) string {
	return fmt.Sprintf("%d copies (%d MB) wait, the oldest since %s", u.Messages, u.Bytes>>20, oldest.UTC().Format(time.RFC3339))
}
