package main

import (
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway"
	"github.com/siegel-mail/siegel/gateway/admin"
	"github.com/siegel-mail/siegel/gateway/groups"
)

// useGroups says who is in the groups that rules, and senders of De-Mail, name, where there are any.
func useGroups(s *gateway.Settings, c *configs.Config, all []*ldap.Directory, log logrus.FieldLogger) {
	names := s.Policy.Groups()
	for _, sender := range c.DeMail.Senders {
		names = append(names, sender.Groups...)
	}
	for _, d := range all {
		if len(names) == 0 || !strings.EqualFold(d.Name(), c.Policy.GroupsDirectory(c.Recipients)) {
			continue
		}
		g := groups.New(groups.Options{Source: d, Names: names, Tag: c.Recipients.Tag, Keep: c.Policy.GroupsFor, Log: log})
		s.Groups = g
		s.Companions = append(s.Companions, gateway.Companion{
			Check: admin.Check{
				Name: "groups", Warning: true,
				Advice: "Mail that hangs on a group is held until the directory tells who is in it; siegel directory test " + d.Name() + " ADDRESS says more.",
				Run:    g.Check,
			},
		})
	}
}
