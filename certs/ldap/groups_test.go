package ldap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/certs/ldap/ldaptest"
)

// groupOf is a group of Active Directory in LDIF.
func groupOf(dn, more string, members ...string) string {
	cn := strings.TrimPrefix(strings.SplitN(dn, ",", 2)[0], "cn=")
	text := "dn: " + dn + "\nobjectClass: group\ncn: " + cn + "\n" + more
	for _, m := range members {
		text += "member: " + m + "\n"
	}
	return text + "\n"
}

const (
	groupsOU = "ou=groups,dc=firma,dc=example"
	people   = ",ou=people,dc=firma,dc=example"
)

// companyGroups are people in groups, nested and in a circle.
func companyGroups() string {
	person := func(name string) string {
		return fmt.Sprintf("dn: cn=%[1]s%[2]s\nobjectClass: user\ncn: %[1]s\nsn: %[1]s\nmail: %[1]s@firma.example\nproxyAddresses: smtp:%[1]s.long@firma.example\n\n", name, people)
	}
	return top + "dn: " + groupsOU + "\nobjectClass: organizationalUnit\nou: groups\n\n" +
		"dn: ou=other," + groupsOU + "\nobjectClass: organizationalUnit\nou: other\n\n" +
		person("alice") + person("bob") + person("carol") + person(`Doe\, \28Jane\29 #1`) +
		groupOf("cn=Legal,"+groupsOU, "mail: legal@firma.example\n", "cn=Advocates,"+groupsOU, `cn=Doe\, \28Jane\29 #1`+people) +
		groupOf("cn=Advocates,"+groupsOU, "", "cn=alice"+people, "cn=Board,"+groupsOU) +
		groupOf("cn=Board,"+groupsOU, "", "cn=carol"+people, "cn=Legal,"+groupsOU) + // a circle
		groupOf("cn=Empty,"+groupsOU, "") +
		groupOf("cn=Twice,"+groupsOU, "", "cn=bob"+people) +
		groupOf("cn=Twice,ou=other,"+groupsOU, "") +
		groupOf(`cn=a\2Cb \2B c,`+groupsOU, "", "cn=bob"+people)
}

// Somebody is in a group where the group names them, or names a group they are in, by whatever address they write.
func TestGroupsOf(t *testing.T) {
	ldif := strings.ReplaceAll(companyGroups(), `cn: Doe\, \28Jane\29 #1`, `cn: Doe, (Jane) #1`)
	ldif = strings.ReplaceAll(ldif, `sn: Doe\, \28Jane\29 #1`+"\nmail: "+`Doe\, \28Jane\29 #1@firma.example`+"\nproxyAddresses: smtp:"+`Doe\, \28Jane\29 #1.long@firma.example`, "sn: Doe\nmail: jane@firma.example")
	ldif = strings.ReplaceAll(ldif, `cn: a\2Cb \2B c`, "cn: a,b + c")
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif})
	d := open(t, s, ldap.ActiveDirectory, nil)
	for address, want := range map[string][]string{
		"alice@firma.example":      {"Advocates", "Board", "Legal"},
		"alice.long@firma.example": {"Advocates", "Board", "Legal"},
		"carol@firma.example":      {"Advocates", "Board", "Legal"},
		"jane@firma.example":       {"Advocates", "Board", "Legal"},
		"legal@firma.example":      {"Advocates", "Board", "Legal"}, // the group writes itself
		"bob@firma.example":        {`CN=A\2cB \2b C,OU=Groups,DC=firma,DC=example`, "cn=twice , ou=groups, dc=firma,dc=example"},
		"nobody@firma.example":     nil,
		"*":                        nil,
	} {
		ids, err := d.GroupsOf(t.Context(), address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		var in []string
		for _, name := range []string{"Advocates", "Board", "legal@firma.example", "Legal", "CN=Empty," + groupsOU, `CN=A\2cB \2b C,OU=Groups,DC=firma,DC=example`, "cn=twice , ou=groups, dc=firma,dc=example", "cn=twice,ou=other," + groupsOU} {
			id, shown, err := d.Group(t.Context(), name)
			if err != nil || shown == (strings.Contains(name, "Empty") || strings.Contains(name, "other")) {
				t.Fatalf("%s: %v, %v", name, shown, err)
			}
			if slices.Contains(ids, id) && name != "legal@firma.example" {
				in = append(in, name)
			}
		}
		if !slices.Equal(in, want) {
			t.Errorf("%s is in %q, want %q; of %q", address, in, want, ids)
		}
	}
	for name, want := range map[string]string{
		"Nobody":                      "no such group",
		"alice":                       "no such group", // a person
		"cn=alice" + people:           "no such group",
		"CN=Gone,DC=firma,DC=example": "no such group",
		"alice@firma.example":         "no such group",
		"*":                           "no such group",
		"Twice":                       "more than one group",
		" ":                           "is missing",
		"a=b=c,":                      "no distinguished name",
	} {
		_, _, err := d.Group(t.Context(), name)
		if err == nil || !strings.Contains(unavailable(t, err), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := d.State(); st.Found == 0 {
		t.Errorf("%+v", st)
	}
}

// Groups of OpenLDAP name members by either of two attributes, and may lie elsewhere. A directory that is away, or has no end, tells nothing.
func TestGroupsOfOpenLDAP(t *testing.T) {
	ldif := top + "dn: " + groupsOU + "\nobjectClass: organizationalUnit\nou: groups\n\n" +
		"dn: uid=erin" + people + "\nobjectClass: inetOrgPerson\nuid: erin\ncn: Erin\nsn: E\nmail: erin@firma.example\n\n" +
		"dn: cn=unique," + groupsOU + "\nobjectClass: groupOfUniqueNames\ncn: unique\nuniqueMember: uid=erin" + people + "\n\n" +
		"dn: cn=plain," + groupsOU + "\nobjectClass: groupOfNames\ncn: plain\nmember: cn=unique," + groupsOU + "\n\n"
	const deep = 25
	for i := range deep {
		ldif += fmt.Sprintf("dn: cn=deep%[1]d,%[2]s\nobjectClass: groupOfNames\ncn: deep%[1]d\nmember: cn=deep%[3]d,%[2]s\n\n", i, groupsOU, i+1)
	}
	ldif += fmt.Sprintf("dn: cn=deep%d,%s\nobjectClass: groupOfNames\nobjectClass: mailRecipient\ncn: deep%[1]d\nmailAlternateAddress: deep@firma.example\nmember: cn=nobody\n\n", deep, groupsOU)
	s := ldaptest.Start(t, ldaptest.Options{LDIF: ldif})
	d := open(t, s, ldap.OpenLDAP, func(o *ldap.Options) {
		o.BaseDN, o.Scope, o.GroupBase = "ou=people,dc=firma,dc=example", ldap.One, groupsOU
	})
	ids, err := d.GroupsOf(t.Context(), "Erin@firma.example")
	if err != nil || !slices.Equal(ids, []string{"uid=erin" + people, "cn=unique," + groupsOU, "cn=plain," + groupsOU}) {
		t.Errorf("%q, %v", ids, err)
	}
	if id, shown, err := d.Group(t.Context(), "PLAIN"); id != "cn=plain,"+groupsOU || !shown || err != nil {
		t.Errorf("%q, %v, %v", id, shown, err)
	}
	all := open(t, s, ldap.OpenLDAP, nil)
	if _, err := all.GroupsOf(t.Context(), "deep@firma.example"); err == nil || !strings.Contains(unavailable(t, err), "20 deep") {
		t.Errorf("groups without an end: %v", err)
	}
	s.Stop()
	if _, err := d.GroupsOf(t.Context(), "erin@firma.example"); err == nil {
		t.Error("a directory that is away knows who is in which group")
	} else {
		unavailable(t, err)
	}
	if _, _, err := d.Group(t.Context(), "plain"); err == nil {
		t.Error("a directory that is away knows a group")
	} else {
		unavailable(t, err)
	}
}

func TestCheckGroup(t *testing.T) {
	for name, fine := range map[string]bool{
		"Legal": true, "Legal, Tax & Co": true, "legal@firma.example": true, "CN=Legal,DC=firma,DC=example": true,
		"": false, " ": false, "a=b,c": false, strings.Repeat("x", 3000): false,
	} {
		if err := ldap.CheckGroup(name); (err == nil) != fine {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}
