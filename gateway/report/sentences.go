package report

import (
	"fmt"
	"strings"
	"time"
)

// subjects holds the Subject of a notification, ASCII.
var subjects = map[Action]string{
	Failed:    "Your message was not delivered / Ihre Nachricht wurde nicht zugestellt",
	Delayed:   "Your message is delayed / Ihre Nachricht ist noch unterwegs",
	Relayed:   "Your message was passed on / Ihre Nachricht wurde weitergereicht",
	Delivered: "Your message was delivered / Ihre Nachricht wurde zugestellt",
}

// sentence says one thing in English and in German.
type sentence struct{ en, de string }

// openings say what became of the recipients that follow.
var openings = map[Action]sentence{
	Failed: {
		"Your message could not be delivered to the following recipients. It will not be tried again.",
		"Ihre Nachricht konnte den folgenden Empfängern nicht zugestellt werden. Es wird nicht noch einmal versucht.",
	},
	Delayed: {
		"Your message could not yet be delivered to the following recipients. You need not do anything: delivery is tried again by itself.",
		"Ihre Nachricht konnte den folgenden Empfängern noch nicht zugestellt werden. Sie müssen nichts tun: Die Zustellung wird von selbst wieder versucht.",
	},
	Relayed: {
		"Your message was passed to the mail servers of the following recipients. These servers will not confirm the delivery.",
		"Ihre Nachricht wurde den Mailservern der folgenden Empfänger übergeben. Diese Server bestätigen die Zustellung nicht.",
	},
	Delivered: {
		"Your message was delivered to the following recipients.",
		"Ihre Nachricht wurde den folgenden Empfängern zugestellt.",
	},
}

// reasons explain a status by subject and detail, or by subject alone (RFC 3463, 3).
var reasons = map[string]sentence{
	"1.1": {"The address does not exist. Please check its spelling.", "Die Adresse gibt es nicht. Bitte prüfen Sie die Schreibweise."},
	"1.2": {"The domain after the @ does not exist or takes no mail. Please check its spelling.", "Die Domain hinter dem @ gibt es nicht, oder sie nimmt keine Mail an. Bitte prüfen Sie die Schreibweise."},
	"1.3": {"The address is not written correctly.", "Die Adresse ist nicht richtig geschrieben."},
	"1.7": {"Your own address was not accepted.", "Ihre eigene Adresse wurde nicht angenommen."},
	"1.8": {"Your own address was not accepted.", "Ihre eigene Adresse wurde nicht angenommen."},
	"1":   {"The recipient's mail server does not accept the address.", "Der Mailserver des Empfängers nimmt die Adresse nicht an."},
	"2.1": {"The recipient's mailbox is disabled.", "Das Postfach des Empfängers ist gesperrt."},
	"2.2": {"The recipient's mailbox is full.", "Das Postfach des Empfängers ist voll."},
	"2.3": {"The message is too large for the recipient's mailbox.", "Die Nachricht ist für das Postfach des Empfängers zu groß."},
	"2":   {"The recipient's mailbox cannot take the message.", "Das Postfach des Empfängers kann die Nachricht nicht aufnehmen."},
	"3.4": {"The message is too large for the recipient's mail server.", "Die Nachricht ist für den Mailserver des Empfängers zu groß."},
	"3":   {"The recipient's mail server has no room or cannot take the message.", "Der Mailserver des Empfängers hat keinen Platz oder kann die Nachricht nicht annehmen."},
	"4.1": {"The recipient's mail server cannot be reached.", "Der Mailserver des Empfängers ist nicht zu erreichen."},
	"4.4": {"There is no way to the recipient's mail server.", "Es gibt keinen Weg zum Mailserver des Empfängers."},
	"4.7": {"The recipient's mail server did not take the message within the time allowed.", "Der Mailserver des Empfängers hat die Nachricht nicht in der vorgesehenen Zeit angenommen."},
	"4":   {"The connection to the recipient's mail server failed.", "Die Verbindung zum Mailserver des Empfängers ist gescheitert."},
	"5":   {"The two mail servers did not understand each other.", "Die beiden Mailserver haben sich nicht verstanden."},
	"6.3": {"The recipient's mail server does not take this kind of content, and the message must not be changed.", "Der Mailserver des Empfängers nimmt diese Art Inhalt nicht an, und die Nachricht darf nicht verändert werden."},
	"6.7": {"The recipient's mail server does not take addresses or headers with letters beyond a to z.", "Der Mailserver des Empfängers nimmt keine Adressen oder Kopfzeilen mit anderen Buchstaben als a bis z an."},
	"6":   {"The content or form of the message was not accepted.", "Inhalt oder Form der Nachricht wurden nicht angenommen."},
	"7.5": {"A key or certificate that is needed to sign, encrypt or decrypt the message was not available.", "Ein Schlüssel oder Zertifikat, das zum Signieren, Verschlüsseln oder Entschlüsseln der Nachricht nötig ist, war nicht verfügbar."},
	"7":   {"The message was refused for reasons of security or by a rule.", "Die Nachricht wurde aus Gründen der Sicherheit oder durch eine Regel abgelehnt."},
}

// unprotected explains status x.7.5 where it is our own: the message waited here for its protection.
var unprotected = sentence{
	"The message must not leave without its signature or encryption, and a key or certificate for that was not available in time. It was not sent.",
	"Die Nachricht darf nicht ohne Signatur oder Verschlüsselung hinaus, und ein Schlüssel oder Zertifikat dafür war nicht rechtzeitig verfügbar. Sie wurde nicht gesendet.",
}

// awaiting explains status x.7.5 of what is delayed, where it is our own: it waits for a certificate.
var awaiting = sentence{
	"The message must be encrypted, and no certificate of this recipient is known. The recipient was asked to send a signed message, which has it; as soon as it is here, yours is sent.",
	"Die Nachricht muss verschlüsselt werden, und es ist kein Zertifikat dieses Empfängers bekannt. Der Empfänger wurde gebeten, eine signierte Nachricht zu schicken, in der es steht; sobald es da ist, wird Ihre gesendet.",
}

// insecure explains what did not go over a connection that was not secure enough.
var insecure = sentence{
	"The connection to the recipient's mail server is not as secure as it must be, by the rules of your company, by those of the recipient's or because you asked for it. So the message was not handed over.",
	"Die Verbindung zum Mailserver des Empfängers ist nicht so sicher, wie es die Regeln Ihres Unternehmens oder des Empfängers verlangen oder wie Sie es verlangt haben. Die Nachricht wurde deshalb nicht übergeben.",
}

var noReason = sentence{"The recipient's mail server did not accept the message.", "Der Mailserver des Empfängers hat die Nachricht nicht angenommen."}

// reason explains a failed or delayed recipient; empty for the others.
func (r Recipient) reason() sentence {
	if r.Action == Delivered || r.Action == Relayed {
		return sentence{}
	}
	if r.Insecure {
		return insecure
	}
	_, code, _ := strings.Cut(r.status(), ".")
	if r.DeMail && code != "7.5" {
		return r.deMailReason(code)
	}
	if code == "7.5" && !r.Remote && r.Action == Delayed {
		return awaiting
	}
	if code == "7.5" && !r.Remote {
		return unprotected
	}
	if s, ok := reasons[code]; ok {
		return s
	}
	subject, _, _ := strings.Cut(code, ".")
	if s, ok := reasons[subject]; ok {
		return s
	}
	return noReason
}

// explanation is the text for people, first in English, then in German.
func explanation(hostname string, arrived time.Time, recipients []Recipient) string {
	var b strings.Builder
	b.WriteString("(Deutscher Text weiter unten.)\n\n")
	english(&b, hostname, arrived, recipients)
	b.WriteString("\n" + strings.Repeat("-", 70) + "\n\n")
	german(&b, hostname, arrived, recipients)
	return b.String()
}

func english(b *strings.Builder, hostname string, arrived time.Time, recipients []Recipient) {
	fmt.Fprintf(b, "This is the mail gateway %s. It writes about your message of %s.\n", hostname, date(arrived))
	each(recipients, func(s sentence) { fmt.Fprintf(b, "\n%s\n", s.en) }, func(r Recipient) {
		details(b, r, r.reason().en, "The server %s answered:", "Details:", "It will be tried until %s.")
	})
	b.WriteString("\nThe header of your message is attached. If you need help, please pass this message on to your help desk.\n")
}

func german(b *strings.Builder, hostname string, arrived time.Time, recipients []Recipient) {
	fmt.Fprintf(b, "Dies ist das Mail-Gateway %s. Es geht um Ihre Nachricht vom %s.\n", hostname, arrived.Format("02.01.2006, 15:04 -0700"))
	each(recipients, func(s sentence) { fmt.Fprintf(b, "\n%s\n", s.de) }, func(r Recipient) {
		details(b, r, r.reason().de, "Der Server %s antwortete:", "Einzelheiten:", "Es wird bis zum %s versucht.")
	})
	b.WriteString("\nDie Kopfzeilen Ihrer Nachricht sind angehängt. Wenn Sie Hilfe brauchen, leiten Sie diese Nachricht bitte an Ihren Helpdesk weiter.\n")
}

// opening says what became of a recipient and those who fared alike.
func (r Recipient) opening() sentence {
	switch {
	case r.Action == Delayed && r.Doubt:
		return doubtful
	case r.Action == Relayed && r.DeMail:
		return handedOver
	}
	return openings[r.Action]
}

// each visits the recipients by action, and the opening of those who fared alike once before them.
func each(recipients []Recipient, opening func(sentence), recipient func(Recipient)) {
	for _, a := range []Action{Failed, Delayed, Relayed, Delivered} {
		said := map[sentence]bool{}
		for _, first := range recipients {
			if said[first.opening()] || first.Action != a {
				continue
			}
			said[first.opening()] = true
			opening(first.opening())
			for _, r := range recipients {
				if r.Action == a && r.opening() == first.opening() {
					recipient(r)
				}
			}
		}
	}
}

// details are the lines for one recipient: the address, the reason, what was said, how long it is tried.
func details(b *strings.Builder, r Recipient, reason, said, other, until string) {
	fmt.Fprintf(b, "\n  %s\n", readable(r.Address.String()))
	if reason != "" {
		fmt.Fprintf(b, "    %s\n", reason)
	}
	switch {
	case r.Diagnostic == "":
	case r.Remote:
		fmt.Fprintf(b, "    "+said+" %s\n", readable(hostOf(r.Host)), readable(r.Diagnostic))
	default:
		fmt.Fprintf(b, "    %s %s\n", other, readable(r.Diagnostic))
	}
	if r.Action == Delayed && !r.RetryUntil.IsZero() {
		fmt.Fprintf(b, "    "+until+"\n", r.RetryUntil.Format("2006-01-02 15:04 -0700"))
	}
}
