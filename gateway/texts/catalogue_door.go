package texts

// What a listener says of a message, or of how much there is to do.
const (
	DoorTooLarge       ID = "door-too-large"       // it is larger than Values.Limit
	DoorHeaderLong     ID = "door-header-long"     // its header is longer than Values.Limit
	DoorHeaderFields   ID = "door-header-fields"   // its header has more than Values.Most fields
	DoorLoop           ID = "door-loop"            // it has passed more than Values.Most servers
	DoorManyRecipients ID = "door-many-recipients" // it has more than Values.Most recipients
	DoorBusy           ID = "door-busy"            // the gateway stops or has too much to do
	DoorStorage        ID = "door-storage"         // there is no storage left
	DoorTrouble        ID = "door-trouble"         // something is wrong with the gateway
	DoorArchive        ID = "door-archive"         // so many copies wait for an archive that none may be added
	DoorSlow           ID = "door-slow"            // it did not arrive in time
	DoorComplex        ID = "door-complex"         // it has too many parts, or too long a header
	DoorUnprotectable  ID = "door-unprotectable"   // it cannot be taken apart to be signed or encrypted
	DoorAddress        ID = "door-address"         // an address is none that mail can go to
	DoorMuchMail       ID = "door-much-mail"       // too much mail came from a network
	DoorMuchAddressed  ID = "door-much-addressed"  // mail for too many recipients came from a network
	DoorErrors         ID = "door-errors"          // too many errors came from a network
	DoorOften          ID = "door-often"           // too many connections came from a network in a minute
	DoorNetworkFull    ID = "door-network-full"    // a network has too many connections
	DoorFull           ID = "door-full"            // there are too many connections
	DoorCrowded        ID = "door-crowded"         // a silent client makes room for others
)

// door are the texts of listeners, whoever sends.
var door = map[ID]entry{
	DoorTooLarge: {
		about: "A message is larger than max_size of the listener.",
		smtp: Pair{
			EN: "The message was not taken: it is larger than this server takes, which is {limit}. Send less at a time.",
			DE: "Die Nachricht wurde nicht angenommen: Sie ist größer, als dieser Server annimmt, nämlich {limit}. Senden Sie weniger auf einmal.",
		},
		either: true,
	},
	DoorHeaderLong: {
		about: "The header of a message is longer than the listener takes.",
		smtp: Pair{
			EN: "The message was not taken: its header is longer than {limit}. Send it to fewer recipients at a time, or write it anew rather than forward it once more.",
			DE: "Die Nachricht wurde nicht angenommen: Ihre Kopfzeilen sind länger als {limit}. Senden Sie sie an weniger Empfänger auf einmal, oder schreiben Sie sie neu, statt sie noch einmal weiterzuleiten.",
		},
		either: true,
	},
	DoorHeaderFields: {
		about: "The header of a message has more fields than the listener takes.",
		smtp: Pair{
			EN: "The message was not taken: its header has more than {most} fields. Write it anew rather than forward it once more.",
			DE: "Die Nachricht wurde nicht angenommen: Sie hat mehr als {most} Kopfzeilen. Schreiben Sie sie neu, statt sie noch einmal weiterzuleiten.",
		},
		either: true,
	},
	DoorLoop: {
		about: "A message has passed more servers than any does that is not on a round trip.",
		smtp: Pair{
			EN: "The message was not taken: it has passed more than {most} servers, so this is a mail loop. Whoever administers the recipient's mail has to look at what forwards it.",
			DE: "Die Nachricht wurde nicht angenommen: Sie lief über mehr als {most} Server, läuft also im Kreis. Wer die Mail des Empfängers verwaltet, muss nachsehen, was sie weiterleitet.",
		},
		either: true,
	},
	DoorManyRecipients: {
		about: "A message has more recipients than the listener takes. Mail servers send it to the others by themselves.",
		smtp: Pair{
			EN: "The message has more than {most} recipients, which are all that this server takes at once. Send it to the others separately; mail servers do so by themselves.",
			DE: "Die Nachricht hat mehr als {most} Empfänger; mehr nimmt dieser Server auf einmal nicht an. Senden Sie sie den übrigen gesondert; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorBusy: {
		about: "The gateway is stopping, or has too much to do.",
		smtp: Pair{
			EN: "The gateway is stopping or overloaded. Try again later; mail servers do so by themselves.",
			DE: "Das Gateway wird beendet oder ist überlastet. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorStorage: {
		about: "The gateway is short of storage.",
		smtp: Pair{
			EN: "The gateway is short of storage. Try again later; mail servers do so by themselves.",
			DE: "Dem Gateway fehlt Speicherplatz. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorTrouble: {
		about: "Something is wrong with the gateway; its log says what.",
		smtp: Pair{
			EN: "The gateway has a local problem. Try again later; mail servers do so by themselves.",
			DE: "Das Gateway hat zurzeit eine Störung. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorArchive: {
		about: "So many copies wait for an archive that a message is put off (archives.when_full).",
		smtp: Pair{
			EN: "This server cannot take the message at present. Try again later; mail servers do so by themselves.",
			DE: "Dieser Server kann die Nachricht zurzeit nicht annehmen. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorSlow: {
		about: "A message took longer to arrive than it may.",
		smtp: Pair{
			EN: "The message took too long to arrive. Send it again, over a better connection or with less attached.",
			DE: "Die Übertragung der Nachricht hat zu lange gedauert. Senden Sie sie noch einmal, über eine bessere Verbindung oder mit kleineren Anlagen.",
		},
		either: true,
	},
	DoorComplex: {
		about: "A message exceeds a limit of what the gateway takes apart.",
		smtp: Pair{
			EN: "The message is too complex: its header or its parts exceed a limit. Send less at a time, or attach what it holds as one file.",
			DE: "Die Nachricht ist zu verschachtelt: Ihre Kopfzeilen oder ihre Teile überschreiten eine Grenze. Senden Sie weniger auf einmal, oder hängen Sie den Inhalt als eine Datei an.",
		},
		either: true,
	},
	DoorUnprotectable: {
		about: "A message is to be signed or encrypted, and cannot be taken apart.",
		smtp: Pair{
			EN: "The message cannot be taken apart to be signed or encrypted: its header is too long, or it has too many parts. Send less at a time, or attach what it holds as one file.",
			DE: "Die Nachricht lässt sich zum Signieren oder Verschlüsseln nicht zerlegen: Ihre Kopfzeilen sind zu lang, oder sie hat zu viele Teile. Senden Sie weniger auf einmal, oder hängen Sie den Inhalt als eine Datei an.",
		},
		either: true,
	},
	DoorAddress: {
		about: "An address of a message is none that the gateway can relay to.",
		smtp: Pair{
			EN: "An address of the message is not a mailbox this gateway can relay to. Check how the addresses are spelt.",
			DE: "Eine Adresse der Nachricht ist kein Postfach, zu dem dieses Gateway weiterleiten kann. Prüfen Sie die Schreibweise der Adressen.",
		},
		either: true,
	},
	DoorMuchMail: {
		about: "A network has sent as much mail in one hour as it may.",
		smtp: Pair{
			EN: "Too much mail from your network in one hour. Try again later; mail servers do so by themselves.",
			DE: "Zu viel Mail aus Ihrem Netz in einer Stunde. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorMuchAddressed: {
		about: "A network has sent to as many recipients in one hour as it may.",
		smtp: Pair{
			EN: "Too many recipients from your network in one hour. Try again later; mail servers do so by themselves.",
			DE: "Zu viele Empfänger aus Ihrem Netz in einer Stunde. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorErrors: {
		about: "A network has made as many errors in one hour as it may.",
		smtp: Pair{
			EN: "Too many errors from your network in one hour. Try again later; mail servers do so by themselves.",
			DE: "Zu viele Fehler aus Ihrem Netz in einer Stunde. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorOften: {
		about: "A network has connected as often in one minute as it may.",
		smtp: Pair{
			EN: "Too many connections from your network in one minute. Try again later; mail servers do so by themselves.",
			DE: "Zu viele Verbindungen aus Ihrem Netz in einer Minute. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorNetworkFull: {
		about: "A network has as many connections at a time as it may.",
		smtp: Pair{
			EN: "Too many connections from your network. Try again later; mail servers do so by themselves.",
			DE: "Zu viele Verbindungen aus Ihrem Netz. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorFull: {
		about: "There are as many connections as the gateway takes at a time.",
		smtp: Pair{
			EN: "Too many connections. Try again later; mail servers do so by themselves.",
			DE: "Zu viele Verbindungen. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
	DoorCrowded: {
		about: "There are many connections, and one that has been silent or slow makes room.",
		smtp: Pair{
			EN: "The server is busy, and you have been silent or slow. Try again later; mail servers do so by themselves.",
			DE: "Der Server ist ausgelastet, und von Ihnen kam nichts oder nur langsam etwas. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		either: true,
	},
}
