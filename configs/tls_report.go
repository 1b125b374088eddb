package configs

import (
	"net/netip"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// TLSReport is how other domains are told how the sessions with their mail servers fared with TLS.
type TLSReport struct {
	// In whose name reports are mailed: an address of the company. Without it nobody is told. Mail to it is not expected; what reports cause comes to `contact`.
	From string `yaml:"from" example:"tls-reports@firma.example"`
	// Who is asked about reports, of the same domain as `from`; it stands in each. Where it is absent: `from`.
	Contact string `yaml:"contact" example:"postmaster@firma.example"`
	// The name of the company; it stands in each report. Where it is absent: the domain of `from`.
	Organization string `yaml:"organization" alias:"organisation" example:"Firma GmbH"`
	// When the reports of a day begin to be sent, in hours after its end, in UTC. They are spread over the four hours that follow.
	Hour int `yaml:"hour" default:"0" min:"0" max:"19" example:"2"`
	// The addresses by which the internet sees mail of the gateway come, one of IPv4 and one of IPv6 at most, where its own are translated on the way (NAT). A report names them as
	// the sending end of sessions that failed; without them it names none for sessions that begin at an address inside.
	SendingIPs []string `yaml:"sending_ips" example:"[192.0.2.25, \"2001:db8::25\"]"`
}

// Ends are SendingIPs as addresses.
func (r TLSReport) Ends() (all []netip.Addr) {
	for _, text := range r.SendingIPs {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a.Unmap())
		}
	}
	return all
}

// Sender is From as an address; the zero address where there is none.
func (r TLSReport) Sender() mail.Address { return addressOf(r.From) }

// Asked is Contact as an address; the zero address where there is none.
func (r TLSReport) Asked() mail.Address { return addressOf(r.Contact) }

func addressOf(text string) mail.Address {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return mail.Address{}
	}
	return a
}
