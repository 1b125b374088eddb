package texts

const sendLater, spaeterSenden = "Send it again later", "Senden Sie sie später noch einmal"

// awaitedPhrases are what a message waits for.
var awaitedPhrases = map[ID]phrase{
	ReasonKeyAway:         {Pair{"the signing key of {detail} is not available", "der Signaturschlüssel von {detail} ist nicht verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonKeySlow:         {Pair{"the signing key of {detail} took too long", "der Signaturschlüssel von {detail} war nicht schnell genug verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonCertificateAway: {Pair{"the certificate of {detail} is not available", "das Zertifikat von {detail} ist nicht verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonCertificateSlow: {Pair{"the certificate of {detail} took too long", "das Zertifikat von {detail} war nicht schnell genug verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonGroupsAway:      {Pair{"the directory that knows the groups of {detail} is not available", "das Verzeichnis mit den Gruppen von {detail} ist nicht verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonGroupsSlow:      {Pair{"the directory that knows the groups of {detail} took too long", "das Verzeichnis mit den Gruppen von {detail} war nicht schnell genug verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonWorkAway:        {Pair{"what signs and encrypts the message is not available", "was die Nachricht signiert und verschlüsselt, ist nicht verfügbar"}, Pair{sendLater, spaeterSenden}},
	ReasonWorkSlow:        {Pair{"signing and encrypting the message took too long", "das Signieren und Verschlüsseln hat zu lange gedauert"}, Pair{"Send less at a time", "Senden Sie weniger auf einmal"}},
	ReasonAsked:           {Pair{"no certificate of {detail} is known", "es ist kein Zertifikat von {detail} bekannt"}, Pair{askSigned, bitteSigniert}},
}
