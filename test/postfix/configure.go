package postfix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// services is master.cf after the line of smtpd: no chroot, no limits on the helpers.
const services = `pickup    unix  n - n 60   1   pickup
cleanup   unix  n - n -    0   cleanup
qmgr      unix  n - n 300  1   qmgr
tlsmgr    unix  - - n 1000 1   tlsmgr
rewrite   unix  - - n -    -   trivial-rewrite
bounce    unix  - - n -    0   bounce
defer     unix  - - n -    0   bounce
trace     unix  - - n -    0   bounce
flush     unix  n - n 1000 0   flush
proxymap  unix  - - n -    -   proxymap
smtp      unix  - - n -    -   smtp
relay     unix  - - n -    -   smtp
error     unix  - - n -    -   error
retry     unix  - - n -    -   error
virtual   unix  - n n -    -   virtual
anvil     unix  - - n -    1   anvil
scache    unix  - - n -    1   scache
postlog   unix-dgram n - n - 1 postlogd
`

// configure writes main.cf, master.cf and what they name.
func (s *Server) configure(ctx context.Context) error {
	for _, f := range tree() {
		if err := f.make(s.dir); err != nil {
			return err
		}
	}
	owner, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	settings, err := s.settings(owner.Uid)
	if err != nil {
		return err
	}
	old := time.Now().Add(-time.Minute) // Postfix waits for two seconds before it believes a file that was just written
	var main strings.Builder
	for _, name := range sortedKeys(settings) {
		fmt.Fprintf(&main, "%s = %s\n", name, settings[name])
	}
	var boxes strings.Builder
	for _, m := range s.o.Mailboxes {
		fmt.Fprintf(&boxes, "%s %s/\n", m, m)
	}
	for name, content := range map[string]string{
		"main.cf": main.String(), "mailboxes": boxes.String(),
		"master.cf": fmt.Sprintf("127.0.0.1:%d inet n - n - - smtpd\n%s%s\n", s.o.Port, services, strings.Join(s.o.Services, "\n")),
		"tls.pem":   string(s.o.Certificate), "tls.key": string(s.o.Key),
	} {
		file := filepath.Join(s.dir, name)
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(file, old, old); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// folder is one that Postfix wants to find.
type folder struct {
	name, owner, group string
	mode               os.FileMode
}

// tree is what `postfix check` would make.
func tree() []folder {
	all := []folder{
		{"", "root", "", 0o755}, {"queue", "root", "", 0o755}, {"queue/pid", "root", "", 0o755},
		{"data", "postfix", "", 0o700}, {"mail", "nobody", "", 0o755},
		{"queue/maildrop", "postfix", "postdrop", 0o730 | os.ModeSticky}, {"queue/public", "postfix", "postdrop", 0o710 | os.ModeSetgid},
	}
	for _, name := range strings.Fields("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		all = append(all, folder{"queue/" + name, "postfix", "", 0o700})
	}
	return all
}

// make makes the folder below dir.
func (f folder) make(dir string) error {
	owner, err := user.Lookup(f.owner)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	gid := -1
	if f.group != "" {
		group, err := user.LookupGroup(f.group)
		if err != nil {
			return err
		}
		if gid, err = strconv.Atoi(group.Gid); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, f.name)
	return errors.Join(os.MkdirAll(path, 0o700), os.Chown(path, uid, gid), os.Chmod(path, f.mode))
}

// settings are the lines of main.cf.
func (s *Server) settings(owner string) (map[string]string, error) {
	m := map[string]string{
		"compatibility_level": "3.6", "myhostname": s.o.Hostname, "mydestination": "",
		"queue_directory": filepath.Join(s.dir, "queue"), "data_directory": filepath.Join(s.dir, "data"),
		"maillog_file": filepath.Join(s.dir, "mail.log"), "maillog_file_prefixes": s.dir,
		"inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
		"smtp_dns_support_level": "disabled", "smtp_host_lookup": "native",
		"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
		"alias_maps":               "", "alias_database": "", "local_recipient_maps": "", "local_transport": "error:there is none",
		"virtual_mailbox_base": filepath.Join(s.dir, "mail"), "virtual_mailbox_domains": strings.Join(s.domains(), ", "),
		"virtual_mailbox_maps": "texthash:" + filepath.Join(s.dir, "mailboxes"), "virtual_mailbox_limit": "0",
		"virtual_uid_maps": "static:" + owner, "virtual_gid_maps": "static:" + owner, "virtual_minimum_uid": "1",
		"message_size_limit": strconv.Itoa(100 << 20), "in_flow_delay": "0",
		"queue_run_delay": "1s", "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
		"smtpd_client_connection_count_limit": "0", "smtp_tls_security_level": "may",
		"default_transport": "error:5.7.1 no way leads there",
	}
	if s.o.Relay != "" {
		host, port, err := net.SplitHostPort(s.o.Relay)
		if err != nil {
			return nil, err
		}
		m["relayhost"], m["default_transport"] = "["+host+"]:"+port, "smtp"
	}
	if s.o.Certificate != nil {
		m["smtpd_tls_security_level"] = "may"
		m["smtpd_tls_cert_file"], m["smtpd_tls_key_file"] = filepath.Join(s.dir, "tls.pem"), filepath.Join(s.dir, "tls.key")
	}
	for name, value := range s.o.Settings {
		m[name] = value
	}
	return m, nil
}

// domains are those of the mailboxes.
func (s *Server) domains() (all []string) {
	for _, m := range s.o.Mailboxes {
		_, domain, _ := strings.Cut(m, "@")
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
