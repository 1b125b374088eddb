package texts

// What quarantine says: to whom a rule of it names, to administrators, to senders inside, and at the door.
const (
	QuarantineWaiting  ID = "quarantine-waiting"  // messages wait for a decision: Values.Count, Values.Lines
	QuarantineEnded    ID = "quarantine-ended"    // messages from outside were removed, since nobody decided
	QuarantineFilling  ID = "quarantine-filling"  // little room is left: Values.Detail says how much is taken
	QuarantineReturned ID = "quarantine-returned" // a message from inside goes back, since nobody decided
	QuarantineNoRoom   ID = "quarantine-no-room"  // a message cannot be put there now, and stays with its sender's server
	InvalidRefused     ID = "invalid-refused"     // a message from outside has a signature that is not valid
	UnsignedRefused    ID = "unsigned-refused"    // a message from outside is not signed
)

// quarantine are its texts.
var quarantine = map[ID]entry{
	QuarantineWaiting: {
		about: "Messages wait in quarantine; sent to those whom the policy names, once in a period.",
		subject: Pair{
			EN: "Messages wait in quarantine ({count})",
			DE: "Nachrichten in Quarantäne ({count})",
		},
		notice: Pair{
			EN: "These messages were not delivered. They wait until somebody decides:\n\n{lines}\n\n" +
				"Your administrator can look at why each is held, and release it or remove it: give the first word of its line, which is its number. " +
				"What nobody decides on goes back to its sender, where that is somebody inside, or is removed. Help: {contact}.\n",
			DE: "Diese Nachrichten wurden nicht zugestellt. Sie warten, bis jemand entscheidet:\n\n{lines}\n\n" +
				"Ihr Administrator kann nachsehen, warum jede angehalten wurde, und sie freigeben oder entfernen: Nennen Sie ihm das erste Wort der Zeile, ihre Nummer. " +
				"Was niemand entscheidet, geht an den Absender zurück, wenn er zum Unternehmen gehört, oder wird entfernt. Hilfe: {contact}.\n",
		},
	},
	QuarantineEnded: {
		about: "Messages from outside were removed from quarantine, since nobody decided in time; sent to those whom the policy names, else to the administrators.",
		subject: Pair{
			EN: "Messages were removed from quarantine ({count})",
			DE: "Nachrichten aus der Quarantäne entfernt ({count})",
		},
		notice: Pair{
			EN: "Nobody decided on these messages in time, so they were removed. Their senders were not told:\n\n{lines}\n\n" +
				"If you expected one of them, ask its sender to send it again. Help: {contact}.\n",
			DE: "Über diese Nachrichten hat niemand rechtzeitig entschieden, deshalb wurden sie entfernt. Ihre Absender haben davon nichts erfahren:\n\n{lines}\n\n" +
				"Falls Sie eine davon erwartet haben, bitten Sie den Absender, sie noch einmal zu senden. Hilfe: {contact}.\n",
		},
	},
	QuarantineFilling: {
		detail: "9500 of 10000 messages, 812.0 of 1000.0 MB",
		about:  "The quarantine is nearly full, or full; sent to the administrators once a day.",
		subject: Pair{
			EN: "The quarantine of Siegel is filling up",
			DE: "Die Quarantäne von Siegel wird voll",
		},
		notice: Pair{
			EN: "The quarantine on {host} has taken {detail}.\n\nWhen it is full, mail from inside that is to be held stays with the mail server that sends it, and mail from outside that is to be " +
				"held waits in the queue, so that nothing is lost and nothing delivered. Decide on what waits, or give it more room (quarantine.max_messages, quarantine.max_size):\n\n" +
				"  siegel quarantine list\n  siegel quarantine delete --older-than 72h --dry-run\n",
			DE: "In der Quarantäne auf {host} liegen {detail}.\n\nIst sie voll, bleibt Post von innen, die angehalten werden soll, beim sendenden Mailserver, und Post von außen, die angehalten werden " +
				"soll, wartet in der Warteschlange: Nichts geht verloren, und nichts wird zugestellt. Entscheiden Sie über das, was wartet, oder geben Sie mehr Platz (quarantine.max_messages, quarantine.max_size):\n\n" +
				"  siegel quarantine list\n  siegel quarantine delete --older-than 72h --dry-run\n",
		},
	},
	QuarantineReturned: {
		about: "A message of somebody inside comes back, since nobody released it from quarantine in time.",
		smtp: Pair{
			EN: "The message was not sent: a rule of your company holds such messages until somebody releases them, and nobody did in time. Ask whether it may go, then send it again. Help: {contact}.",
			DE: "Die Nachricht wurde nicht gesendet: Eine Regel Ihres Unternehmens hält solche Nachrichten an, bis jemand sie freigibt, und das hat niemand rechtzeitig getan. " +
				"Fragen Sie, ob sie hinausgehen darf, und senden Sie sie dann noch einmal. Hilfe: {contact}.",
		},
	},
	QuarantineNoRoom: {
		about: "A message of somebody inside is to wait in quarantine, which is full; it stays with the sending server for now.",
		smtp: Pair{
			EN: "The message waits with your mail server: a rule of your company holds such messages, and there is no room for more at the moment. Help: {contact}.",
			DE: "Die Nachricht wartet auf Ihrem Mailserver: Eine Regel Ihres Unternehmens hält solche Nachrichten an, und dafür ist im Moment kein Platz. Hilfe: {contact}.",
		},
	},
	InvalidRefused: {
		about: "A message from outside has a signature that is not valid, and the recipient takes no such message.",
		smtp: Pair{
			EN: "The message to {recipient} was not taken: its S/MIME signature is not valid. Sign it with a certificate that is valid and made for your address, or check whether something on its way changed it.",
			DE: "Die Nachricht an {recipient} wurde nicht angenommen: Ihre S/MIME-Signatur ist nicht gültig. Signieren Sie sie mit einem gültigen Zertifikat für Ihre Adresse, oder prüfen Sie, ob etwas auf dem Weg sie verändert hat.",
		},
		outside: true,
	},
	UnsignedRefused: {
		about: "A message from outside is not signed, and the recipient takes no such message.",
		smtp: Pair{
			EN: "The message to {recipient} was not taken: it is not signed. Sign it with an S/MIME certificate for your address and send it again.",
			DE: "Die Nachricht an {recipient} wurde nicht angenommen: Sie ist nicht signiert. Signieren Sie sie mit einem S/MIME-Zertifikat für Ihre Adresse und senden Sie sie noch einmal.",
		},
		outside: true,
	},
}
