package configs

import "time"

// Record is what is kept of what happened to messages.
type Record struct {
	// Whether it is kept at all. The log is written in either case.
	Enabled bool `yaml:"enabled" default:"true"`
	// How long it is known what happened to a message, counted from its arrival.
	Retention time.Duration `yaml:"retention" default:"90d" min:"1h" max:"3650d"`
	// How large the database may grow; beyond it the oldest messages go. About 1.5 kB are kept of a message with
	// one recipient.
	MaxSize Size `yaml:"max_size" default:"10 GB" min:"10 MB" max:"10000 GB"`
	// Whether the subject is kept too: the one in the header that the internet may see, never that of an
	// encrypted part.
	Subjects bool `yaml:"subjects" default:"false"`
}
