package gateway

import (
	"context"
	"errors"

	"github.com/siegel-mail/siegel/certs/find"
	"github.com/siegel-mail/siegel/gateway/inbox"
	"github.com/siegel-mail/siegel/gateway/origin"
	"github.com/siegel-mail/siegel/gateway/protect"
	"github.com/siegel-mail/siegel/gateway/queue"
)

// Reload puts new settings into force. Connections that are open keep going, under the old limits of their
// listener; a listener that is not in the settings any more stops accepting. On an error nothing changes.
func (g *Gateway) Reload(s Settings) error {
	if err := g.checkPages(s); err != nil {
		return err
	}
	if err := g.checkOutlook(s); err != nil {
		return err
	}
	s, finder, err := g.withSources(g.within(s))
	if err != nil {
		return err
	}
	s.desk().Inherit(g.desk.Load())
	table, err := newRoutes(g.o.Hostname, g.o.State, s, g.tlsReports.Collector())
	if err != nil {
		return err
	}
	if table.accounts, err = g.newAccounts(s); err != nil {
		table.close()
		return err
	}
	p, err := g.newProtector(s)
	if err != nil {
		table.close()
		return err
	}
	issuing, err := g.newIssuing(s)
	if err != nil {
		table.close()
		return err
	}
	fetching, err := g.newInboxes(s)
	if err != nil {
		table.close()
		return err
	}
	judge, err := g.newJudge(s)
	if err == nil {
		err = g.listeners.Reload(g.smtpinOptions(s))
	}
	if err != nil {
		table.close()
		return err
	}
	if err := g.setIssuing(issuing); err != nil {
		table.close()
		return err
	}
	g.enforce(s, anew{table, finder, p, fetching, judge})
	return nil
}

// anew are the parts that a reload makes anew.
type anew struct {
	table     routes
	finder    *find.Finder
	protector *protect.Protector
	fetching  []*inbox.Inbox
	judge     *origin.Judge
}

// enforce puts settings into force, and what was made of them; nothing of it can fail any more.
func (g *Gateway) enforce(s Settings, made anew) {
	g.watched.Store(newWatched(s))
	g.judge.Store(made.judge)
	g.beside.replace(s.Companions)
	g.inboxes.replace(made.fetching)
	g.setThrottle(s)
	g.setAsk(s)
	g.setQuarantine(s)
	g.setHarvest(s, s.Validator)
	g.directories.Store(&s.Directories)
	g.ways.Store(newWays(s))
	g.desk.Store(s.desk())
	g.texts.Store(s.Texts)
	again := g.accounts.replace(made.table.accounts)
	g.routes.replace(made.table)
	for _, name := range s.archiveNames() { // the address may be another one, or the archive is back
		again = append(again, queue.ArchivePrefix+name)
	}
	if len(again) > 0 {
		g.TryAgain(context.Background(), again...)
	}
	g.protector.Store(made.protector)
	g.sight.Store(&sight{s.Certs, s.Validator})
	g.setFinder(made.finder)
	g.kept.Set(quotas(s.Backup))
	g.archives.Store(&s.Archives)
	g.revocation.Set(s.Revocation)
	g.setPolicy(s)
	g.setPages(s)
	g.setOutlook(s)
	g.setProof(s)
	g.tlsReports.Set(s.tlsReport())
	g.resolver.Store(s.DNS) // the old one ends with the last look-up that it makes
	g.arrivals.add(nil)     // in the folder, in another directory, below a root that is trusted now
}

// ReloadFromSource loads the settings anew by Options.Load and puts them into force.
func (g *Gateway) ReloadFromSource(context.Context) error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	if g.o.Load == nil {
		return errors.New("this gateway was started without a configuration file: there is nothing to reload")
	}
	s, err := g.o.Load()
	if err != nil {
		return err
	}
	return g.Reload(s)
}
