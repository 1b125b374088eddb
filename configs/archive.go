package configs

import (
	"crypto/x509"
	"time"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// What becomes of mail while the backlog of an archive is full.
const (
	FullRefuse   = "refuse"
	FullContinue = "continue"
)

// Which copy of a message that was decrypted stands first.
const (
	FirstOriginal  = "original"
	FirstDecrypted = "decrypted"
)

// Archive is where copies of messages are kept, as laws demand it. See archive.md.
type Archive struct {
	// Names the archive in rules, logs and metrics: letters, digits, `.`, `_` and `-`.
	Name string `yaml:"name" required:"yes" example:"gobd"`
	// The journal address that copies are sent to: one of the company's own, or one that a route with verified TLS leads to. Either this or
	// `folder`.
	To string `yaml:"to" example:"journal@archive.example"`
	// The sender of copies to a journal address, who is told where one bounces: an address of the company that an administrator reads, and nobody
	// else. Where it is absent: the first of `admin.mail_to`.
	From string `yaml:"from" example:"journal-bounces@firma.example"`
	// The folder that copies are written to, a file each, in a folder for each day.
	Folder Path `yaml:"folder" example:"/srv/archive"`
	// The certificate, PEM, that copies are encrypted to, each as an S/MIME message. A folder has to have one, unless `plaintext` is true. Its
	// key does not belong on the gateway.
	Certificate Path `yaml:"certificate" example:"/etc/siegel/archive.pem"`
	// Whether copies lie in the folder unencrypted: only for the share of an archive that is mounted there, never for a disk of the gateway.
	Plaintext bool `yaml:"plaintext" default:"false"`
	// Which copy of a message that was decrypted stands first, for archives that look at one alone: `original`, as it came, or `decrypted`.
	First string `yaml:"first" default:"original" oneof:"original decrypted"`
	// How many bytes of copies may wait for the archive.
	Limit Size `yaml:"limit" default:"10 GB" min:"1 MB" max:"10000 GB"`
	// What becomes of mail that is to be archived while so many wait: `refuse` puts it off with 451, so that its sender keeps it; `continue` takes
	// it without a copy, which the log and the record then say of each message.
	WhenFull string `yaml:"when_full" default:"refuse" oneof:"refuse continue"`
	// How long a copy may wait before the administrators (`admin.mail_to`) are told.
	WarnAfter time.Duration `yaml:"warn_after" default:"1h" min:"1m" max:"30d"`
	// The waits between attempts; the last one repeats until the archive has the copy.
	Retry []time.Duration `yaml:"retry" default:"30s, 1m, 5m, 15m" min:"1s" max:"1d"`
	// The most copies under way at once.
	Concurrency int `yaml:"concurrency" default:"5" min:"1" max:"1000"`

	certificate *x509.Certificate
	to, from    mail.Address
}

// Recipient returns the certificate that copies are encrypted to, as it was when the configuration was read; nil: none.
func (a Archive) Recipient() *x509.Certificate { return a.certificate }

// Address returns the journal address, and who sends to it; zero where there is none.
func (a Archive) Address() (to, from mail.Address) { return a.to, a.from }
