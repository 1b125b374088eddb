package texts

import "strings"

// Texts of delivery status notifications. What became of recipients, with the subject of the report.
const (
	ReportFailed    ID = "report-failed"
	ReportDelayed   ID = "report-delayed"
	ReportRelayed   ID = "report-relayed"
	ReportDelivered ID = "report-delivered"
	ReportHanded    ID = "report-demail-handed"   // De-Mail that the provider has taken
	ReportDoubtful  ID = "report-demail-doubtful" // De-Mail that the provider may have taken
)

// What a report says around that.
const (
	ReportBegin   ID = "report-begin"
	ReportEnd     ID = "report-end"
	ReportAnswer  ID = "report-answer"  // before the words of another server
	ReportDetails ID = "report-details" // before the words of this gateway
	ReportUntil   ID = "report-until"   // how long it is tried
)

// Why, where it is not the status that tells.
const (
	WhyNotProtected ID = "report-not-protected"  // what its protection waited for did not come in time: Values.Reason
	WhyUnprotected  ID = "report-unprotected"    // the same, where it is not known what that was
	WhyStopped      ID = "report-stopped"        // an administrator stopped the delivery
	WhyAwaiting     ID = "report-awaiting"       // the recipient was asked for a certificate
	WhyInsecure     ID = "report-insecure"       // the connection is not as secure as is demanded
	WhyUnknown      ID = "status"                // the status says nothing that has a text
	WhyNoDeMail     ID = "demail-status"         // the same of De-Mail
	WhyNotYet       ID = "demail-status-not-yet" // the provider has not taken it yet
)

// Status is the text that explains an enhanced status code without its class (RFC 3463, 3): "1.1". deMail: of what the sender's own provider says.
func Status(code string, deMail bool) ID {
	prefix, unknown := ID("status-"), WhyUnknown
	if deMail {
		prefix, unknown = "demail-status-", WhyNoDeMail
	}
	subject, _, _ := strings.Cut(code, ".")
	for _, id := range []ID{prefix + ID(code), prefix + ID(subject)} {
		if _, ok := catalogue[id]; ok {
			return id
		}
	}
	return unknown
}

var reports = map[ID]entry{
	ReportFailed: {
		about:   "A report: it was not delivered to the recipients that follow.",
		subject: Pair{"Your message was not delivered", "Ihre Nachricht wurde nicht zugestellt"},
		notice: Pair{
			EN: "Your message could not be delivered to the following recipients. It will not be tried again.",
			DE: "Ihre Nachricht konnte den folgenden Empfängern nicht zugestellt werden. Es wird nicht noch einmal versucht.",
		},
	},
	ReportDelayed: {
		about:   "A report: it is delayed for the recipients that follow.",
		subject: Pair{"Your message is delayed", "Ihre Nachricht ist noch unterwegs"},
		notice: Pair{
			EN: "Your message could not yet be delivered to the following recipients. You need not do anything: delivery is tried again by itself.",
			DE: "Ihre Nachricht konnte den folgenden Empfängern noch nicht zugestellt werden. Sie müssen nichts tun: Die Zustellung wird von selbst wieder versucht.",
		},
	},
	ReportRelayed: {
		about:   "A report: it went to servers that confirm nothing.",
		subject: Pair{"Your message was passed on", "Ihre Nachricht wurde weitergereicht"},
		notice: Pair{
			EN: "Your message was passed to the mail servers of the following recipients. These servers will not confirm the delivery.",
			DE: "Ihre Nachricht wurde den Mailservern der folgenden Empfänger übergeben. Diese Server bestätigen die Zustellung nicht.",
		},
	},
	ReportDelivered: {
		about:   "A report: it was delivered.",
		subject: Pair{"Your message was delivered", "Ihre Nachricht wurde zugestellt"},
		notice: Pair{
			EN: "Your message was delivered to the following recipients.",
			DE: "Ihre Nachricht wurde den folgenden Empfängern zugestellt.",
		},
	},
	ReportHanded: {
		about: "A report: the De-Mail provider has taken it.",
		notice: Pair{
			EN: "Your De-Mail was handed to your De-Mail provider for the following recipients. Confirmations that you asked for come as messages of their own.",
			DE: "Ihre De-Mail wurde Ihrem De-Mail-Anbieter für die folgenden Empfänger übergeben. Bestätigungen, die Sie verlangt haben, kommen als eigene Nachrichten.",
		},
	},
	ReportDoubtful: {
		about: "A report: the De-Mail provider was asked, and its answer was lost.",
		notice: Pair{
			EN: "Your De-Mail provider was asked to send your De-Mail to the following recipients, and its answer was lost. It may have been sent, and it may not. Please do not send it again: this is being cleared up, by your administrators where need be.",
			DE: "Ihr De-Mail-Anbieter sollte Ihre De-Mail an die folgenden Empfänger senden, und seine Antwort ging verloren. Vielleicht wurde sie versandt, vielleicht nicht. Bitte senden Sie sie nicht noch einmal: Das wird geklärt, wenn nötig von Ihren Administratoren.",
		},
	},
	ReportBegin: {
		about: "The first sentence of every report.",
		notice: Pair{
			EN: "This is the mail gateway {host}. It writes about your message of {date}.",
			DE: "Dies ist das Mail-Gateway {host}. Es geht um Ihre Nachricht vom {date}.",
		},
	},
	ReportEnd: {
		about: "The last sentences of every report.",
		notice: Pair{
			EN: "The header of your message is attached. If you need help, please pass this message on. Help: {contact}.",
			DE: "Die Kopfzeilen Ihrer Nachricht sind angehängt. Wenn Sie Hilfe brauchen, leiten Sie diese Nachricht bitte weiter. Hilfe: {contact}.",
		},
	},
	ReportAnswer: {
		about: "Stands in a report before what another server said.",
		notice: Pair{
			EN: "The server {host} answered:",
			DE: "Der Server {host} antwortete:",
		},
	},
	ReportDetails: {
		about: "Stands in a report before what the gateway says in English.",
		notice: Pair{
			EN: "Details:",
			DE: "Einzelheiten:",
		},
	},
	ReportUntil: {
		about: "How long a delayed message is tried.",
		notice: Pair{
			EN: "It will be tried until {until}.",
			DE: "Es wird bis zum {until} versucht.",
		},
	},
	WhyNotProtected: {
		about: "A message waited too long for what protects it, and comes back.",
		notice: Pair{
			EN: "The message was not sent: it must not leave without its signature or encryption, and {reason}. The time that it may wait for that is over. {advice}.",
			DE: "Die Nachricht wurde nicht gesendet: Sie darf nicht ohne Signatur oder Verschlüsselung hinaus, und {reason}. Die Zeit, die sie darauf warten darf, ist vorbei. {advice}.",
		},
		reasons: Awaited(),
	},
	WhyUnprotected: {
		about: "A message waited too long for what protects it, and comes back; what that is was not noted.",
		notice: Pair{
			EN: "The message must not leave without its signature or encryption, and a key or certificate for that was not available in time. It was not sent.",
			DE: "Die Nachricht darf nicht ohne Signatur oder Verschlüsselung hinaus, und ein Schlüssel oder Zertifikat dafür war nicht rechtzeitig verfügbar. Sie wurde nicht gesendet.",
		},
	},
	WhyStopped: {
		about: "An administrator gave a message up, and its sender is told (siegel queue return).",
		notice: Pair{
			EN: "The administrator of the mail gateway stopped the delivery of this message.",
			DE: "Der Administrator des Mail-Gateways hat die Zustellung dieser Nachricht beendet.",
		},
	},
	WhyAwaiting: {
		about: "A message waits, since the recipient was asked for a certificate.",
		notice: Pair{
			EN: "The message must be encrypted, and no certificate of this recipient is known. The recipient was asked to send a signed message, which has it; as soon as it is here, yours is sent.",
			DE: "Die Nachricht muss verschlüsselt werden, und es ist kein Zertifikat dieses Empfängers bekannt. Der Empfänger wurde gebeten, eine signierte Nachricht zu schicken, in der es steht; sobald es da ist, wird Ihre gesendet.",
		},
	},
	WhyInsecure: {
		about: "The connection to the recipient's server is not as secure as is demanded.",
		notice: Pair{
			EN: "The connection to the recipient's mail server is not as secure as it must be, by the rules of your company, by those of the recipient's or because you asked for it. So the message was not handed over.",
			DE: "Die Verbindung zum Mailserver des Empfängers ist nicht so sicher, wie es die Regeln Ihres Unternehmens oder des Empfängers verlangen oder wie Sie es verlangt haben. Die Nachricht wurde deshalb nicht übergeben.",
		},
	},
	WhyUnknown: {
		about: "Reports: a status that says nothing more.",
		notice: Pair{
			EN: "The recipient's mail server did not accept the message.",
			DE: "Der Mailserver des Empfängers hat die Nachricht nicht angenommen.",
		},
	},
	WhyNoDeMail: {
		about: "Reports of De-Mail: a status that says nothing more.",
		notice: Pair{
			EN: "Your De-Mail provider did not accept the message.",
			DE: "Ihr De-Mail-Anbieter hat die Nachricht nicht angenommen.",
		},
	},
	WhyNotYet: {
		about: "Reports of De-Mail: it is delayed, and the status says nothing more.",
		notice: Pair{
			EN: "Your De-Mail provider has not taken it yet.",
			DE: "Ihr De-Mail-Anbieter hat sie noch nicht angenommen.",
		},
	},
}
