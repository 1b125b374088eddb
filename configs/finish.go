package configs

import (
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// finish adds what defaults follow from other keys, and the users of users files.
func finish(c *Config, d *decoder) {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		at := entryKey("listeners", l.Name, i)
		if l.TLS.Mode == "" {
			l.TLS.Mode = TLSNone
			if l.TLS.Certificate != "" || len(l.TLS.Certificates) > 0 {
				l.TLS.Mode = TLSStartTLS
			}
		}
		if l.TLS.Key == "" {
			l.TLS.Key = l.TLS.Certificate
		}
		for j := range l.TLS.Certificates {
			if c := &l.TLS.Certificates[j]; c.Key == "" {
				c.Key = c.Certificate
			}
		}
		if l.Role == RoleSubmission {
			l.TLS.Required = true
		}
		if l.Senders == nil && l.Role != RoleExternal {
			l.Senders = c.Domains
		}
		if l.Role == RoleInternal || l.Role == RoleRoundTrip {
			unlimited(c, l, at+".limits")
		}
		if l.UsersFile != "" {
			l.Users = append(l.Users, d.users(l.UsersFile, at)...)
		}
	}
	for i := range c.Backup {
		if t := &c.Backup[i].TLS; t.ClientKey == "" {
			t.ClientKey = KeyFile(t.ClientCertificate)
		}
	}
	for i := range c.Routes {
		if t := &c.Routes[i].TLS; t.ClientKey == "" {
			t.ClientKey = KeyFile(t.ClientCertificate)
		}
	}
	for i := range c.Vault {
		if v := &c.Vault[i]; v.ClientKey == "" {
			v.ClientKey = v.ClientCertificate
		}
	}
	if t := &c.Admin.TLS; t.Key == "" {
		t.Key = t.Certificate
	}
	for i := range c.Certificates.Directories {
		finishDirectory(&c.Certificates.Directories[i])
	}
	finishDeMail(&c.DeMail)
	finishOutlook(c)
	placePolicy(c)
	for i := range c.Policy.Rules {
		if c.Policy.Rules[i].Name == "" {
			c.Policy.Rules[i].Name = "rule " + strconv.Itoa(i+1)
		}
	}
}

// unlimited has the company's own servers connect as often as they like, unless the file says otherwise.
func unlimited(c *Config, l *Listener, at string) {
	for key, value := range map[string]*int{
		"connections_per_minute": &l.Limits.ConnectionsPerMinute, "errors_per_hour": &l.Limits.ErrorsPerHour,
	} {
		if c.origins[at+"."+key] == (Origin{}) {
			*value = 0
		}
	}
}

// users reads a users file; what is wrong in it is reported with its own lines.
func (d *decoder) users(file Path, listener string) []User {
	fileKey := listener + ".users_file"
	text, err := readFile(file.String())
	if err != nil {
		d.failSecret(key{dotted: fileKey}, shorten(file.String())+": "+fileTrouble(err))
		return nil
	}
	root := parseYAML(file.String(), text, d.report)
	if root == nil {
		return nil
	}
	var out struct {
		Users []User `yaml:"users"`
	}
	// The environment names no users, and positions are those of the users file.
	inFile := newDecoder(file.String(), newEnvironment(nil), d.report, d.origins)
	field := newField(reflect.TypeOf(out).Field(0))
	if root.Kind == yaml.MappingNode && len(root.Content) == 0 { // an empty file
		return nil
	}
	inFile.sections(reflect.ValueOf(&out.Users).Elem(), &field, root, key{dotted: listener + ".users"})
	return out.Users
}

// entryKey is the dotted key of an entry of a list of sections.
func entryKey(list, name string, i int) string {
	if name == "" {
		name = strconv.Itoa(i + 1)
	}
	return list + "[" + shorten(name) + "]"
}
