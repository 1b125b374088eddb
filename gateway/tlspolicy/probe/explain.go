package probe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe/hello"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// remedies say what to do about an alert that answered a hello with everything in it, or ended a handshake.
var remedies = map[uint8]string{
	40:  "if the server wants a client certificate, give one with --client-cert; else its administrator has to look: its log says what it missed, often a certificate that goes with none of its own cipher suites",
	41:  "give one with --client-cert",
	42:  "give the certificate that the provider registered, with its chain, by --client-cert",
	43:  "give a certificate of another kind of key by --client-cert; the report names the signatures that the server takes",
	44:  "have the certificate's authority tell why it was revoked, and issue another one",
	45:  "look when the certificate ends, and at the clock of the server",
	46:  "ask the server's administrator, whose log says what is wrong with the certificate",
	48:  "give a certificate of one of the authorities that the server names, with all certificates in between, by --client-cert",
	49:  "have the server's administrator register this certificate",
	70:  "have the server speak TLS 1.2 or 1.3; if it does, something on the way answers in its place",
	71:  "have the server's administrator say which cipher suites and keys it demands",
	80:  "ask the server's administrator: its log says what failed, such as a certificate without its key",
	112: "give the name that the server knows itself by with --server-name",
	116: "give the certificate that the provider registered with --client-cert",
	120: "try another protocol: --smtp, --https or --ldap",
}

// explain makes a sentence and a remedy of an error.
func explain(err error, t Target) *Problem {
	var door *DoorError
	var alert *hello.Alert
	var other *hello.NotTLS
	switch {
	case err == nil:
		return &Problem{Text: "the server accepts no version of TLS", Remedy: "ask its administrator"}
	case errors.As(err, &door):
		return &Problem{Text: door.What, Remedy: door.Remedy}
	case errors.As(err, &alert):
		return &Problem{
			Text:   "the server refuses (" + tlsnames.AlertName(alert.Code) + "): " + strings.TrimSuffix(tlsnames.AlertSentence(alert.Code), "."),
			Remedy: remedies[alert.Code], Alert: tlsnames.AlertName(alert.Code),
		}
	case errors.As(err, &other):
		return notTLS(other, t)
	case errors.Is(err, errHungUp):
		return &Problem{Text: "the server hangs up without an alert", Remedy: "a firewall may stand in between, or the server blocks this machine, or wants a name: see --server-name"}
	case errors.Is(err, errSilent):
		return &Problem{Text: "the server does not answer in time", Remedy: beginning(t) + "; or give it more time with --patience"}
	case errors.Is(err, hello.ErrMalformed):
		return &Problem{Text: "the server breaks the rules of TLS: " + safetext.Line(err.Error(), 200), Remedy: "ask its administrator; something on the way may answer in its place"}
	case errors.Is(err, hello.ErrTooMuch):
		return &Problem{Text: "the server's answer does not end: " + safetext.Line(err.Error(), 200), Remedy: "ask its administrator; it may be an attack on who asks"}
	case errors.Is(err, ErrEnough):
		return &Problem{Text: "the server could not be asked for everything: " + safetext.Line(err.Error(), 200), Remedy: "it may throttle; try again later, or give more time with --timeout"}
	case errors.Is(err, errOtherVersion):
		return &Problem{Text: "the server answers with versions that were not offered", Remedy: "ask its administrator"}
	}
	return &Problem{Text: "the connection failed: " + plainCause(err), Remedy: "look at the network in between"}
}

// notTLS knows what some services say.
func notTLS(e *hello.NotTLS, t Target) *Problem {
	said := safetext.Line(string(e.Said), 80)
	p := &Problem{Text: `the server does not begin TLS here; it says "` + said + `"`, Remedy: beginning(t)}
	switch {
	case strings.HasPrefix(said, "220"):
		p.Remedy = "this is SMTP, where TLS begins with STARTTLS: give --smtp, and not --implicit"
	case strings.HasPrefix(said, "HTTP/"):
		p.Remedy = "this is HTTP without TLS: look for the port of HTTPS"
	case strings.HasPrefix(said, "0\\"), strings.HasPrefix(said, "0"):
		p.Remedy = "this is LDAP, where TLS begins with StartTLS: give --ldap, and not --implicit"
	}
	return p
}

// beginning says which other way there is to begin TLS.
func beginning(t Target) string {
	if t.Implicit {
		return "TLS from the first byte may not be spoken at this port: for STARTTLS give --smtp or --ldap"
	}
	return "at this port TLS may be spoken from the first byte: give --implicit"
}

// refusalText is why a version was refused, in few words.
func refusalText(err error) string {
	var alert *hello.Alert
	if errors.As(err, &alert) {
		return tlsnames.AlertName(alert.Code)
	}
	var door *DoorError
	if errors.As(err, &door) {
		return door.What
	}
	return safetext.Line(err.Error(), 200)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
