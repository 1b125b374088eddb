package configs

import (
	"net/netip"
	"time"
)

// Limits is what the clients of one listener may take up.
type Limits struct {
	// The most connections at once. Where there are as many, one that has been silent for 10 seconds, or sends a
	// message at less than 8 kB a second, makes room for the next.
	Connections int `yaml:"connections" default:"2000" min:"1" max:"100000"`
	// The most connections at once of one client, which is an IPv4 address or an IPv6 /64. A /48 may have 16
	// times as many, here and in what follows.
	ConnectionsPerClient int `yaml:"connections_per_client" default:"100" min:"1" max:"100000"`
	// The most new connections of one client in a minute; 0 is no limit, and is meant on an internal or roundtrip
	// listener where the key is absent.
	ConnectionsPerMinute int `yaml:"connections_per_minute" default:"600" min:"0" max:"1000000"`
	// The most messages of one client in an hour; 0 is no limit.
	MessagesPerHour int `yaml:"messages_per_hour" default:"0" min:"0" max:"1000000000" example:"5000"`
	// The most bytes of messages of one client in an hour; 0 is no limit.
	BytesPerHour Size `yaml:"bytes_per_hour" default:"0" min:"0" max:"1000000 GB" example:"10 GB"`
	// The most recipients of one client in an hour; 0 is no limit.
	RecipientsPerHour int `yaml:"recipients_per_hour" default:"0" min:"0" max:"1000000000" example:"20000"`
	// The most errors of one client in an hour, such as recipients that are not known here, before its
	// connections are refused; 0 is no limit, and is meant on an internal or roundtrip listener where the key is
	// absent. On a listener with `exchange_online` there is none, since its clients speak for others, too.
	ErrorsPerHour int `yaml:"errors_per_hour" default:"1000" min:"0" max:"1000000000"`
	// Networks whose clients the seven keys above do not bind: the company's own servers, a provider's relay
	// that hands over everybody's mail.
	Exempt []netip.Prefix `yaml:"exempt" example:"[192.0.2.0/24, 2001:db8::25]"`
	// The most messages on one connection.
	Messages int `yaml:"messages" default:"1000" min:"1" max:"1000000000" example:"20"`
	// The most bytes of messages on one connection, counted when the next message begins; 0 is no limit.
	Bytes Size `yaml:"bytes" default:"0" min:"0" max:"1000000 GB" example:"300 MB"`
	// The most errors on one connection.
	Errors int `yaml:"errors" default:"20" min:"1" max:"10000"`
	// How long a command is waited for. RFC 5321 asks for 5 minutes.
	Idle time.Duration `yaml:"idle" default:"5m" min:"1s" max:"1h"`
	// How long a message may take to arrive.
	Time time.Duration `yaml:"time" default:"1h" min:"1m" max:"1d"`
	// How many bytes a second a message must bring on average, from its fourth minute on.
	Rate Size `yaml:"rate" default:"500" min:"1" max:"1 MB"`
	// The largest header of a message. What reads it further in takes no larger one.
	HeaderSize Size `yaml:"header_size" default:"256 KiB" min:"1 KiB" max:"256 KiB"`
	// The most fields in the header of a message.
	HeaderFields int `yaml:"header_fields" default:"1000" min:"10" max:"100000"`
}

func (k *checker) limits(l *Listener, dotted string) {
	for i, p := range l.Limits.Exempt {
		if p.Bits() < 8 {
			k.warnMember(dotted+".exempt", i, "%s is the internet: no client would be bound by the limits; list your own servers", p)
		}
	}
	if most := l.Limits.Connections; most > 0 && l.Limits.ConnectionsPerClient > most {
		k.warn(dotted+".connections_per_client", "one client could take all %d connections of the listener; choose a smaller number", most)
	}
}
