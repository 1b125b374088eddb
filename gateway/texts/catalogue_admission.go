package texts

// What a listener says of who sends, from where and to whom.
const (
	DoorNotHere          ID = "door-not-here"          // the client's network may not connect
	DoorTLS              ID = "door-tls"               // the connection is not encrypted
	DoorTLSCertificate   ID = "door-tls-certificate"   // the same, and a client certificate is needed
	DoorCertificateTime  ID = "door-certificate-time"  // the client's certificate is out of its time
	DoorCertificateNone  ID = "door-certificate-none"  // the client shows no certificate
	DoorCertificateOther ID = "door-certificate-other" // the client's certificate is another one
	DoorLogin            ID = "door-login"             // the user has not logged in
	DoorPassword         ID = "door-password"          // user name or password are wrong
	DoorLoginAway        ID = "door-login-away"        // nobody can say whether the password is right
	DoorNotYours         ID = "door-not-yours"         // Values.Sender is none of the sender's addresses
	DoorNoSender         ID = "door-no-sender"         // it has no sender, and needs one
	DoorFrom             ID = "door-from"              // it does not have one From with one address
	DoorFromElsewhere    ID = "door-from-elsewhere"    // its author is nobody inside
	DoorDeMailLater      ID = "door-demail-later"      // whether it may go as De-Mail cannot be told
	DoorTenantNone       ID = "door-tenant-none"       // it bears no tenant; Values.Detail is the field
	DoorTenantOther      ID = "door-tenant-other"      // it is of another tenant
	DoorTenantOdd        ID = "door-tenant-odd"        // its tenant cannot be told; Values.Detail is the field
	DoorCameBack         ID = "door-came-back"         // the gateway has given it back already
	DoorRelay            ID = "door-relay"             // Values.Recipient is nobody here
	DoorRelayTenant      ID = "door-relay-tenant"      // neither sender nor Values.Recipient is of the company
	DoorUnknown          ID = "door-unknown"           // there is no address Values.Recipient
	DoorLookup           ID = "door-lookup"            // whether the recipient exists cannot be told
	DoorBackupFull       ID = "door-backup-full"       // no more mail is kept for the domain Values.Host
	OriginFrom           ID = "origin-from"            // its author cannot be told: Values.Detail
	OriginDMARC          ID = "origin-dmarc"           // DMARC refutes that it is from the domain Values.Host
	OriginSPF            ID = "origin-spf"             // SPF of Values.Host refutes that the client Values.Address may send it
	OriginUnclear        ID = "origin-unclear"         // a record of the domain Values.Host cannot be checked: Values.Detail
	OriginDKIM           ID = "origin-dkim"            // no signature of its servers holds: Values.Detail
	OriginOwn            ID = "origin-own"             // it says to be from the company's domain Values.Host
)

// admission are those of who may send what.
var admission = map[ID]entry{
	DoorNotHere: {
		about: "A client connects to a listener that its network may not use.",
		smtp: Pair{
			EN: "Your network address may not use this listener. Send through the mail server that is set up for you.",
			DE: "Ihre Netzadresse darf diesen Eingang nicht benutzen. Senden Sie über den Mailserver, der für Sie eingerichtet ist.",
		},
		either: true,
	},
	DoorTLS: {
		about: "A client wants to log in or to send over a connection that is not encrypted, and the listener demands that.",
		smtp: Pair{
			EN: "The connection must be encrypted: use STARTTLS first. In a mail program, switch on encryption (TLS) for the outgoing server.",
			DE: "Die Verbindung muss verschlüsselt sein: STARTTLS fehlt. Schalten Sie im Mailprogramm für den Ausgangsserver die Verschlüsselung (TLS) ein.",
		},
		either: true,
	},
	DoorTLSCertificate: {
		about: "A client that is to show a certificate wants to send over a connection that is not encrypted.",
		smtp: Pair{
			EN: "The connection must be encrypted, and the client must show a certificate: use STARTTLS first.",
			DE: "Die Verbindung muss verschlüsselt sein, und das sendende System muss ein Zertifikat vorweisen: STARTTLS fehlt.",
		},
		either: true,
	},
	DoorCertificateTime: {
		about: "A client shows a certificate that has expired, or is not valid yet.",
		smtp: Pair{
			EN: "Your client certificate is not valid at this time. Install a new one; mail waits with your server meanwhile.",
			DE: "Das Zertifikat Ihres Systems ist zurzeit nicht gültig. Installieren Sie ein neues; die Mail wartet so lange auf Ihrem Server.",
		},
		either: true,
	},
	DoorCertificateNone: {
		about: "A client shows no certificate, and the listener demands one.",
		smtp: Pair{
			EN: "This listener takes mail from clients that show their certificate. Have yours show one.",
			DE: "Dieser Eingang nimmt Mail nur von Systemen an, die ihr Zertifikat vorweisen. Richten Sie das bei Ihrem ein.",
		},
		either: true,
	},
	DoorCertificateOther: {
		about: "A client shows a certificate that the listener does not take.",
		smtp: Pair{
			EN: "Your client certificate may not use this listener: its issuer is not trusted here, or it bears another name than is set.",
			DE: "Das Zertifikat Ihres Systems darf diesen Eingang nicht benutzen: Seinem Aussteller wird hier nicht vertraut, oder es trägt einen anderen Namen, als eingestellt ist.",
		},
		either: true,
	},
	DoorLogin: {
		about: "A user wants to send without having logged in.",
		smtp: Pair{
			EN: "Authenticate first: only who has logged in may send here. In a mail program, switch on authentication for the outgoing server.",
			DE: "Die Anmeldung fehlt: Hier darf nur senden, wer sich angemeldet hat. Schalten Sie im Mailprogramm die Anmeldung am Ausgangsserver ein.",
		},
		either: true, // who has not logged in may be anybody
	},
	DoorPassword: {
		about: "A user logs in with a wrong user name or password.",
		smtp: Pair{
			EN: "Wrong user name or password. Check both in your mail program.",
			DE: "Benutzername oder Passwort sind falsch. Prüfen Sie beides in Ihrem Mailprogramm.",
		},
		either: true, // who has not logged in may be anybody
	},
	DoorLoginAway: {
		about: "Whether a password is right cannot be told at the moment.",
		smtp: Pair{
			EN: "Authentication is not possible at the moment. Try again later.",
			DE: "Die Anmeldung ist im Moment nicht möglich. Versuchen Sie es später noch einmal.",
		},
		either: true, // who has not logged in may be anybody
	},
	DoorNotYours: {
		about: "Somebody inside sends from an address that they, or their mail server, may not use.",
		smtp: Pair{
			EN: "You may not send from {sender}. Send it from one of your own addresses. Help: {contact}.",
			DE: "Sie dürfen nicht als {sender} senden. Senden Sie es von einer Ihrer eigenen Adressen. Hilfe: {contact}.",
		},
	},
	DoorNoSender: {
		about: "A user who has logged in sends without an address of a sender (the null reverse-path).",
		smtp: Pair{
			EN: "You may not send without a sender's address here. Send it from one of your own addresses. Help: {contact}.",
			DE: "Sie dürfen hier nicht ohne Absenderadresse senden. Senden Sie es von einer Ihrer eigenen Adressen. Hilfe: {contact}.",
		},
	},
	DoorFrom: {
		about: "A message from Exchange Online does not have one From field with one address.",
		smtp: Pair{
			EN: "The message must have one From field with one address. Send it from one address. Help: {contact}.",
			DE: "Die Nachricht muss genau ein From-Feld mit einer Adresse haben. Senden Sie sie von einer Adresse. Hilfe: {contact}.",
		},
	},
	DoorFromElsewhere: {
		about: "The author of a message from Exchange Online is none that the listener takes mail from, as where mail is forwarded.",
		smtp: Pair{
			EN: "From is no address that this listener takes mail from: add its domain to the senders of the listener, or do not send forwarded mail here. Help: {contact}.",
			DE: "Von der Adresse in From nimmt dieser Eingang keine Mail an: Tragen Sie ihre Domain bei senders des Listeners ein, oder senden Sie keine weitergeleitete Mail hierher. Hilfe: {contact}.",
		},
	},
	DoorDeMailLater: {
		about: "Whether a message may be sent as De-Mail cannot be told at the moment, as where a directory does not answer.",
		smtp: Pair{
			EN: "It cannot be decided at present whether this may be sent as De-Mail. Try again later; mail servers do so by themselves. Help: {contact}.",
			DE: "Ob dies als De-Mail gesendet werden darf, ist zurzeit nicht zu klären. Versuchen Sie es später noch einmal; Mailserver tun das von selbst. Hilfe: {contact}.",
		},
	},
	DoorTenantNone: {
		detail: "X-MS-Exchange-CrossTenant-Id",
		about:  "A message comes to a listener for Exchange Online and names no tenant.",
		smtp: Pair{
			EN: "This listener takes the mail of one Exchange Online tenant, and the message has no {detail}: send it by an outbound connector of that tenant.",
			DE: "Dieser Eingang nimmt die Mail eines Mandanten von Exchange Online an, und der Nachricht fehlt {detail}: Senden Sie sie über einen ausgehenden Connector dieses Mandanten.",
		},
		outside: true,
	},
	DoorTenantOther: {
		about: "A message comes to a listener for Exchange Online from another tenant.",
		smtp: Pair{
			EN: "This listener takes the mail of another Exchange Online tenant: if the message is yours, set exchange_online.tenant of the listener to your tenant ID.",
			DE: "Dieser Eingang nimmt die Mail eines anderen Mandanten von Exchange Online an: Ist die Nachricht von Ihnen, setzen Sie exchange_online.tenant des Listeners auf die ID Ihres Mandanten.",
		},
		outside: true,
	},
	DoorTenantOdd: {
		detail: "X-MS-Exchange-CrossTenant-Id",
		about:  "A message comes to a listener for Exchange Online, and its tenant cannot be told.",
		smtp: Pair{
			EN: "The message must have exactly one field {detail}, as Exchange Online writes it: remove what other servers or rules add.",
			DE: "Die Nachricht muss genau ein Feld {detail} haben, wie es Exchange Online schreibt: Entfernen Sie, was andere Server oder Regeln hinzufügen.",
		},
		outside: true,
	},
	DoorCameBack: {
		about: "A message that the gateway gave back to Exchange Online comes from there again.",
		smtp: Pair{
			EN: "This gateway has handled the message and given it back, and it came again: the mail flow rule that sends mail here must except what comes from this gateway.",
			DE: "Dieses Gateway hat die Nachricht bearbeitet und zurückgegeben, und sie kam wieder: Die Nachrichtenflussregel, die Mail hierher sendet, muss ausnehmen, was von diesem Gateway kommt.",
		},
		either: true,
	},
	DoorRelay: {
		about: "A message from outside is for an address in no domain of the company.",
		smtp: Pair{
			EN: "Relaying denied: {recipient} is not a recipient here. Check the address, or send it through your own mail server.",
			DE: "Keine Weiterleitung: {recipient} ist kein Empfänger dieses Servers. Prüfen Sie die Adresse, oder senden Sie über Ihren eigenen Mailserver.",
		},
		outside: true,
	},
	DoorRelayTenant: {
		about: "A message that Exchange Online hands over is neither of nor for the company.",
		smtp: Pair{
			EN: "Relaying denied: the sender is not of this company, and neither is {recipient}. Check the address.",
			DE: "Keine Weiterleitung: Weder der Absender noch {recipient} gehört zu diesem Unternehmen. Prüfen Sie die Adresse.",
		},
		outside: true,
	},
	DoorUnknown: {
		about: "A message from outside is for an address of the company that does not exist.",
		smtp: Pair{
			EN: "{recipient} is not an address here. Check how it is spelt.",
			DE: "{recipient} ist hier keine Adresse. Prüfen Sie die Schreibweise.",
		},
		outside: true,
	},
	DoorLookup: {
		about: "Whether an address of the company exists cannot be told at the moment.",
		smtp: Pair{
			EN: "The recipient cannot be looked up at the moment. Try again later; mail servers do so by themselves.",
			DE: "Der Empfänger lässt sich im Moment nicht nachschlagen. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		outside: true,
	},
	DoorBackupFull: {
		about: "As much mail is kept for a domain as may be, which the gateway is a backup for.",
		smtp: Pair{
			EN: "This server keeps no more mail for {host} for the time being. Try again later; mail servers do so by themselves.",
			DE: "Dieser Server bewahrt vorläufig keine weitere Mail für {host} auf. Versuchen Sie es später noch einmal; Mailserver tun das von selbst.",
		},
		outside: true,
	},
	OriginFrom: {
		detail: "there are two From fields",
		about:  "A message from outside is refused since its author cannot be told (authentication).",
		smtp: Pair{
			EN: "The author of the message cannot be told: {detail}. Write one From field with one address.",
			DE: "Der Verfasser der Nachricht ist nicht zu erkennen: {detail}. Schreiben Sie ein From-Feld mit einer Adresse.",
		},
		outside: true,
	},
	OriginDMARC: {
		detail: "reject",
		about:  "A message from outside is refused since DMARC refutes its author (authentication).",
		smtp: Pair{
			EN: "Neither SPF nor DKIM confirms that the message comes from {host}, whose DMARC policy is {detail}. Send it through the mail server of that domain; its administrator can see to it that SPF or DKIM pass.",
			DE: "Weder SPF noch DKIM bestätigt, dass die Nachricht aus der Domain {host} kommt, deren DMARC-Richtlinie {detail} ist. Senden Sie sie über den Mailserver dieser Domain; deren Administrator kann dafür sorgen, dass SPF oder DKIM passt.",
		},
		outside: true,
	},
	OriginSPF: {
		about: "A message from outside is refused since SPF refutes its sender (authentication).",
		smtp: Pair{
			EN: "The SPF record of {host} does not permit mail from {address}. Send it through the mail server of that domain; its administrator can add the address to the record.",
			DE: "Der SPF-Eintrag von {host} erlaubt keine Mail von {address}. Senden Sie sie über den Mailserver dieser Domain; deren Administrator kann die Adresse in den Eintrag aufnehmen.",
		},
		outside: true,
	},
	OriginUnclear: {
		detail: "DNS does not answer",
		about:  "A message from outside is put off, or refused, since records of its sender cannot be checked (authentication).",
		smtp: Pair{
			EN: "The SPF or DMARC record of {host} cannot be checked: {detail}. Where it lasts, its administrator has to mend the record.",
			DE: "Der SPF- oder DMARC-Eintrag der Domain {host} lässt sich nicht prüfen: {detail}. Dauert das an, muss ihn deren Administrator berichtigen.",
		},
		outside: true,
	},
	OriginDKIM: {
		detail: "the signature does not fit",
		about:  "A message from outside is refused since no DKIM signature of it can be accepted (authentication).",
		smtp: Pair{
			EN: "No DKIM signature of the message can be accepted: {detail}. The administrator of the sender's mail server has to see to it.",
			DE: "Keine DKIM-Signatur der Nachricht ist anzunehmen: {detail}. Darum muss sich der Administrator des sendenden Mailservers kümmern.",
		},
		outside: true,
	},
	OriginOwn: {
		about: "A message from outside is refused since it says to be of the company (authentication.own_domains).",
		smtp: Pair{
			EN: "The author is said to be in {host}, the company's own domain, and neither SPF nor DKIM confirms it. Send it through the company's mail server.",
			DE: "Der Verfasser soll zu {host} gehören, einer Domain des Unternehmens, und weder SPF noch DKIM bestätigt das. Senden Sie über den Mailserver des Unternehmens.",
		},
		outside: true,
	},
}
