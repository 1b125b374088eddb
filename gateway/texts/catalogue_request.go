package texts

// RequestCertificate asks Values.Recipient, outside, for a signed message, since Values.Sender has written to it; {host} is the company's domain.
const RequestCertificate ID = "request-certificate"

// requests are texts that go to recipients outside.
var requests = map[ID]entry{
	RequestCertificate: {
		about:   "To a recipient outside whose certificate is not known, in the name of the address that asks (certificates.find.ask).",
		subject: Pair{"Please send a signed message", "Bitte um eine signierte Nachricht"},
		notice: Pair{
			EN: "Good day,\n\n{sender} has written a message to you that must be encrypted with S/MIME. We do not know your certificate yet, so the message is waiting.\n\n" +
				"If you use S/MIME, please reply to this message, and sign your reply. A signed message contains your certificate; ours is sent to you as soon as it arrives. You need not write anything else.\n\n" +
				"If you do not use S/MIME, you need do nothing. The sender will be told that the message could not be sent.\n\n" +
				"This message to {recipient} was written by the mail gateway of {host}. It contains no links and no attachments, and asks for no password.",
			DE: "Guten Tag,\n\n{sender} hat Ihnen eine Nachricht geschrieben, die mit S/MIME verschlüsselt werden muss. Ihr Zertifikat ist uns noch nicht bekannt, deshalb wartet die Nachricht.\n\n" +
				"Wenn Sie S/MIME verwenden, antworten Sie bitte auf diese Nachricht und signieren Sie Ihre Antwort. Eine signierte Nachricht enthält Ihr Zertifikat; sobald sie ankommt, wird die wartende an Sie gesendet. Mehr müssen Sie nicht schreiben.\n\n" +
				"Wenn Sie kein S/MIME verwenden, müssen Sie nichts tun. Der Absender erfährt, dass die Nachricht nicht gesendet werden konnte.\n\n" +
				"Diese Nachricht an {recipient} hat das Mail-Gateway von {host} geschrieben. Sie enthält keine Links und keine Anhänge und fragt nach keinem Passwort.",
		},
		outside: true,
	},
}
