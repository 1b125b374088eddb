package configs

import (
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/quarantine"
)

// Quarantine is what becomes of mail that waits until a person has decided. See administration.md.
type Quarantine struct {
	// How long a message waits. What nobody decides on goes back to its sender, where that is somebody inside; mail from outside is removed, and those
	// who are told of it learn that.
	Keep time.Duration `yaml:"keep" default:"14d" min:"1h" max:"365d"`
	// Who is told of what waits where the policy names nobody (`notify`): addresses, `sender`, `recipient`. The last two stand for people inside only: nobody
	// outside is ever told.
	Notify []string `yaml:"notify" example:"[security@firma.example]"`
	// How often one address is told at most: of all that waits, in one message.
	NotifyEvery time.Duration `yaml:"notify_every" default:"24h" min:"15m" max:"30d"`
	// The most messages in quarantine. At four fifths of it, and of `max_size`, the administrators (`admin.mail_to`) are told.
	MaxMessages int `yaml:"max_messages" default:"10000" min:"1" max:"1000000"`
	// The most bytes of messages in quarantine. When it is full, mail from inside that is to wait there stays with the server that sends it, and mail from outside
	// in the queue. Mail from outside leaves a tenth of it, and of `max_messages`, to mail from inside.
	MaxSize Size `yaml:"max_size" default:"2 GB" min:"1 MB" max:"10000 GB"`
}

func (k *checker) quarantine() {
	for i, name := range k.Quarantine.Notify {
		k.notify("quarantine.notify", i, name)
	}
}

// notify checks one name of who is told of what is in quarantine.
func (k *checker) notify(dotted string, i int, name string) {
	if err := quarantine.CheckNotify(name); err != nil {
		k.failMember(dotted, i, "%s", strings.TrimPrefix(err.Error(), "quarantine: "))
		return
	}
	if a, err := mail.ParseAddress(name); err == nil && !k.routed(a) {
		k.failMember(dotted, i, "no route has the domain of this address, so nothing can be sent there")
	}
}
