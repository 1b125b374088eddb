package texts

// What administrators are told of De-Mail that is fetched.
const (
	FetchAway       ID = "alarm-fetch-away"       // nothing could be fetched for Values.Account since Values.Date: Values.Lines
	FetchLarge      ID = "alarm-fetch-large"      // a message Values.Number is larger than Values.Limit
	FetchNobody     ID = "alarm-fetch-nobody"     // nobody inside is named for Values.Address, and it stays with the provider
	FetchUnmapped   ID = "alarm-fetch-unmapped"   // the same, and Values.Number went to Values.Recipient
	FetchUnreadable ID = "alarm-fetch-unreadable" // Values.Number cannot be read: Values.Detail; it went to Values.Recipient
	FetchUnproven   ID = "alarm-fetch-unproven"   // one of Values.Kinds for Values.Number of Values.Address is not proven: Values.Detail
	FetchClaims     ID = "alarm-fetch-claims"     // Values.Number claims to be one of Values.Kinds, and belongs to nothing: Values.Detail
	FetchOverdue    ID = "alarm-fetch-overdue"    // Values.Number of Values.Address lacks Values.Kinds
)

// fetches are those texts.
var fetches = map[ID]entry{
	FetchAway: {
		about:   "To administrators: no De-Mail can be fetched.",
		subject: Pair{"Siegel cannot fetch De-Mail", "Siegel kann keine De-Mail abholen"},
		notice: Pair{
			EN: "No De-Mail could be fetched for the account {account} since {date}. It is tried again.\n\n{lines}\n\nSee what is wrong by: siegel demail check {account}",
			DE: "Für das Konto {account} konnte seit {date} keine De-Mail abgeholt werden. Es wird weiter versucht.\n\n{lines}\n\nWas fehlt, zeigt: siegel demail check {account}",
		},
	},
	FetchLarge: {
		about:   "To administrators: a De-Mail is too large to be fetched.",
		subject: Pair{"Siegel left a De-Mail with the provider: it is too large", "Siegel ließ eine De-Mail beim Anbieter: Sie ist zu groß"},
		notice: Pair{
			EN: "A De-Mail in the account {account} is larger than {limit}, which no De-Mail may be, and was left with the provider: {number}. Fetch it by the provider's own web page.",
			DE: "Eine De-Mail im Konto {account} ist größer als {limit}, was keine De-Mail sein darf, und blieb beim Anbieter: {number}. Holen Sie sie über dessen Webseite ab.",
		},
	},
	FetchNobody: {
		about:   "To administrators: a De-Mail is for nobody who is named, and stays with the provider.",
		subject: Pair{"Siegel left a De-Mail with the provider: nobody inside is named for it", "Siegel ließ eine De-Mail beim Anbieter: Niemand ist dafür genannt"},
		notice: Pair{
			EN: "A De-Mail in the account {account} is for {address}, for whom demail.incoming names no mailbox, and there is no demail.incoming.fallback. It was left with the provider. Name one of them, then: siegel reload",
			DE: "Eine De-Mail im Konto {account} ist für {address}; demail.incoming nennt dafür kein Postfach, und demail.incoming.fallback fehlt. Sie blieb beim Anbieter. Tragen Sie eines davon ein, dann: siegel reload",
		},
	},
	FetchUnmapped: {
		about:   "To administrators: a De-Mail is for nobody who is named, and went to the fallback.",
		subject: Pair{"Siegel has a De-Mail for an address that nobody inside is named for", "Siegel hat eine De-Mail, für deren Adresse niemand genannt ist"},
		notice: Pair{
			EN: "A De-Mail for {address} went to {recipient}, since demail.incoming names no mailbox for that address. Its id is {number}. Name the mailbox under demail.incoming.mailboxes.",
			DE: "Eine De-Mail für {address} ging an {recipient}, denn demail.incoming nennt für die Adresse kein Postfach. Ihre Kennung ist {number}. Tragen Sie das Postfach unter demail.incoming.mailboxes ein.",
		},
	},
	FetchUnreadable: {
		detail:  "the message has no header",
		about:   "To administrators: a De-Mail cannot be read.",
		subject: Pair{"Siegel fetched a De-Mail that it cannot read", "Siegel hat eine unlesbare De-Mail abgeholt"},
		notice: Pair{
			EN: "A De-Mail in the account {account} cannot be read: {detail}. It went to {recipient} as an attachment, byte for byte. Its id is {number}.",
			DE: "Eine De-Mail im Konto {account} ist nicht zu lesen: {detail}. Sie ging unverändert als Anlage an {recipient}. Ihre Kennung ist {number}.",
		},
	},
	FetchUnproven: {
		detail:  "the signature does not fit",
		about:   "To administrators: a confirmation is not proven.",
		subject: Pair{"Siegel fetched a De-Mail confirmation that is not proven", "Siegel hat eine nicht bewiesene De-Mail-Bestätigung abgeholt"},
		notice: Pair{
			EN: "A {kinds} of the De-Mail {number} of {address} is not proven, and does not count: {detail}. If it is the provider's, see whether demail.anchors names its authority; else somebody has forged it. See: siegel demail show {number}",
			DE: "Eine {kinds} zur De-Mail {number} von {address} ist nicht bewiesen und zählt nicht: {detail}. Stammt sie vom Anbieter, so prüfen Sie, ob demail.anchors dessen Zertifizierungsstelle nennt; sonst hat sie jemand gefälscht. Siehe: siegel demail show {number}",
		},
		kinds: kinds,
	},
	FetchClaims: {
		detail:  "the signature does not fit",
		about:   "To administrators: what claims to be a confirmation belongs to nothing.",
		subject: Pair{"Siegel fetched a De-Mail that claims to be a provider's", "Siegel hat eine De-Mail abgeholt, die angeblich vom Anbieter ist"},
		notice: Pair{
			EN: "A De-Mail in the account {account} claims to be a {kinds}, belongs to nothing that was sent, and is not verified: {detail}. It was delivered like any other De-Mail. Its id is {number}.",
			DE: "Eine De-Mail im Konto {account} gibt sich als {kinds} aus, gehört zu nichts, was versandt wurde, und ist nicht geprüft: {detail}. Sie wurde wie jede andere De-Mail zugestellt. Ihre Kennung ist {number}.",
		},
		kinds: kinds,
	},
	FetchOverdue: {
		about:   "To administrators: confirmations that a sender asked for have not come.",
		subject: Pair{"Siegel: a De-Mail confirmation is overdue", "Siegel: Eine De-Mail-Bestätigung ist überfällig"},
		notice: Pair{
			EN: "The De-Mail {number} of {address}, sent by the account {account}, lacks: {kinds}. Its sender was told. See: siegel demail show {number}",
			DE: "Der De-Mail {number} von {address}, versandt über das Konto {account}, fehlt: {kinds}. Der Absender weiß es. Siehe: siegel demail show {number}",
		},
		kinds: kinds,
	},
}
