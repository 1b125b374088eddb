package texts

// Refusals of De-Mail.
const (
	NoDeMailAddress   ID = "demail-no-address"   // it asks to be De-Mail, and nobody has a De-Mail address
	DeMailFromOutside ID = "demail-from-outside" // the internet may send none
)

var deMail = map[ID]entry{
	NoDeMailAddress: {
		about: "A message asks to be sent as De-Mail, and none of its recipients has a De-Mail address.",
		smtp: Pair{
			EN: "The message was not sent: you asked for De-Mail, and none of its recipients has a De-Mail address. Check the addresses, or send it without asking for that. Help: {contact}.",
			DE: "Die Nachricht wurde nicht gesendet: Sie haben De-Mail verlangt, aber keiner der Empfänger hat eine De-Mail-Adresse. Prüfen Sie die Adressen, oder senden Sie sie ohne diesen Wunsch. Hilfe: {contact}.",
		},
	},
	DeMailFromOutside: {
		about: "A message from the internet is for a De-Mail address.",
		smtp: Pair{
			EN: "The message to {recipient} was not taken: De-Mail is not taken from the internet. Send it through your own De-Mail provider.",
			DE: "Die Nachricht an {recipient} wurde nicht angenommen: De-Mail wird nicht aus dem Internet angenommen. Senden Sie sie über Ihren eigenen De-Mail-Anbieter.",
		},
		outside: true,
	},
}
