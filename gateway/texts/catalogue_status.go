package texts

// statuses explain enhanced status codes by subject and detail, or by subject alone (RFC 3463, 3).
var statuses = map[ID]entry{
	"status-1.1": {
		about: "Reports, status x.1.1: the address does not exist.",
		notice: Pair{
			EN: "The address does not exist. Please check its spelling.",
			DE: "Die Adresse gibt es nicht. Bitte prüfen Sie die Schreibweise.",
		},
	},
	"status-1.2": {
		about: "Reports, status x.1.2: the domain does not exist or takes no mail.",
		notice: Pair{
			EN: "The domain after the @ does not exist or takes no mail. Please check its spelling.",
			DE: "Die Domain hinter dem @ gibt es nicht, oder sie nimmt keine Mail an. Bitte prüfen Sie die Schreibweise.",
		},
	},
	"status-1.3": {
		about: "Reports, status x.1.3: the address is malformed.",
		notice: Pair{
			EN: "The address is not written correctly. Please check its spelling.",
			DE: "Die Adresse ist nicht richtig geschrieben. Bitte prüfen Sie die Schreibweise.",
		},
	},
	"status-1.7": {
		about: "Reports, status x.1.7: the sender's address was refused.",
		notice: Pair{
			EN: "The recipient's mail server does not accept your own address. Please ask your administrator.",
			DE: "Der Mailserver des Empfängers nimmt Ihre eigene Adresse nicht an. Bitte wenden Sie sich an Ihren Administrator.",
		},
	},
	"status-1.8": {
		about: "Reports, status x.1.8: the sender's address was refused.",
		notice: Pair{
			EN: "The recipient's mail server does not accept your own address. Please ask your administrator.",
			DE: "Der Mailserver des Empfängers nimmt Ihre eigene Adresse nicht an. Bitte wenden Sie sich an Ihren Administrator.",
		},
	},
	"status-1": {
		about: "Reports, status x.1: the address was refused.",
		notice: Pair{
			EN: "The recipient's mail server does not accept the address. Please check its spelling, or ask the recipient for the right one.",
			DE: "Der Mailserver des Empfängers nimmt die Adresse nicht an. Bitte prüfen Sie die Schreibweise, oder fragen Sie den Empfänger nach der richtigen.",
		},
	},
	"status-2.1": {
		about: "Reports, status x.2.1: the mailbox is disabled.",
		notice: Pair{
			EN: "The recipient's mailbox is disabled. Please reach the recipient in another way.",
			DE: "Das Postfach des Empfängers ist gesperrt. Bitte erreichen Sie den Empfänger auf einem anderen Weg.",
		},
	},
	"status-2.2": {
		about: "Reports, status x.2.2: the mailbox is full.",
		notice: Pair{
			EN: "The recipient's mailbox is full.",
			DE: "Das Postfach des Empfängers ist voll.",
		},
	},
	"status-2.3": {
		about: "Reports, status x.2.3: the message is too large for the mailbox.",
		notice: Pair{
			EN: "The message is too large for the recipient's mailbox. Please send less at a time.",
			DE: "Die Nachricht ist für das Postfach des Empfängers zu groß. Bitte senden Sie weniger auf einmal.",
		},
	},
	"status-2": {
		about: "Reports, status x.2: the mailbox cannot take it.",
		notice: Pair{
			EN: "The recipient's mailbox cannot take the message.",
			DE: "Das Postfach des Empfängers kann die Nachricht nicht aufnehmen.",
		},
	},
	"status-3.4": {
		about: "Reports, status x.3.4: the message is too large.",
		notice: Pair{
			EN: "The message is too large for the recipient's mail server. Please send less at a time.",
			DE: "Die Nachricht ist für den Mailserver des Empfängers zu groß. Bitte senden Sie weniger auf einmal.",
		},
	},
	"status-3": {
		about: "Reports, status x.3: the server has no room or cannot take it.",
		notice: Pair{
			EN: "The recipient's mail server has no room or cannot take the message.",
			DE: "Der Mailserver des Empfängers hat keinen Platz oder kann die Nachricht nicht annehmen.",
		},
	},
	"status-4.1": {
		about: "Reports, status x.4.1: the server cannot be reached.",
		notice: Pair{
			EN: "The recipient's mail server cannot be reached.",
			DE: "Der Mailserver des Empfängers ist nicht zu erreichen.",
		},
	},
	"status-4.4": {
		about: "Reports, status x.4.4: there is no way to the server.",
		notice: Pair{
			EN: "There is no way to the recipient's mail server.",
			DE: "Es gibt keinen Weg zum Mailserver des Empfängers.",
		},
	},
	"status-4.7": {
		about: "Reports, status x.4.7: it took too long.",
		notice: Pair{
			EN: "The recipient's mail server did not take the message within the time allowed.",
			DE: "Der Mailserver des Empfängers hat die Nachricht nicht in der vorgesehenen Zeit angenommen.",
		},
	},
	"status-4": {
		about: "Reports, status x.4: the connection failed.",
		notice: Pair{
			EN: "The connection to the recipient's mail server failed.",
			DE: "Die Verbindung zum Mailserver des Empfängers ist gescheitert.",
		},
	},
	"status-5": {
		about: "Reports, status x.5: the servers did not understand each other.",
		notice: Pair{
			EN: "The two mail servers did not understand each other.",
			DE: "Die beiden Mailserver haben sich nicht verstanden.",
		},
	},
	"status-6.3": {
		about: "Reports, status x.6.3: the content would have to be converted, and must not be.",
		notice: Pair{
			EN: "The recipient's mail server does not take this kind of content, and the message must not be changed.",
			DE: "Der Mailserver des Empfängers nimmt diese Art Inhalt nicht an, und die Nachricht darf nicht verändert werden.",
		},
	},
	"status-6.7": {
		about: "Reports, status x.6.7: the server knows no addresses beyond ASCII.",
		notice: Pair{
			EN: "The recipient's mail server does not take addresses or headers with letters beyond a to z.",
			DE: "Der Mailserver des Empfängers nimmt keine Adressen oder Kopfzeilen mit anderen Buchstaben als a bis z an.",
		},
	},
	"status-6": {
		about: "Reports, status x.6: the content was refused.",
		notice: Pair{
			EN: "The content or form of the message was not accepted.",
			DE: "Inhalt oder Form der Nachricht wurden nicht angenommen.",
		},
	},
	"status-7.5": {
		about: "Reports, status x.7.5: a key or certificate was not available.",
		notice: Pair{
			EN: "A key or certificate that is needed to sign, encrypt or decrypt the message was not available.",
			DE: "Ein Schlüssel oder Zertifikat, das zum Signieren, Verschlüsseln oder Entschlüsseln der Nachricht nötig ist, war nicht verfügbar.",
		},
	},
	"status-7": {
		about: "Reports, status x.7: it was refused for reasons of security.",
		notice: Pair{
			EN: "The message was refused for reasons of security or by a rule.",
			DE: "Die Nachricht wurde aus Gründen der Sicherheit oder durch eine Regel abgelehnt.",
		},
	},
}

// deMailStatuses explain those of De-Mail, which are our own or those of the sender's provider.
var deMailStatuses = map[ID]entry{
	"demail-status-1.1": {
		about: "Reports of De-Mail, status x.1.1: the address does not exist.",
		notice: Pair{
			EN: "The De-Mail address does not exist, or cannot be reached with the options that you asked for. Please check its spelling.",
			DE: "Die De-Mail-Adresse gibt es nicht, oder sie ist mit den Optionen, die Sie verlangt haben, nicht zu erreichen. Bitte prüfen Sie die Schreibweise.",
		},
	},
	"demail-status-1": {
		about: "Reports of De-Mail, status x.1: the address was refused.",
		notice: Pair{
			EN: "Your De-Mail provider does not accept the address.",
			DE: "Ihr De-Mail-Anbieter nimmt die Adresse nicht an.",
		},
	},
	"demail-status-3.4": {
		about: "Reports of De-Mail, status x.3.4: the message is too large.",
		notice: Pair{
			EN: "The message is larger than your De-Mail provider takes. Please send less at a time.",
			DE: "Die Nachricht ist größer, als Ihr De-Mail-Anbieter annimmt. Bitte senden Sie weniger auf einmal.",
		},
	},
	"demail-status-4.7": {
		about: "Reports of De-Mail, status x.4.7: it took too long.",
		notice: Pair{
			EN: "Your De-Mail provider did not take the message within the time allowed. It was not sent.",
			DE: "Ihr De-Mail-Anbieter hat die Nachricht nicht in der vorgesehenen Zeit angenommen. Sie wurde nicht versandt.",
		},
	},
	"demail-status-4": {
		about: "Reports of De-Mail, status x.4: the connection failed.",
		notice: Pair{
			EN: "Your De-Mail provider cannot be reached.",
			DE: "Ihr De-Mail-Anbieter ist nicht zu erreichen.",
		},
	},
	"demail-status-6": {
		about: "Reports of De-Mail, status x.6: the content was refused.",
		notice: Pair{
			EN: "Your De-Mail provider does not accept the content or form of the message.",
			DE: "Ihr De-Mail-Anbieter nimmt Inhalt oder Form der Nachricht nicht an.",
		},
	},
	"demail-status-7": {
		about: "Reports of De-Mail, status x.7: it was refused for reasons of security.",
		notice: Pair{
			EN: "Your company's De-Mail account may not send this message, or not with the options that you asked for.",
			DE: "Das De-Mail-Konto Ihres Unternehmens darf diese Nachricht nicht senden, oder nicht mit den Optionen, die Sie verlangt haben.",
		},
	},
}
