package configs

import "os"

func (k *checker) pickup() {
	p := &k.Pickup
	if p.Directory == "" {
		if len(p.Owners) > 0 || len(p.Senders) > 0 {
			k.warn("pickup.directory", "without a directory nothing is picked up; name the folder")
		}
		return
	}
	k.folder("pickup.directory", p.Directory, true)
	if info, err := os.Stat(p.Directory.String()); err == nil && info.Mode().Perm()&0o002 != 0 {
		k.fail("pickup.directory", "every user of this machine may write to %s; run chmod o-w on it", shorten(p.Directory.String()))
	}
	for i, name := range p.Owners {
		id, ok := userID(name)
		if !ok {
			k.failMember("pickup.owners", i, "this machine has no user %s; write the name of a user, or a number", shorten(name))
		}
		p.owners = append(p.owners, id)
	}
	if p.Owners == nil {
		p.owners = []uint32{uint32(os.Geteuid())}
	}
	if len(p.owners) == 0 {
		k.fail("pickup.owners", "nobody's files are taken; name the user of the application")
	}
	if p.Senders == nil {
		p.Senders = k.Domains
	}
	if len(p.Senders) == 0 {
		k.fail("pickup.senders", "no From address is allowed here, so nothing can be sent; list the company's domains under domains, or senders here")
	}
	for i, s := range p.Senders {
		if s.String() == "*" {
			k.warnMember("pickup.senders", i, "* lets the application use every From address; list its own")
		}
	}
}
