package texts

// What administrators are told by mail (admin.mail_to).
const (
	AlarmCertificates ID = "alarm-certificates" // Values.Lines end soon
	AlarmIssuer       ID = "alarm-issuer"       // nobody knows the issuer Values.Detail of the author Values.Address, with the fingerprint Values.Number
	AlarmThrottled    ID = "alarm-throttled"    // a sender mails too much: Values.Lines, from Values.Address on the listener Values.Host
	AlarmAside        ID = "alarm-aside"        // the database of the queue was damaged: Values.Lines
	AlarmKept         ID = "alarm-kept"         // the De-Mail Values.Number cannot be delivered to Values.Recipient: Values.Lines
	AlarmLogin        ID = "alarm-login"        // a provider does not let Values.Account in: Values.Lines
	AlarmDoubt        ID = "alarm-doubt"        // nobody knows whether the De-Mail Values.Number of Values.Account was sent; Values.Detail is its key
	AlarmArchive      ID = "alarm-archive"      // the archive Values.Account does not take its copies: Values.Lines; mail is put off beyond Values.Limit
	AlarmArchiveOpen  ID = "alarm-archive-open" // the same, and mail goes on without a copy
)

// Commands that several alarms name.
const (
	holdEN = "  siegel queue list --state held\n  siegel queue release ID        deliver it"
	holdDE = "  siegel queue list --state held\n  siegel queue release ID        "
)

const archiveEN = "The copies are encrypted, on the disk of the gateway, and are tried again until the archive has them.\n\n" +
	"  siegel queue list --destination archive:{account}     what waits, and what the archive said\n  siegel queue retry --destination archive:{account}    try again now"

const archiveDE = "Die Kopien liegen verschlüsselt auf der Platte des Gateways und werden versucht, bis das Archiv sie hat.\n\n" +
	"  siegel queue list --destination archive:{account}     was wartet, und was das Archiv sagte\n  siegel queue retry --destination archive:{account}    jetzt versuchen"

// alarms are those texts.
var alarms = map[ID]entry{
	AlarmCertificates: {
		about:   "To administrators: certificates end soon, or have ended, and no others follow them.",
		subject: Pair{"Siegel: certificates end soon", "Siegel: Zertifikate laufen ab"},
		notice: Pair{
			EN: "These certificates end soon, or have ended, and no others follow them:\n\n{lines}\n\n" +
				"Get new ones from whoever issued them and import them, before mail is not signed any more, cannot be encrypted, or is not taken:\n\n" +
				"  siegel certs expiring          lists them all\n  siegel certs import FILE\n\nYou are told of each certificate once now, once in its last week, and once when it has ended.",
			DE: "Diese Zertifikate laufen bald ab oder sind abgelaufen, und keine anderen folgen ihnen:\n\n{lines}\n\n" +
				"Besorgen Sie neue bei dem, der sie ausgestellt hat, und importieren Sie sie, bevor Mail nicht mehr signiert wird, nicht verschlüsselt werden kann oder nicht angenommen wird:\n\n" +
				"  siegel certs expiring          zeigt alle\n  siegel certs import DATEI\n\nSie erfahren von jedem Zertifikat einmal jetzt, einmal in seiner letzten Woche und einmal, wenn es abgelaufen ist.",
		},
	},
	AlarmIssuer: {
		detail:  "CN=Partner Root CA",
		about:   "To administrators: a signature is right, and the issuer of its certificate is not known.",
		subject: Pair{"Siegel asks about an unknown issuer of certificates", "Siegel fragt nach einem unbekannten Aussteller"},
		notice: Pair{
			EN: "The signature of a message is right, but nobody here knows who issued its certificate:\n\n  author of the message:  {address}\n  topmost certificate:    {detail}\n  its SHA-256:            {number}\n\n" +
				"The certificates were kept, and are used for nothing until you decide. Compare the fingerprint with what the issuer publishes, then:\n\n" +
				"  siegel certs list --trust asked\n  siegel certs trust {number}\n\nIt is believed from then on, and what it issues if it bears no mail address itself.\n\n" +
				"If you do not know the issuer, you need do nothing. You are told of each issuer once in a while (certificates.find.harvest.remind).",
			DE: "Die Signatur einer Nachricht stimmt, aber niemand kennt hier den Aussteller ihres Zertifikats:\n\n  Verfasser der Nachricht:  {address}\n  oberstes Zertifikat:      {detail}\n  sein SHA-256:             {number}\n\n" +
				"Die Zertifikate wurden aufgehoben und werden zu nichts verwendet, bis Sie entscheiden. Vergleichen Sie den Fingerabdruck mit dem, den der Aussteller veröffentlicht, dann:\n\n" +
				"  siegel certs list --trust asked\n  siegel certs trust {number}\n\nDiesem Zertifikat wird von da an vertraut, und allen, die damit ausgestellt sind, sofern es selbst keine Mailadresse enthält.\n\n" +
				"Kennen Sie den Aussteller nicht, müssen Sie nichts tun. Sie erfahren von jedem Aussteller nur ab und zu (certificates.find.harvest.remind).",
		},
	},
	AlarmThrottled: {
		about:   "To administrators: a sender inside mails more than it may, and its mail is held.",
		subject: Pair{"Siegel holds the mail of a sender", "Siegel hält die Mail eines Absenders an"},
		notice: Pair{
			EN: "A sender inside the company mails more than it may, as infected machines and stolen passwords do:\n\n{lines}\n  handed over by {address} on the listener {host}\n\n" +
				"What it sends to the outside is accepted and held until less comes. Find out what it is, then release or drop what is held:\n\n" + holdEN + "\n  siegel queue drop ID           remove it, nobody is told\n\n" +
				"For a sender who may send so much, list its address under throttle.except. You are told of each sender once a day.",
			DE: "Ein Absender im Unternehmen verschickt mehr, als er darf, wie es befallene Rechner und gestohlene Passwörter tun:\n\n{lines}\n  übergeben von {address} am Listener {host}\n\n" +
				"Was er nach außen sendet, wird angenommen und angehalten, bis weniger kommt. Klären Sie, was es ist; dann geben Sie es frei oder verwerfen es:\n\n" + holdDE + "ausliefern\n  siegel queue drop ID           entfernen, niemand erfährt davon\n\n" +
				"Ein Absender, der so viel senden darf, gehört mit seiner Adresse unter throttle.except. Sie erfahren von jedem Absender einmal am Tag.",
		},
	},
	AlarmAside: {
		about:   "To administrators: the database of the queue was damaged and set aside.",
		subject: Pair{"Siegel set a damaged queue aside", "Siegel hat eine beschädigte Warteschlange beiseitegelegt"},
		notice: Pair{
			EN: "The database of the queue was damaged. It was set aside, what was readable is in a new one, and mail goes on:\n\n{lines}\n\n" +
				"Check the disk before you trust it again. What is held waits for you, since it cannot be told whether it was delivered:\n\n" + holdEN + ", it may arrive twice\n  siegel queue drop ID           remove it, nobody is told\n\n" +
				"Of messages that were lost, the log of the time they were taken names sender and recipients. Move the folder away when you have looked at it; until then the gateway warns of it.",
			DE: "Die Datenbank der Warteschlange war beschädigt. Sie wurde beiseitegelegt, was lesbar war, steht in einer neuen, und die Mail läuft weiter:\n\n{lines}\n\n" +
				"Prüfen Sie die Platte, bevor Sie ihr wieder trauen. Was angehalten ist, wartet auf Sie, denn ob es zugestellt wurde, ist nicht zu erkennen:\n\n" + holdDE + "zustellen, es kann doppelt ankommen\n  siegel queue drop ID           entfernen, niemand erfährt davon\n\n" +
				"Von verlorenen Nachrichten nennt das Protokoll der Zeit, zu der sie angenommen wurden, Absender und Empfänger. Räumen Sie den Ordner weg, wenn Sie ihn angesehen haben; bis dahin warnt das Gateway davor.",
		},
	},
	AlarmKept: {
		about:   "To administrators: De-Mail that was fetched cannot be delivered inside, and is held.",
		subject: Pair{"Siegel holds De-Mail that cannot be delivered", "Siegel hält De-Mail an, die nicht zuzustellen ist"},
		notice: Pair{
			EN: "De-Mail that was fetched, or what tells of one, could not be delivered inside and is held: its provider has forgotten it.\n\n  to  {recipient}\n{lines}\n\n" +
				"Mend what keeps it from being delivered, then:\n\n  siegel queue release {number}        deliver it\n  siegel queue show {number}           look at it",
			DE: "De-Mail, die abgeholt wurde, oder eine Nachricht darüber konnte intern nicht zugestellt werden und ist angehalten: Der Anbieter hat sie nicht mehr.\n\n  an  {recipient}\n{lines}\n\n" +
				"Beheben Sie, was die Zustellung verhindert, dann:\n\n  siegel queue release {number}        zustellen\n  siegel queue show {number}           ansehen",
		},
	},
	AlarmLogin: {
		about:   "To administrators: a provider of De-Mail does not let an account in.",
		subject: Pair{"Siegel: a De-Mail provider does not let the account in", "Siegel: Ein De-Mail-Anbieter verweigert die Anmeldung"},
		notice: Pair{
			EN: "The provider of the De-Mail account {account} does not let it in:\n\n{lines}\n\nNothing of this account is sent or fetched any more; what is to be sent waits in the queue. " +
				"The provider is not asked again by itself, since tries may lock the account or the card. Find out what it is, mend it, and then:\n\n  siegel demail check {account}      what of the way to the provider works\n  siegel reload               asks again",
			DE: "Der Anbieter verweigert die Anmeldung am De-Mail-Konto {account}:\n\n{lines}\n\nVon diesem Konto wird nichts mehr gesendet oder abgeholt; was zu senden ist, wartet in der Warteschlange. " +
				"Der Anbieter wird nicht von selbst wieder gefragt, denn Versuche können das Konto oder die Karte sperren. Klären Sie, woran es liegt, beheben Sie es, und dann:\n\n  siegel demail check {account}      was vom Weg zum Anbieter geht\n  siegel reload               fragt wieder",
		},
	},
	AlarmDoubt: {
		detail:  "06h1hpgu760to06v2j6d",
		about:   "To administrators: nobody knows whether a De-Mail was sent.",
		subject: Pair{"Siegel: a De-Mail is in doubt", "Siegel: Von einer De-Mail ist ungewiss, ob sie gesendet wurde"},
		notice: Pair{
			EN: "The provider of the De-Mail account {account} was asked to send the message {number}, its answer was lost, and it cannot tell whether it has the message. " +
				"It is held, and never sent again by itself: it might arrive twice. Its sender was told.\n\n  siegel demail show {detail}                    what is known\n" +
				"  siegel demail resolve {detail} --taken         it was sent: you saw it in the account at the provider, or a confirmation\n" +
				"  siegel demail resolve {detail} --not-taken     it was not, and will not be: its sender is told\n  siegel queue release {detail}                  ask the provider once more\n\nA confirmation that comes clears it up by itself.",
			DE: "Der Anbieter des De-Mail-Kontos {account} sollte die Nachricht {number} senden, seine Antwort ging verloren, und er kann nicht sagen, ob er die Nachricht hat. " +
				"Sie ist angehalten und wird nicht von selbst noch einmal gesendet: Sie könnte doppelt ankommen. Der Absender weiß davon.\n\n  siegel demail show {detail}                    was bekannt ist\n" +
				"  siegel demail resolve {detail} --taken         sie wurde gesendet: Sie sahen sie im Konto beim Anbieter, oder eine Bestätigung\n" +
				"  siegel demail resolve {detail} --not-taken     sie wurde nicht gesendet und wird es nicht: Der Absender erfährt es\n  siegel queue release {detail}                  den Anbieter noch einmal fragen\n\nEine Bestätigung, die eintrifft, klärt es von selbst.",
		},
	},
	AlarmArchive: {
		about:   "To administrators: an archive does not take its copies, and mail will be put off (archives.when_full: refuse).",
		subject: Pair{"Siegel: an archive does not take its copies", "Siegel: Ein Archiv nimmt seine Kopien nicht an"},
		notice: Pair{
			EN: "The archive {account} does not take its copies of mail:\n\n{lines}\n\nThe limit is {limit}. Beyond the limit mail is put off with 451, and stays at its senders. " + archiveEN,
			DE: "Das Archiv {account} nimmt seine Kopien nicht an:\n\n{lines}\n\nDie Grenze ist {limit}. Ist die Grenze erreicht, wird Mail mit 451 zurückgestellt und bleibt beim Absender. " + archiveDE,
		},
	},
	AlarmArchiveOpen: {
		about:   "To administrators: an archive does not take its copies, and mail will go on without (archives.when_full: continue).",
		subject: Pair{"Siegel: an archive does not take its copies", "Siegel: Ein Archiv nimmt seine Kopien nicht an"},
		notice: Pair{
			EN: "The archive {account} does not take its copies of mail:\n\n{lines}\n\nThe limit is {limit}. Beyond the limit mail is taken WITHOUT a copy for the archive. " + archiveEN,
			DE: "Das Archiv {account} nimmt seine Kopien nicht an:\n\n{lines}\n\nDie Grenze ist {limit}. Ist die Grenze erreicht, wird Mail OHNE Archivkopie angenommen. " + archiveDE,
		},
	},
}
