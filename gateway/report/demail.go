package report

import "strings"

// handedOver opens what is said of De-Mail that the provider has taken.
var handedOver = sentence{
	"Your De-Mail was handed to your De-Mail provider for the following recipients. Confirmations that you asked for come as messages of their own.",
	"Ihre De-Mail wurde Ihrem De-Mail-Anbieter für die folgenden Empfänger übergeben. Bestätigungen, die Sie verlangt haben, kommen als eigene Nachrichten.",
}

// doubtful opens what is said of De-Mail of which nobody knows whether the provider has taken it.
var doubtful = sentence{
	"Your De-Mail provider was asked to send your De-Mail to the following recipients, and its answer was lost. It may have been sent, and it may not. Please do not send it again: this is being cleared up, by your administrators where need be.",
	"Ihr De-Mail-Anbieter sollte Ihre De-Mail an die folgenden Empfänger senden, und seine Antwort ging verloren. Vielleicht wurde sie versandt, vielleicht nicht. Bitte senden Sie sie nicht noch einmal: Das wird geklärt, wenn nötig von Ihren Administratoren.",
}

// deMailReasons explain a status of De-Mail, which is our own or that of the sender's provider, by subject and detail, or by subject alone.
var deMailReasons = map[string]sentence{
	"1.1": {"The De-Mail address does not exist, or cannot be reached with the options that you asked for. Please check its spelling.", "Die De-Mail-Adresse gibt es nicht, oder sie ist mit den Optionen, die Sie verlangt haben, nicht zu erreichen. Bitte prüfen Sie die Schreibweise."},
	"1":   {"Your De-Mail provider does not accept the address.", "Ihr De-Mail-Anbieter nimmt die Adresse nicht an."},
	"3.4": {"The message is larger than your De-Mail provider takes.", "Die Nachricht ist größer, als Ihr De-Mail-Anbieter annimmt."},
	"4.7": {"Your De-Mail provider did not take the message within the time allowed. It was not sent.", "Ihr De-Mail-Anbieter hat die Nachricht nicht in der vorgesehenen Zeit angenommen. Sie wurde nicht versandt."},
	"4":   {"Your De-Mail provider cannot be reached.", "Ihr De-Mail-Anbieter ist nicht zu erreichen."},
	"6":   {"Your De-Mail provider does not accept the content or form of the message.", "Ihr De-Mail-Anbieter nimmt Inhalt oder Form der Nachricht nicht an."},
	"7":   {"Your company's De-Mail account may not send this message, or not with the options that you asked for.", "Das De-Mail-Konto Ihres Unternehmens darf diese Nachricht nicht senden, oder nicht mit den Optionen, die Sie verlangt haben."},
}

var noDeMailReason = sentence{"Your De-Mail provider did not accept the message.", "Ihr De-Mail-Anbieter hat die Nachricht nicht angenommen."}

var notYetDeMail = sentence{"Your De-Mail provider has not taken it yet.", "Ihr De-Mail-Anbieter hat sie noch nicht angenommen."}

// deMailReason explains a failed or delayed recipient of De-Mail. Of what is in doubt the opening says all.
func (r Recipient) deMailReason(code string) sentence {
	if r.Doubt {
		return sentence{}
	}
	if s, ok := deMailReasons[code]; ok {
		return s
	}
	subject, _, _ := strings.Cut(code, ".")
	if s, ok := deMailReasons[subject]; ok {
		return s
	}
	if r.Action == Delayed {
		return notYetDeMail
	}
	return noDeMailReason
}
