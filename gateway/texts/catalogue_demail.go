package texts

// Refusals of De-Mail.
const (
	DeMailImpossible  ID = "demail-impossible"   // it must not leave as De-Mail
	NoDeMailAddress   ID = "demail-no-address"   // it asks to be De-Mail, and nobody has a De-Mail address
	DeMailFromOutside ID = "demail-from-outside" // the internet may send none
)

// What stands against a De-Mail.
const (
	DeMailNoWay       ID = "reason-demail-no-way"        // the gateway has no account
	DeMailAutomatic   ID = "reason-demail-automatic"     // no person sent it
	DeMailFrom        ID = "reason-demail-from"          // it has no single From
	DeMailNotYours    ID = "reason-demail-not-yours"     // the sending system may not use From, Values.Sender
	DeMailOdd         ID = "reason-demail-odd"           // Values.Address cannot be one
	DeMailUnknown     ID = "reason-demail-unknown"       // Values.Detail is no option
	DeMailNotAllowed  ID = "reason-demail-not-allowed"   // Values.Sender may send none
	DeMailUnassigned  ID = "reason-demail-unassigned"    // Values.Sender has no address
	DeMailUnusable    ID = "reason-demail-unusable"      // what is known of Values.Sender makes no address
	DeMailProviders   ID = "reason-demail-providers"     // it makes one of a provider itself
	DeMailElsewhere   ID = "reason-demail-elsewhere"     // Values.Address is not in a domain of Values.Account
	DeMailOption      ID = "reason-demail-option"        // Values.Sender may not ask for Values.Detail
	DeMailContrary    ID = "reason-demail-contrary"      // its recipients are to get it from different De-Mail addresses
	DeMailNotEntitled ID = "reason-demail-not-entitled"  // the policy has Values.Detail, which Values.Account may not have
	DeMailPrivate     ID = "reason-demail-private"       // a confirmation of retrieve goes with private
	DeMailLevel       ID = "reason-demail-level"         // the account has not logged in high enough
	DeMailPseudonym   ID = "reason-demail-pseudonym"     // nothing is authoritative from one
	DeMailTooMany     ID = "reason-demail-too-many"      // Values.Count recipients, Values.Most may be
	DeMailTooLarge    ID = "reason-demail-too-large"     // Values.Size, Values.Limit may be
	DeMailTooLargeNow ID = "reason-demail-too-large-now" // the same with encodings
	DeMailGone        ID = "reason-demail-gone"          // Values.Account is no more
	DeMailSpent       ID = "reason-demail-spent"         // of Values.Most a day Values.Left are left, and Values.Count needed
)

var deMailReasons = []ID{
	DeMailNoWay, DeMailAutomatic, DeMailFrom, DeMailNotYours, DeMailOdd, DeMailUnknown, DeMailNotAllowed, DeMailUnassigned, DeMailUnusable, DeMailProviders, DeMailElsewhere,
	DeMailContrary, DeMailNotEntitled, DeMailOption, DeMailPrivate, DeMailLevel, DeMailPseudonym, DeMailTooMany, DeMailTooLarge, DeMailTooLargeNow, DeMailGone, DeMailSpent,
}

var deMail = map[ID]entry{
	DeMailImpossible: {
		about: "A message is for De-Mail addresses, and must not leave as De-Mail.",
		smtp: Pair{
			EN: "The message to {recipient}{others} was not sent: {reason}. {advice}. Help: {contact}.",
			DE: "Die Nachricht an {recipient}{others} wurde nicht gesendet: {reason}. {advice}. Hilfe: {contact}.",
		},
		reasons: deMailReasons,
	},
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
