package texts

const askSigned, bitteSigniert = "Ask the recipient to send you a signed message", "Bitten Sie den Empfänger um eine signierte Nachricht"

const askNew, bitteNeu = "Ask the recipient to send you a message signed with a new one", "Bitten Sie ihn um eine Nachricht, signiert mit einem neuen"

// phrases are the parts that texts show.
var phrases = merge(protectionPhrases, awaitedPhrases, deMailPhrases, kindPhrases)

// protectionPhrases are those of texts about signing, encryption and connections.
var protectionPhrases = map[ID]phrase{
	BecauseFlag: {
		Pair{"as you asked", "von Ihnen verlangt"},
		Pair{" Or send it without asking for that.", " Oder senden Sie sie ohne diesen Wunsch."},
	},
	BecauseRule:    {say: Pair{`rule "{rule}"`, `Regel „{rule}“`}},
	BecauseAddress: {say: Pair{"set for {rule}", "gilt für {rule}"}},
	BecauseDomain:  {say: Pair{"set for the domain {rule}", "gilt für die Domain {rule}"}},
	BecauseGroup:   {say: Pair{"set for the group {rule}", "gilt für die Gruppe {rule}"}},
	BecauseDefault: {say: Pair{"default of your company", "Vorgabe Ihres Unternehmens"}},
	BecauseEarlier: {
		Pair{"by earlier rules", "nach früheren Regeln"},
		Pair{" Or send it again, by those of today.", " Oder senden Sie sie erneut."},
	},

	ReasonNone:      {Pair{"no certificate of this recipient is known", "es ist kein Zertifikat dieses Empfängers bekannt"}, Pair{askSigned, bitteSigniert}},
	ReasonExpired:   {Pair{"the recipient's certificate has expired", "das Zertifikat des Empfängers ist abgelaufen"}, Pair{askNew, bitteNeu}},
	ReasonEarly:     {Pair{"the recipient's certificate is not valid yet", "das Zertifikat des Empfängers ist noch nicht gültig"}, Pair{"Send it again later", "Senden Sie sie später noch einmal"}},
	ReasonUntrusted: {Pair{"the issuer of the recipient's certificate is not trusted", "dem Aussteller des Zertifikats des Empfängers wird nicht vertraut"}, Pair{"Ask for a decision on this issuer", "Bitten Sie um eine Entscheidung über diesen Aussteller"}},
	ReasonPurpose:   {Pair{"the recipient's certificate is not made for encryption", "das Zertifikat des Empfängers ist nicht zum Verschlüsseln bestimmt"}, Pair{askNew, bitteNeu}},
	ReasonWeak:      {Pair{"the recipient's certificate is too weak to be safe", "das Zertifikat des Empfängers ist zu schwach, um sicher zu sein"}, Pair{askNew, bitteNeu}},
	ReasonRevoked:   {Pair{"the recipient's certificate was revoked", "das Zertifikat des Empfängers wurde gesperrt"}, Pair{askNew, bitteNeu}},
	ReasonUnusable:  {Pair{"the recipient's certificate cannot be used", "das Zertifikat des Empfängers ist nicht zu gebrauchen"}, Pair{askNew, bitteNeu}},
	ReasonColleague: {Pair{"this recipient inside the company has no certificate", "dieser Empfänger im Unternehmen hat kein Zertifikat"}, Pair{"Ask for one", "Bitten Sie um eines"}},
	ReasonUnfit:     {Pair{"the recipient's certificate is not good enough: {detail}", "dessen Zertifikat genügt nicht: {detail}"}, Pair{"Ask the recipient for another one", "Bitten Sie ihn um ein anderes"}},
	ReasonProgram:   {Pair{"the recipient's program cannot read what is demanded: {detail}", "dessen Programm liest das nicht: {detail}"}, Pair{"Ask for a rule for this recipient", "Bitten Sie um eine Regel für ihn"}},
	ReasonBrainpool: {Pair{"the key is on a Brainpool curve, which is not enabled", "der Schlüssel hat eine Brainpool-Kurve, die nicht erlaubt ist"}, Pair{"Ask for permission", "Bitten Sie um die Erlaubnis"}},
	ReasonContrary:  {Pair{"a rule asks for what is not allowed: {detail}", "eine Regel verlangt Unzulässiges: {detail}"}, Pair{"Have the rule changed", "Lassen Sie die Regel ändern"}},

	ReasonNoKey:       {Pair{"there is no key to sign for {detail}", "es gibt keinen Schlüssel, um für {detail} zu signieren"}, Pair{"Ask for a certificate", "Bitten Sie um ein Zertifikat"}},
	ReasonKeyExpired:  {Pair{"your certificate has expired", "Ihr Zertifikat ist abgelaufen"}, Pair{"Ask for a new one", "Bitten Sie um ein neues"}},
	ReasonKeyRevoked:  {Pair{"your certificate was revoked", "Ihr Zertifikat wurde gesperrt"}, Pair{"Ask for a new one", "Bitten Sie um ein neues"}},
	ReasonKeyUnusable: {Pair{"your certificate cannot be used", "Ihr Zertifikat ist nicht zu gebrauchen"}, Pair{"Ask for another one", "Bitten Sie um ein anderes"}},
	ReasonKeyUnfit:    {Pair{"your certificate is not good enough: {detail}", "Ihr Zertifikat genügt nicht: {detail}"}, Pair{"Ask for another one", "Bitten Sie um ein anderes"}},
	ReasonFrom:        {Pair{"it does not have exactly one sender (From)", "sie hat nicht genau einen Absender (From)"}, Pair{"Send it from one address", "Senden Sie sie von einer Adresse"}},
	ReasonNotYours:    {Pair{"the sending system may not send as {detail}", "Ihr System darf nicht als {detail} senden"}, Pair{"Send it from your own address", "Senden Sie sie von Ihrer eigenen Adresse"}},
}
