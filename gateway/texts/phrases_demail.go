package texts

const askAdmin, fragAdmin = "Have that changed", "Lassen Sie das ändern"

// deMailPhrases are the parts that texts about De-Mail show.
var deMailPhrases = map[ID]phrase{
	DeMailNoWay:       {Pair{"it is for a De-Mail address, which this gateway has no way to, and such mail never leaves as ordinary mail", "Sie geht an eine De-Mail-Adresse, zu der dieses Gateway keinen Weg hat, und darf nicht als gewöhnliche Mail hinaus"}, Pair{"Use another address, or ask for a De-Mail account", "Nehmen Sie eine andere Adresse, oder bitten Sie um ein De-Mail-Konto"}},
	DeMailAutomatic:   {Pair{"reports, automatic answers and what else no person sent (Auto-Submitted) do not leave as De-Mail", "Was kein Mensch gesendet hat (Berichte, automatische Antworten, Auto-Submitted), geht nicht als De-Mail hinaus"}, Pair{"Write to the recipient yourself", "Schreiben Sie dem Empfänger selbst"}},
	DeMailFrom:        {Pair{"it does not have exactly one sender (From), and a De-Mail has one", "Sie hat nicht genau einen Absender (From), eine De-Mail aber hat einen"}, Pair{"Send it from one address", "Senden Sie sie von einer Adresse"}},
	DeMailNotYours:    {Pair{"the sending system may not send as {sender}, and a De-Mail is sent in nobody else's name", "Ihr System darf nicht als {sender} senden, und De-Mail wird in keinem fremden Namen gesendet"}, Pair{"Send it from your own address", "Senden Sie sie von Ihrer eigenen Adresse"}},
	DeMailOdd:         {Pair{"{address} cannot be a De-Mail address", "{address} kann keine De-Mail-Adresse sein"}, Pair{"Check the spelling", "Prüfen Sie die Schreibweise"}},
	DeMailUnknown:     {Pair{`"{detail}" is no option of De-Mail`, "„{detail}“ ist keine Option von De-Mail"}, Pair{"Write dispatch, receipt, retrieve, authoritative or private", "Schreiben Sie dispatch, receipt, retrieve, authoritative oder private"}},
	DeMailNotAllowed:  {Pair{"{sender} may not send De-Mail", "{sender} darf keine De-Mail senden"}, Pair{"Ask for a De-Mail address", "Bitten Sie um eine De-Mail-Adresse"}},
	DeMailUnassigned:  {Pair{"{sender} may not send De-Mail, since no De-Mail address is assigned to it", "{sender} darf keine De-Mail senden, weil ihm keine De-Mail-Adresse zugeordnet ist"}, Pair{"Ask for one", "Bitten Sie um eine"}},
	DeMailUnusable:    {Pair{"{sender} may not send De-Mail, since \"{detail}\" is no De-Mail address", "{sender} darf keine De-Mail senden, weil „{detail}“ keine De-Mail-Adresse ist"}, Pair{askAdmin, fragAdmin}},
	DeMailProviders:   {Pair{"{sender} may not send De-Mail, since \"{detail}\" is an address of providers", "{sender} darf keine De-Mail senden, weil „{detail}“ eine Adresse von Anbietern ist"}, Pair{askAdmin, fragAdmin}},
	DeMailElsewhere:   {Pair{"your De-Mail address {address} is not in a domain of the account {account}", "Ihre De-Mail-Adresse {address} liegt in keiner Domain des Kontos {account}"}, Pair{askAdmin, fragAdmin}},
	DeMailOption:      {Pair{"{sender} may not ask for {detail}", "{sender} darf {detail} nicht verlangen"}, Pair{"Leave that out, or ask for permission", "Lassen Sie das weg, oder bitten Sie um die Erlaubnis"}},
	DeMailContrary:    {Pair{"its De-Mail recipients are to get it from different De-Mail addresses", "Ihre De-Mail-Empfänger sollen sie von verschiedenen De-Mail-Adressen erhalten"}, Pair{"Send it to them one by one", "Senden Sie sie ihnen einzeln"}},
	DeMailNotEntitled: {Pair{"the policy has it with {detail}, which the account {account} is not entitled to", "Die Regeln verlangen {detail}, wozu das Konto {account} nicht berechtigt ist"}, Pair{askAdmin, fragAdmin}},
	DeMailPrivate:     {Pair{"a confirmation of retrieve goes with private only", "Eine Abholbestätigung gibt es nur zusammen mit „persönlich“"}, Pair{"Ask for both, or for neither", "Verlangen Sie beides oder keines"}},
	DeMailLevel:       {Pair{`retrieve, authoritative and private are for senders that have logged in at level "high"`, "Abholbestätigung, „absenderbestätigt“ und „persönlich“ verlangen ein Konto mit hohem Anmeldeniveau"}, Pair{"Leave that out", "Lassen Sie das weg"}},
	DeMailPseudonym:   {Pair{"nothing is sent as authoritative from a pseudonym", "Von einem Pseudonym geht nichts absenderbestätigt hinaus"}, Pair{"Leave that out", "Lassen Sie das weg"}},
	DeMailTooMany:     {Pair{"it is for {count} De-Mail addresses, and at most {most} are possible at once", "Sie geht an {count} De-Mail-Adressen, höchstens {most} sind auf einmal möglich"}, Pair{"Send it to fewer at a time", "Senden Sie sie an weniger auf einmal"}},
	DeMailTooLarge:    {Pair{"it is {size} large, and a De-Mail may be {limit}", "Sie ist {size} groß, eine De-Mail darf {limit} haben"}, Pair{"Send less at a time", "Senden Sie weniger auf einmal"}},
	DeMailTooLargeNow: {Pair{"it is {size} large with its encodings, and a De-Mail may be {limit}", "Sie ist mit ihren Kodierungen {size} groß, eine De-Mail darf {limit} haben"}, Pair{"Send less at a time", "Senden Sie weniger auf einmal"}},
	DeMailGone:        {Pair{"the De-Mail account {account}, which it was to be sent from, does not exist any more", "Das De-Mail-Konto {account}, von dem sie ausgehen sollte, gibt es nicht mehr"}, Pair{"Send it again", "Senden Sie sie noch einmal"}},
	DeMailSpent:       {Pair{"{sender} may send {most} De-Mails a day, and has {left} left today, while this takes {count}", "{sender} darf am Tag {most} De-Mails senden und hat heute noch {left}, diese braucht aber {count}"}, Pair{"Send it tomorrow", "Senden Sie sie morgen"}},
}
