// Package pickup takes in messages that applications put into a folder as files. It speaks no protocol and decides no policy.
//
// An application writes a message under another name and then renames it to NAME.eml; the user of the gateway
// must be able to write to the folder. Each file is first moved into the folder taking/, which belongs to the
// gateway alone, and judged there, where nobody can put another in its place. What is accepted is deleted after
// its commit; what cannot be sent goes to bad/ with the reason in a .txt beside it; what cannot be sent now stays in
// taking/ and is tried again, also by the next run. A gateway that is killed between the commit and the deletion
// sends the message once more.
package pickup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// Listener is the name under which messages from the folder stand in the log and the record.
const Listener = "pickup"

// Handler takes messages, as [smtpin.Handler] does: nil means that the message is durable.
type Handler interface {
	Accept(ctx context.Context, env mail.Envelope, content mail.Content) error
}

// Options are what a Folder needs. Dir, Owners, Senders, Hostname, Handler and Spool are required.
type Options struct {
	Dir           string
	Owners        []uint32      // the users whose files are taken
	Senders       mail.Patterns // the From addresses and envelope senders that are taken, and may be signed
	Hostname      string
	MaxSize       int64         // bytes of a file; 0: 50 MiB
	MaxRecipients int           // of a message; 0: 1000
	Interval      time.Duration // between looks into the folder; 0: 2 seconds
	Settle        time.Duration // a file that has not changed for so long is complete; 0: 2 seconds
	Handler       Handler
	Spool         *atrest.Spool
	Recorder      track.Recorder     // nil: none
	Log           logrus.FieldLogger // nil: none
	Now           func() time.Time   // nil: time.Now
}

const (
	takingDir     = "taking"
	badDir        = "bad"
	headerLimit   = 256 << 10
	perScan       = 1000 // files of one look, so that a stop need not wait long
	firstWait     = 30 * time.Second
	longestWait   = 15 * time.Minute
	defaultSize   = 50 << 20
	defaultPeople = 1000
)

// ErrFolder is what the errors of Open about the folder wrap.
var ErrFolder = errors.New("pickup: the folder cannot be used")

// Folder is a folder that is watched. Run and Scan must not be called at once.
type Folder struct {
	o           Options
	root        *os.Root
	taking, bad *os.Root
	seen        map[string]sight  // new files, by name
	waits       map[string]wait   // files in taking/ that are tried again
	handled     map[string]string // files in taking/ that only wait to be moved away, with the reason that is set beside them; none: they were sent
	closing     sync.Once
}

// sight is how a file looked, and since when.
type sight struct {
	size  int64
	mtime time.Time
	since time.Time
}

// wait is when a file is tried again, and how long the wait was.
type wait struct {
	next time.Time
	last time.Duration
}

// Open checks the folder, makes taking/ and bad/ in it where they are missing, and reads nothing yet. The caller
// calls Close.
func Open(o Options) (*Folder, error) {
	o = o.withDefaults()
	if len(o.Owners) == 0 || len(o.Senders) == 0 || o.Handler == nil || o.Spool == nil {
		return nil, errors.New("pickup: owners, senders, a handler and a spool are needed")
	}
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	f := &Folder{o: o, root: root, seen: map[string]sight{}, waits: map[string]wait{}, handled: map[string]string{}}
	if err := f.checkDir(); err != nil {
		f.Close()
		return nil, err
	}
	if f.taking, err = f.own(takingDir, 0o700); err == nil {
		f.bad, err = f.own(badDir, 0o750)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (o Options) withDefaults() Options {
	if o.MaxSize <= 0 {
		o.MaxSize = defaultSize
	}
	if o.MaxRecipients <= 0 {
		o.MaxRecipients = defaultPeople
	}
	if o.Interval <= 0 {
		o.Interval = 2 * time.Second
	}
	if o.Settle <= 0 {
		o.Settle = 2 * time.Second
	}
	if o.Recorder == nil {
		o.Recorder = track.Multi(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		o.Log = quiet
	}
	return o
}

// checkDir holds that no stranger puts files into the folder.
func (f *Folder) checkDir() error {
	info, err := f.root.Stat(".")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%w: every user of this machine may write to %s; run chmod o-w on it", ErrFolder, f.o.Dir)
	}
	return nil
}

// own opens a folder that only the gateway may write to, and makes it where it is missing.
func (f *Folder) own(name string, mode os.FileMode) (*os.Root, error) {
	if err := f.root.Mkdir(name, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w: the gateway must be able to write to it: %w", ErrFolder, err)
	}
	if info, err := f.root.Lstat(name); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%w: %s in it is not a folder; remove it", ErrFolder, name)
	}
	dir, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFolder, err)
	}
	info, err := dir.Stat(".")
	if err == nil {
		if a, ok := attributesOf(info); !ok || a.uid != uint32(os.Geteuid()) || info.Mode().Perm()&0o022 != 0 {
			err = fmt.Errorf("%w: %s in it must belong to the user of the gateway, and to nobody else; remove it", ErrFolder, name)
		}
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// Close gives the folder up. A second Close does nothing.
func (f *Folder) Close() error {
	f.closing.Do(func() {
		for _, r := range []*os.Root{f.root, f.taking, f.bad} {
			if r != nil {
				r.Close()
			}
		}
	})
	return nil
}

// Run looks into the folder again and again until ctx ends. What it is at it finishes, or leaves for the next run.
func (f *Folder) Run(ctx context.Context) error {
	ticker := time.NewTicker(f.o.Interval)
	defer ticker.Stop()
	for {
		if err := f.Scan(ctx); err != nil {
			f.o.Log.WithError(err).Error("pickup: the folder cannot be read")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Scan looks into the folder once: files that are complete, and those whose wait is over, are handed on. The error
// is about the folder; what is wrong with a file is written beside it.
func (f *Folder) Scan(ctx context.Context) error {
	waiting, err := names(f.taking, isAny)
	if err != nil {
		return err
	}
	maps.DeleteFunc(f.waits, func(name string, _ wait) bool { return !slices.Contains(waiting, name) })
	for _, name := range waiting {
		if w := f.waits[name]; !f.o.Now().Before(w.next) && ctx.Err() == nil {
			f.handle(ctx, name)
		}
	}
	ready, err := f.complete()
	if err != nil {
		return err
	}
	for _, name := range ready {
		if ctx.Err() != nil {
			break
		}
		if taken, err := f.take(name); err != nil {
			f.o.Log.WithError(err).Warn("pickup: a file cannot be moved")
		} else {
			f.handle(ctx, taken)
		}
	}
	return nil
}
