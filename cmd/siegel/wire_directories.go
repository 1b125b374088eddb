package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/recipients"
	"github.com/siegel-mail/siegel/internal/atrest"
)

// directories makes those of the configuration, in their order. They ask nothing yet.
func directories(c *configs.Config) ([]*ldap.Directory, error) {
	var all []*ldap.Directory
	for i := range c.Certificates.Directories {
		d, err := ldap.New(c.Certificates.Directories[i].LDAP())
		if err != nil {
			return nil, fmt.Errorf("certificates.directories: %s: %w", c.Certificates.Directories[i].Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// useDirectories makes the directories of the configuration and has them watched, read, and closed with the settings.
func useDirectories(s *gateway.Settings, c *configs.Config, log logrus.FieldLogger) ([]*ldap.Directory, error) {
	all, err := directories(c)
	if err != nil {
		return nil, err
	}
	for i, d := range all {
		s.Directories = append(s.Directories, d)
		s.Companions = append(s.Companions, beside(d))
		if s.Issue != nil && strings.EqualFold(d.Name(), c.Certificates.Issue.Directory) {
			s.Issue.Vouch = d
		}
		if s.Issue == nil || c.Certificates.Directories[i].LDAP().All == "" {
			continue
		}
		if s.Issue.Directories == nil {
			s.Issue.Directories = map[string]gateway.Directory{}
		}
		s.Issue.Directories[d.Name()] = d
	}
	s.Find.Sources = sources(c.Certificates.Find.Directories, all)
	useGroups(s, c, all, log)
	return all, useRecipients(s, c, all, log)
}

// beside tells of a directory in health, and closes it with the settings. Mail goes on: what needs it is put off or held.
func beside(d *ldap.Directory) gateway.Companion {
	return gateway.Companion{
		Check: admin.Check{
			Name: "directory " + d.Name(), Warning: true,
			Advice: "What needs the directory is put off or held meanwhile; siegel directory test " + d.Name() + " says more.",
			Run: func(ctx context.Context) error {
				s := d.State()
				if s.Err == nil || d.Check(ctx) == nil { // one that failed is asked again here: there may be no mail that asks it
					return nil
				}
				return fmt.Errorf("since %s: %w", s.Since.UTC().Format(time.RFC3339), s.Err)
			},
		},
		Run: func(ctx context.Context) {
			<-ctx.Done()
			d.Close()
		},
	}
}

// useRecipients says who exists: who is in the file, or in the directory, which is read in the background.
func useRecipients(s *gateway.Settings, c *configs.Config, all []*ldap.Directory, log logrus.FieldLogger) error {
	file, err := knownRecipients(c.Recipients, log)
	if err != nil || c.Recipients.Directory == "" {
		s.Recipients = file
		return err
	}
	key, err := atrest.ParseKey(c.AtRest.Key.Reveal())
	if err != nil {
		return fmt.Errorf("at_rest.key: %w", err)
	}
	for _, d := range all {
		if !strings.EqualFold(d.Name(), c.Recipients.Directory) {
			continue
		}
		r := recipients.OpenDirectory(recipients.DirectoryOptions{
			Source: d, Local: c.Domains, Tag: c.Recipients.Tag, Every: c.Recipients.Every, Unknown: c.Recipients.Unknown,
			Path: filepath.Join(c.State.String(), "recipients", d.Name()), Key: key, Log: log,
		})
		s.Companions = append(s.Companions, gateway.Companion{
			Check: admin.Check{
				Name: "recipients", Warning: true,
				Advice: "Addresses that are not known already are put off with 451 while the directory cannot be asked; siegel directory test " + d.Name() + " says more.",
				Run:    func(context.Context) error { return r.Check() },
			},
			Run: r.Run,
		})
		s.Recipients = r
		if file != nil {
			s.Recipients = recipients.Any{file, r}
		}
		return nil
	}
	return fmt.Errorf("recipients.directory: there is no directory %s", c.Recipients.Directory)
}
