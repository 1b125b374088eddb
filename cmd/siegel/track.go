package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/gateway/track/sqltrack"
)

// trackCmd searches the record of what happened to messages.
type trackCmd struct {
	Find trackFindCmd `cmd:"" help:"List messages, newest first."`
	Show trackShowCmd `cmd:"" help:"Tell the life of a message, step by step."`
}

// recordFlags say which record is searched: that of the running gateway, else the files.
type recordFlags struct {
	controlFlags
	stateFlags
}

// open returns what searches, and a function that ends it.
func (f recordFlags) open() (admin.Track, func(), error) {
	conn, err := net.DialTimeout("unix", f.Socket, 5*time.Second)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
		return running{f.client()}, func() {}, nil
	}
	state, key, err := f.stateFlags.open()
	if err != nil {
		return nil, nil, fmt.Errorf("no gateway listens on %s, and its record cannot be read without it: %w", f.Socket, err)
	}
	r, err := sqltrack.OpenReader(filepath.Join(state, "track"), key)
	if err != nil {
		return nil, nil, err
	}
	return r, func() { r.Close() }, nil
}

// running searches by a running gateway.
type running struct{ client *admin.Client }

// Find implements admin.Track.
func (r running) Find(ctx context.Context, q track.Query) (track.Found, error) {
	return r.client.FindTrack(ctx, q)
}

// Show implements admin.Track.
func (r running) Show(ctx context.Context, id mail.ID) (track.Life, error) {
	return r.client.ShowTrack(ctx, id)
}

// trackFindCmd lists messages.
type trackFindCmd struct {
	recordFlags
	Sender      string        `placeholder:"WHO" help:"Messages of this sender: a whole address, @domain, <> for reports, or a part of an address, which takes longer."`
	Recipient   string        `placeholder:"WHO" help:"Messages to this recipient, written as for --sender."`
	MessageID   string        `name:"message-id" placeholder:"ID" help:"Messages with this Message-ID in their header."`
	Client      string        `placeholder:"ADDRESS" help:"Messages that this address handed over."`
	User        string        `placeholder:"NAME" help:"Messages of this user of a submission listener."`
	Destination string        `placeholder:"ROUTE" help:"Messages for this route or mx:domain."`
	State       string        `placeholder:"STATE" help:"Messages with a recipient that is queued, held, quarantined, delivered, deferred, failed, refused, returned or dropped."`
	Since       time.Duration `placeholder:"TIME" help:"Messages that came so long ago at most, as in 2h."`
	From        string        `placeholder:"TIME" help:"Messages that came at this time or later: 2026-03-01, 2026-03-01 14:30 or as in RFC 3339."`
	To          string        `placeholder:"TIME" help:"Messages that came before this time."`
	Limit       int           `default:"50" help:"Messages to show at most, up to 1000."`
	Before      int64         `placeholder:"N" help:"Go on where an earlier page ended."`
	JSON        bool          `name:"json" help:"Print JSON."`
}

// query turns the flags into a query, as bounded as one that comes over the control socket.
func (c *trackFindCmd) query(now time.Time) (q track.Query, err error) {
	q = track.Query{Sender: c.Sender, Recipient: c.Recipient, MessageID: c.MessageID, Client: c.Client, User: c.User,
		Destination: c.Destination, State: track.Kind(c.State), Limit: c.Limit, Before: c.Before}
	if q.From, err = parseTime(c.From); err != nil {
		return q, err
	}
	if q.To, err = parseTime(c.To); err != nil {
		return q, err
	}
	if c.Since > 0 {
		if c.From != "" {
			return q, errors.New("--since and --from are two ways to say one thing; give one of them")
		}
		q.From = now.Add(-c.Since)
	}
	if c.Limit < 1 {
		return q, errors.New("--limit is 1 at least")
	}
	return admin.ParseTrackQuery(admin.TrackQuery(q))
}

// parseTime reads a time as people write it, in the time zone of this machine where it names none.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is not understood as a time; write 2026-03-01, \"2026-03-01 14:30\" or 2026-03-01T14:30:00+01:00", text)
	}
	return t, nil
}

// Run prints the list.
func (c *trackFindCmd) Run(w io.Writer) error {
	q, err := c.query(time.Now())
	if err != nil {
		return printable(err)
	}
	t, done, err := c.open()
	if err != nil {
		return printable(err)
	}
	defer done()
	found, err := t.Find(context.Background(), q)
	if err != nil {
		return printable(err)
	}
	if c.JSON {
		return printJSON(w, found)
	}
	return printFound(w, found)
}

// trackShowCmd tells the life of messages.
type trackShowCmd struct {
	recordFlags
	ID   []mail.ID `arg:"" name:"id" help:"Id of a message, of one of its variants or of a report about it."`
	JSON bool      `name:"json" help:"Print JSON."`
}

// Run prints the lives.
func (c *trackShowCmd) Run(w io.Writer) error {
	t, done, err := c.open()
	if err != nil {
		return printable(err)
	}
	defer done()
	lives := []track.Life{}
	err = forEach(c.ID, func(id mail.ID) error {
		life, err := t.Show(context.Background(), mail.ID(strings.ToLower(string(id))))
		if errors.Is(err, track.ErrNotFound) {
			return errors.New("no such message in the record")
		}
		if err == nil {
			lives = append(lives, life)
		}
		return err
	})
	if c.JSON {
		return errors.Join(printJSON(w, lives), err)
	}
	for i, l := range lives {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if werr := printLife(w, l); werr != nil {
			return werr
		}
	}
	return err
}
