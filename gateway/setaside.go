package gateway

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue/sqlqueue"
	"github.com/siegel-mail/siegel/gateway/texts"
	"github.com/siegel-mail/siegel/internal/safetext"
)

const (
	// toldName is a file beside a damaged database of which the administrators were told.
	toldName = "told"
	// How long to wait after the first try at telling them that failed, and at most.
	tellFirst, tellMost = time.Second, 5 * time.Minute
	// How much of a report is told.
	reportBytes, reportLine = 8 << 10, 500
)

// tellSetAside tells the administrators by mail of each damaged database of the queue that was set aside, also by a
// process that came to no mail any more, until ctx ends. It returns nil.
func (g *Gateway) tellSetAside(ctx context.Context) error {
	told := map[string]bool{} // by this process
	for wait := tellFirst; ; {
		again := (<-chan time.Time)(nil)
		if err := g.tellNew(ctx, told); err != nil && ctx.Err() == nil {
			g.o.Log.WithError(err).Warn("The administrators cannot be told by mail that a damaged queue was set aside; it is tried again. See admin.mail_to.")
			again, wait = time.After(wait), min(2*wait, tellMost)
		} else {
			wait = tellFirst
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.setAside:
		case <-again:
		}
	}
}

// tellNew sends one mail about all that nobody was told of. Where nobody is to be told, that stays so.
func (g *Gateway) tellNew(ctx context.Context, told map[string]bool) error {
	to := g.watch.Load().mailTo
	all, err := sqlqueue.Aside(g.queueDir())
	if err != nil || len(to) == 0 {
		return err
	}
	var dirs []string
	var reports []string
	for _, dir := range all {
		text, err := newReport(dir)
		if err != nil {
			return err
		}
		if len(text) > 0 && !told[dir] {
			dirs = append(dirs, dir)
			reports = append(append(reports, filepath.Join(dir, sqlqueue.ReportName)), text...)
		}
	}
	if len(dirs) == 0 {
		return nil
	}
	env, content := g.notice(texts.AlarmAside, texts.Values{Lines: reports}, to)
	if err := g.putNotice(ctx, env, content); err != nil {
		return err
	}
	for _, dir := range dirs {
		told[dir] = true
		if err := os.WriteFile(filepath.Join(dir, toldName), nil, 0o600); err != nil {
			g.o.Log.WithError(err).Warn("The administrators will be told again at the next start that a damaged queue was set aside.")
		}
	}
	return nil
}

// newReport reads the report in the folder of a damaged database; empty where it was told, or nothing was set aside.
func newReport(dir string) (all []string, err error) {
	if _, err := os.Lstat(filepath.Join(dir, toldName)); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, sqlqueue.ReportName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, reportBytes))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		all = append(all, "  "+safetext.Line(strings.TrimRight(line, "\n"), reportLine))
	}
	return all, nil
}
