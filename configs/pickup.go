package configs

import (
	"os/user"
	"strconv"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// Pickup is the folder into which applications put messages.
type Pickup struct {
	// The folder; where it is absent there is none. A file in it that is called `NAME.eml` is sent and deleted; what
	// cannot be sent goes to its `bad/`, with the reason. A change takes effect at a restart.
	Directory Path `yaml:"directory" example:"/var/spool/siegel/pickup"`
	// The users, by name or number, whose files are taken. Where it is absent: the user of the gateway.
	Owners []string `yaml:"owners" example:"[invoices]"`
	// The From addresses and senders that messages may have, and that may be signed. Where it is absent: those of
	// `domains`.
	Senders mail.Patterns `yaml:"senders" example:"[invoices@firma.example]"`
	// The largest file that is taken.
	MaxSize Size `yaml:"max_size" default:"50 MB" min:"64 kB" max:"1 GB"`
	// The most recipients one message may have.
	MaxRecipients int `yaml:"max_recipients" default:"1000" min:"1" max:"50000"`
	// How often the folder is looked at. A file is taken when it has not changed for so long.
	Interval time.Duration `yaml:"interval" default:"2s" min:"100ms" max:"1h"`

	owners []uint32
}

// OwnerIDs are the numbers of the owners.
func (p Pickup) OwnerIDs() []uint32 { return p.owners }

// userID finds a user by name or number.
func userID(name string) (uint32, bool) {
	if u, err := user.Lookup(name); err == nil {
		name = u.Uid
	}
	n, err := strconv.ParseUint(name, 10, 32)
	return uint32(n), err == nil
}
