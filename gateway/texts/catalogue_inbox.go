package texts

// What came of a De-Mail that somebody inside has sent: each is a message with what the provider said.
const (
	InboxDispatch     ID = "demail-dispatch"          // confirmation of dispatch
	InboxReceipt      ID = "demail-receipt"           // confirmation of receipt
	InboxRetrieve     ID = "demail-retrieve"          // confirmation of retrieve
	InboxMalware      ID = "demail-malware"           // confirmation that it held malware
	InboxMalwareFound ID = "demail-malware-found"     // notification of that
	InboxNoRecipient  ID = "demail-no-recipient"      // notification: a recipient does not exist
	InboxClosed       ID = "demail-closed"            // notification: the account of a recipient is closed
	InboxFormat       ID = "demail-format"            // notification: it has not the right format
	InboxTells        ID = "demail-tells"             // notification of something else
	InboxUnproven     ID = "demail-unproven"          // what claims to be one of Values.Kinds, and is not proven
	InboxOverdue      ID = "demail-overdue"           // Values.Kinds were asked for and did not come
	InboxServed       ID = "demail-served"            // a De-Mail was fetched at Values.Date, which may count as served on the company
	InboxUnreadable   ID = "demail-unreadable"        // one cannot be read: Values.Detail
	InboxProven       ID = "demail-standing-proven"   // a confirmation was checked
	InboxWhyNot       ID = "demail-standing-why-not"  // it is not proven: Values.Detail
	InboxSigned       ID = "demail-standing-signed"   // a notification was checked
	InboxUnsigned     ID = "demail-standing-unsigned" // it bears no signature
	InboxCareful      ID = "demail-standing-careful"  // its signature is not valid: Values.Detail
	InboxWrites       ID = "demail-writes"            // before the words of the provider
	InboxAttached     ID = "demail-attached"          // the last sentences
)

// What a confirmation is called, for {kinds}.
const (
	KindDispatch     ID = "kind-dispatch"
	KindReceipt      ID = "kind-receipt"
	KindRetrieve     ID = "kind-retrieve"
	KindMalware      ID = "kind-malware"
	KindMalwareFound ID = "kind-malware-found"
	KindNotification ID = "kind-notification"
)

var kinds = []ID{KindDispatch, KindReceipt, KindRetrieve, KindMalware, KindMalwareFound, KindNotification}

// kindPhrases are the names of confirmations and notifications.
var kindPhrases = map[ID]phrase{
	KindDispatch:     {say: Pair{"confirmation of dispatch", "Versandbestätigung"}},
	KindReceipt:      {say: Pair{"confirmation of receipt", "Eingangsbestätigung"}},
	KindRetrieve:     {say: Pair{"confirmation of retrieve", "Abholbestätigung"}},
	KindMalware:      {say: Pair{"confirmation of malware", "Schadsoftware-Bestätigung"}},
	KindMalwareFound: {say: Pair{"notification of malware", "Schadsoftware-Meldung"}},
	KindNotification: {say: Pair{"notification", "Meldung"}},
}

var kindNotification = Pair{"Notification", "Meldung"}

// inbox are those texts.
var inbox = map[ID]entry{
	InboxDispatch: {
		about:   "De-Mail: the sender's provider confirms the dispatch.",
		subject: Pair{"Confirmation of dispatch", "Versandbestätigung"},
		notice:  Pair{"Your De-Mail was dispatched. Your De-Mail provider confirms this.", "Ihre De-Mail wurde versandt. Das bestätigt Ihr De-Mail-Anbieter."},
	},
	InboxReceipt: {
		about:   "De-Mail: the recipient's provider confirms the receipt.",
		subject: Pair{"Confirmation of receipt", "Eingangsbestätigung"},
		notice:  Pair{"Your De-Mail lies in the recipient's mailbox. The recipient's De-Mail provider confirms this.", "Ihre De-Mail liegt im Postfach des Empfängers. Das bestätigt dessen De-Mail-Anbieter."},
	},
	InboxRetrieve: {
		about:   "De-Mail: the recipient's provider confirms that the recipient has logged in since.",
		subject: Pair{"Confirmation of retrieve", "Abholbestätigung"},
		notice: Pair{
			EN: "The recipient has logged in securely since your De-Mail came into the mailbox. The recipient's De-Mail provider confirms this.",
			DE: "Der Empfänger hat sich sicher angemeldet, seit Ihre De-Mail in seinem Postfach liegt. Das bestätigt dessen De-Mail-Anbieter.",
		},
	},
	InboxMalware: {
		about:   "De-Mail: a provider confirms that it found malware.",
		subject: Pair{"Confirmation of malware", "Schadsoftware-Bestätigung"},
		notice: Pair{
			EN: "Malware was found in your De-Mail; its recipient does not get it. The De-Mail provider confirms this.",
			DE: "In Ihrer De-Mail wurde Schadsoftware gefunden; der Empfänger bekommt sie nicht. Das bestätigt der De-Mail-Anbieter.",
		},
	},
	InboxMalwareFound: {
		about:   "De-Mail: a provider tells that it found malware.",
		subject: Pair{"Notification of malware", "Schadsoftware-Meldung"},
		notice: Pair{
			EN: "Malware was found in your De-Mail; it was not delivered. Talk to your administrator before you send it again.",
			DE: "In Ihrer De-Mail wurde Schadsoftware gefunden; sie wurde nicht zugestellt. Sprechen Sie mit Ihrem Administrator, bevor Sie sie noch einmal senden.",
		},
	},
	InboxNoRecipient: {
		about:   "De-Mail: a provider tells that a recipient does not exist.",
		subject: kindNotification,
		notice: Pair{
			EN: "Your De-Mail was not delivered: the address of a recipient does not exist. Check how it is spelt.",
			DE: "Ihre De-Mail wurde nicht zugestellt: Die Adresse eines Empfängers gibt es nicht. Prüfen Sie die Schreibweise.",
		},
	},
	InboxClosed: {
		about:   "De-Mail: a provider tells that the account of a recipient is closed.",
		subject: kindNotification,
		notice: Pair{
			EN: "Your De-Mail was not delivered: the De-Mail account of a recipient is closed.",
			DE: "Ihre De-Mail wurde nicht zugestellt: Das De-Mail-Konto eines Empfängers ist geschlossen.",
		},
	},
	InboxFormat: {
		about:   "De-Mail: a provider tells that a message does not have the right format.",
		subject: kindNotification,
		notice: Pair{
			EN: "Your De-Mail was not delivered: the provider says that it does not have the right format. Ask your administrator.",
			DE: "Ihre De-Mail wurde nicht zugestellt: Der Anbieter sagt, dass sie nicht das richtige Format hat. Wenden Sie sich an Ihren Administrator.",
		},
	},
	InboxTells: {
		about:   "De-Mail: a provider tells something else of a message.",
		subject: kindNotification,
		notice: Pair{
			EN: "The provider has something to tell about your De-Mail, which stands below. It may not have been delivered.",
			DE: "Der Anbieter meldet etwas zu Ihrer De-Mail; unten steht, was. Vielleicht wurde sie nicht zugestellt.",
		},
	},
	InboxUnproven: {
		about:   "De-Mail: what claims to be a confirmation is not proven. The subject stands before that of the confirmation.",
		subject: Pair{"NOT PROVEN", "NICHT BEWIESEN"},
		notice: Pair{
			EN: "This message claims to be a {kinds} of your De-Mail, but is NOT PROVEN. It may be forged, and does not count.",
			DE: "Diese Nachricht gibt sich als {kinds} zu Ihrer De-Mail aus, ist aber NICHT BEWIESEN. Sie kann gefälscht sein und zählt nicht.",
		},
		kinds: kinds,
	},
	InboxOverdue: {
		about:   "De-Mail: confirmations that the sender asked for have not come.",
		subject: Pair{"Confirmation is missing", "Bestätigung fehlt"},
		notice: Pair{
			EN: "What you asked for has not come for your De-Mail: {kinds}. The provider has taken the De-Mail; whether it has arrived is not proven. If the confirmation comes after all, you will get it. If a time limit runs, do not wait for it.",
			DE: "Zu Ihrer De-Mail fehlt, was Sie verlangt haben: {kinds}. Der Anbieter hat die De-Mail angenommen; ob sie angekommen ist, ist nicht bewiesen. Kommt die Bestätigung noch, erhalten Sie sie. Wenn eine Frist läuft, warten Sie nicht darauf.",
		},
		kinds: kinds,
	},
	InboxServed: {
		about:   "De-Mail: to those who are responsible, where something was fetched that may count as served on the company (demail.incoming).",
		subject: Pair{"De-Mail fetched on {date}: may count as served", "De-Mail abgeholt am {date}: Zustellung möglich"},
		notice: Pair{
			EN: "A De-Mail was fetched, which may count as its service on the company. See whether a time limit begins.",
			DE: "Eine De-Mail wurde abgeholt, die damit als zugestellt gelten kann. Prüfen Sie, ob eine Frist beginnt.",
		},
	},
	InboxUnreadable: {
		detail:  "the message has no header",
		about:   "De-Mail: one cannot be read, and comes as an attachment.",
		subject: Pair{"Unreadable De-Mail", "Unlesbare De-Mail"},
		notice: Pair{
			EN: "A De-Mail in the account {account} could not be read: {detail}. It is attached, byte for byte. Open it only if you know who it is from; the administrator has been told.",
			DE: "Eine De-Mail im Konto {account} konnte nicht gelesen werden: {detail}. Sie ist unverändert angehängt. Öffnen Sie sie nur, wenn Sie wissen, von wem sie ist; der Administrator ist unterrichtet.",
		},
	},
	InboxProven: {
		about: "De-Mail: a confirmation was checked.",
		notice: Pair{
			EN: "Checked: both signatures of the confirmation fit, are those of a De-Mail provider, and it belongs to your message.",
			DE: "Geprüft: Beide Unterschriften der Bestätigung passen, stammen von einem De-Mail-Anbieter, und sie gehört zu Ihrer Nachricht.",
		},
	},
	InboxWhyNot: {
		detail: "the signature does not fit",
		about:  "De-Mail: why a confirmation is not proven.",
		notice: Pair{
			EN: "Why not: {detail}. Ask your administrator if you need the confirmation.",
			DE: "Warum nicht: {detail}. Wenden Sie sich an Ihren Administrator, wenn Sie die Bestätigung brauchen.",
		},
	},
	InboxSigned: {
		about:  "De-Mail: a notification was checked.",
		notice: Pair{"Checked: the notification is signed by a De-Mail provider.", "Geprüft: Die Meldung ist von einem De-Mail-Anbieter unterschrieben."},
	},
	InboxUnsigned: {
		about: "De-Mail: a notification bears no signature.",
		notice: Pair{
			EN: "The notification is not signed, as is usual for notifications; it came by the secured connection to the provider.",
			DE: "Die Meldung ist nicht unterschrieben, wie es bei Meldungen üblich ist; sie kam über die gesicherte Verbindung zum Anbieter.",
		},
	},
	InboxCareful: {
		detail: "the signature does not fit",
		about:  "De-Mail: that a notification is the provider's is not proven.",
		notice: Pair{
			EN: "Careful: that it comes from the provider is not proven: {detail}.",
			DE: "Vorsicht: Dass sie vom Anbieter stammt, ist nicht bewiesen: {detail}.",
		},
	},
	InboxWrites: {
		about:  "De-Mail: before what the provider wrote.",
		notice: Pair{"The provider writes:", "Der Anbieter schreibt:"},
	},
	InboxAttached: {
		about: "De-Mail: the last sentences beside a confirmation.",
		notice: Pair{
			EN: "The provider's message is attached as it came. Keep it; so does the gateway.",
			DE: "Die Nachricht des Anbieters ist unverändert angehängt. Heben Sie sie auf; das Gateway tut es auch.",
		},
	},
}
