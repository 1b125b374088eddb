package texts

// Refusals of what policy demands and what cannot be done.
const (
	NotRelayed          ID = "not-relayed"          // a message from outside is for nobody inside
	EncryptImpossible   ID = "encrypt-impossible"   // it must be encrypted
	SignImpossible      ID = "sign-impossible"      // it must be signed
	TLSImpossible       ID = "tls-impossible"       // it must go over TLS, and the way there does without
	TLSProofImpossible  ID = "tls-proof-impossible" // the same, to a server that proves who it is
	NoRoute             ID = "no-route"             // no route serves the recipient
	TooManyVariants     ID = "too-many-variants"    // it would have to be encrypted too often
	TooLarge            ID = "too-large"            // it is larger than the policy has it for the recipient
	TooLargeFromOutside ID = "too-large-outside"    // the same, of a message from outside
)

var protection = map[ID]entry{
	NotRelayed: {
		about: "A message from outside is for an address that is not the company's.",
		smtp: Pair{
			EN: "The message to {recipient} was not taken: that address does not belong to this company, and this server passes nothing on to others. Check the address.",
			DE: "Die Nachricht an {recipient} wurde nicht angenommen: Diese Adresse gehört nicht zu diesem Unternehmen, und dieser Server leitet nichts an andere weiter. Prüfen Sie die Adresse.",
		},
		outside: true,
	},
	EncryptImpossible: {
		about: "A message must be encrypted, and the recipient has no certificate that is good for it.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: it must be encrypted ({because}), and {reason}. {advice}.{otherwise} Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Sie muss verschlüsselt werden ({because}), aber {reason}. {advice}.{otherwise} Hilfe: {contact}.",
		},
		because: because,
		reasons: []ID{ReasonNone, ReasonExpired, ReasonEarly, ReasonUntrusted, ReasonPurpose, ReasonWeak, ReasonRevoked, ReasonUnusable, ReasonColleague, ReasonUnfit, ReasonProgram, ReasonContrary, ReasonBrainpool},
	},
	SignImpossible: {
		about: "A message must be signed, and the sender has no key that is good for it.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: it must be signed ({because}), and {reason}. {advice}.{otherwise} Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Sie muss signiert werden ({because}), aber {reason}. {advice}.{otherwise} Hilfe: {contact}.",
		},
		because: because,
		reasons: []ID{ReasonNoKey, ReasonKeyExpired, ReasonKeyRevoked, ReasonKeyUnusable, ReasonKeyUnfit, ReasonContrary, ReasonBrainpool, ReasonFrom, ReasonNotYours},
	},
	TLSImpossible: {
		about: "A message must go over an encrypted connection, and the way to the recipient is configured without TLS.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: it must go over an encrypted connection ({because}), and the way to this domain is set to do without. Have the way changed.{otherwise} Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Sie darf nur über eine verschlüsselte Verbindung gehen ({because}), aber der Weg zu dieser Domain ist ohne Verschlüsselung eingestellt. Lassen Sie das ändern.{otherwise} Hilfe: {contact}.",
		},
		because: because,
	},
	TLSProofImpossible: {
		about: "A message must go over an encrypted connection to a server that proves who it is, and the way to the recipient is configured without TLS.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: it must go over an encrypted connection to a server that proves who it is ({because}), and the way to this domain is set to do without. Have the way changed.{otherwise} Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Sie darf nur verschlüsselt zu einem Server gehen, der sich ausweist ({because}), aber der Weg zu dieser Domain ist ohne Verschlüsselung eingestellt. Lassen Sie das ändern.{otherwise} Hilfe: {contact}.",
		},
		because: because,
	},
	TooLarge: {
		about: "A message is larger than max_size of the policy allows for the recipient.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: it is {size} large, and {limit} are allowed to this recipient. Send less at a time. Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Sie ist {size} groß, und an diesen Empfänger sind {limit} erlaubt. Senden Sie weniger auf einmal. Hilfe: {contact}.",
		},
	},
	TooLargeFromOutside: {
		about: "A message from outside is larger than max_size of the policy allows for the recipient.",
		smtp: Pair{
			EN: "The message to {recipient} was not taken: it is {size} large, and {limit} are allowed to this recipient. Send less at a time.",
			DE: "Die Nachricht an {recipient} wurde nicht angenommen: Sie ist {size} groß, und an diesen Empfänger sind {limit} erlaubt. Senden Sie weniger auf einmal.",
		},
		outside: true,
	},
	NoRoute: {
		about: "No route of the configuration leads to the recipient's domain.",
		smtp: Pair{
			EN: "The message to {recipient} was not sent: no way leads to this domain. Check the spelling of the address. If it is right, ask for a route. Help: {contact}.",
			DE: "Die Nachricht an {recipient} wurde nicht gesendet: Zu dieser Domain führt kein Weg. Prüfen Sie die Schreibweise der Adresse. Ist sie richtig, bitten Sie um eine Route. Hilfe: {contact}.",
		},
	},
	TooManyVariants: {
		about: "A large message has too many recipients who need a copy of their own: each whom neither To nor Cc names, and each who needs other algorithms.",
		smtp: Pair{
			EN: "The message was not sent: it would have to be made {count} times, since each recipient whom neither To nor Cc names and each who needs other algorithms gets a copy of their own, and that is more than {limit}. Name them in To or Cc, or send it to fewer at a time. Help: {contact}.",
			DE: "Die Nachricht wurde nicht gesendet: Sie müsste {count}-mal hergestellt werden, da jeder, den An und Kopie nicht nennen oder der andere Verfahren braucht, eine eigene erhält. Das ist mehr als {limit}. Nennen Sie alle in An oder Kopie, oder senden Sie an weniger auf einmal. Hilfe: {contact}.",
		},
	},
}
