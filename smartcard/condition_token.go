package smartcard

import "fmt"

// tokenAdvice is what to do about a token of a PKCS#11 module, where that is something else than with a card in a reader.
func tokenAdvice() map[Condition]string {
	const maker = "by the tool of its maker, or by \"pkcs11-tool"
	return map[Condition]string{
		NoSupport:        "Take a program that was built with cgo: without it no module can be loaded.",
		NoService:        "See that what the module speaks to runs (pcscd, the client of an HSM), and that the user of this program may use it.",
		NoReader:         "See what tokens there are by \"siegel smartcard list --module\", and whether what the module speaks to is there and reachable.",
		NoCard:           "Bring the token back: plug it in, or see whether its HSM runs and can be reached. See what tokens there are by \"siegel smartcard list --module\".",
		Mute:             "See whether the module's own tools reach the token; plug it in again, or look at the HSM.",
		OtherCard:        "See what tokens there are by \"siegel smartcard list --module\". Bring the bound one back; or, where another replaces it, bind that by \"siegel smartcard bind\".",
		Ambiguous:        "Name both the label and the serial number of the token in the configuration (pkcs11.token, pkcs11.serial).",
		Busy:             "See whether other programs keep the token or its module busy, and whether what the module speaks to answers in time.",
		Failing:          "See whether \"pkcs11-tool --list-objects\" or the tool of its maker reaches the token, as the user of this program; the log has the module's error.",
		NoCertificate:    "See what the token holds by \"siegel smartcard list --module\"; a certificate that it lacks may be the first of chain. After a renewal, bind the new one by \"siegel smartcard bind\".",
		PINIsMissing:     "Name the PIN of this token in the configuration, and see that its file, variable or vault can be read.",
		PINIsMalformed:   "Correct the PIN in the configuration: it has other length or characters than the token takes.",
		PINHasFewTries:   "The token has refused a PIN since the last success, so this program presents none: present the right one once by \"siegel smartcard unlock\".",
		PINIsBlocked:     "Have the PIN set anew " + maker + " --init-pin\", with the PIN of the security officer.",
		PINIsNull:        "Set the PIN " + maker + " --init-pin\", with the PIN of the security officer.",
		PINIsTransport:   "Change the PIN " + maker + " --change-pin\", and put the new one into the configuration.",
		CertificateEnded: "Renew the certificate, and bind the new one by \"siegel smartcard bind\". What the old key opens stays readable for as long as the token has it.",
		CertificateEnds:  "Order the next certificate now, and bind it by \"siegel smartcard bind\".",
	}
}

// tokenText is text for a token.
func (r Reason) tokenText(p PIN) string {
	switch r {
	case PINMissing:
		return "none is configured, or none was typed at its PIN pad; name it in the configuration of this token"
	case PINForm:
		return fmt.Sprintf("what is given cannot be it: it has %d to %d %s", p.Min, p.Max, p.characters())
	case PINRefused:
		return "the token has refused it, and it will not be presented again; configure the right one, and present it once by \"siegel smartcard unlock\""
	case PINRefusedOnce:
		return "the token has refused this one before, so it was not presented; configure the right one, or say by \"siegel smartcard unlock\" that it is right now"
	case PINFewTries:
		return "it was not presented, since the token has refused one since the last success; present the right one once by \"siegel smartcard unlock\""
	case PINBlocked:
		return "blocked; have it set anew by the tool of the token's maker, or pkcs11-tool --init-pin"
	case PINNull:
		return "none has been set yet; set one by the tool of the token's maker, or pkcs11-tool --init-pin"
	case PINTransport:
		return "the token wants it changed first; change it by the tool of the token's maker, or pkcs11-tool --change-pin"
	case PINUnsettled:
		return "the token went away or gave no clear answer while it was presented"
	case PINDoubtful:
		return "the token went away while it was presented some time ago, and whether it was refused cannot be known any more, so it was not presented; see that it is right, and present it once by \"siegel smartcard unlock\""
	}
	return r.text(p)
}
