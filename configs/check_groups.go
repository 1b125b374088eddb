package configs

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
)

// groupsDirectory holds that the directory that is to know the groups is there and can tell them.
func (k *checker) groupsDirectory() {
	byRule := slices.ContainsFunc(k.Policy.Rules, func(r Rule) bool { return len(r.FromGroups) > 0 || len(r.ToGroups) > 0 }) ||
		slices.ContainsFunc(slices.Concat(k.Policy.Senders, k.Policy.Recipients), func(l PolicyLevel) bool { return len(l.Groups) > 0 })
	asked := byRule || k.demailGroups()
	name, key := k.Policy.GroupsDirectory(k.Recipients), "policy.directory"
	if k.Policy.Directory == "" {
		key = "policy.rules"
		if !byRule {
			key = "demail.senders"
		}
	}
	switch {
	case !asked && k.Policy.Directory != "":
		k.warn(key, "no rule is for a group, and no level, and this does nothing; give a rule from_groups, or remove it")
	case !asked:
		return
	case name == "":
		k.fail(key, "who is in a group counts here, and no directory knows who is in it; name one under certificates.directories by policy.directory")
		return
	}
	i := slices.IndexFunc(k.Certificates.Directories, func(d Directory) bool { return strings.EqualFold(d.Name, name) })
	switch {
	case i < 0 && k.Policy.Directory != "":
		k.fail(key, "there is no directory %s under certificates.directories; add it there, or write its name as it stands there", shorten(name))
	case i < 0: // recipients.directory is told
	case k.Certificates.Directories[i].Kind == ldap.DeMail:
		k.fail(key, "the public directory of De-Mail knows no groups of the company; name the company's own by policy.directory")
	case len(k.Certificates.Directories[i].LDAP().Members) == 0:
		k.fail(key, "%s does not say which attributes of groups hold their members; set members there, as [member]", shorten(name))
	}
}

// GroupsDirectory names the directory that knows the groups of rules; empty where none does.
func (p Policy) GroupsDirectory(r Recipients) string {
	if p.Directory != "" {
		return p.Directory
	}
	return r.Directory
}
