package outlook

// text is what users see, in both languages.
type text struct{ En, De string }

// button is one on the ribbon, or in its menu.
type button struct {
	ID    string // in both manifests; 32 characters at most with what is put before and after it
	Icon  string // the name of its icons: encrypt for encrypt-16.png
	Label text
	Tip   text   // at most 250 characters
	Page  string // the page that it opens; else
	Call  string // the function of commands.js that it calls
	// Pinned: the page may stay open while other messages are shown.
	Pinned bool
}

// menu holds what few need.
type menu struct {
	button
	Items []button
}

// The groups of buttons: for who writes, and for who reads.
var (
	composePane = button{
		ID: "composePane", Icon: "siegel", Page: "compose.html",
		Label: text{"Protection", "Schutz"},
		Tip: text{"Choose how this message is protected, and see what will happen to it for each recipient.",
			"Wählen Sie, wie diese Nachricht geschützt wird, und sehen Sie für jeden Empfänger, was mit ihr geschehen wird."},
	}
	readPane = button{
		ID: "readPane", Icon: "siegel", Page: "read.html", Pinned: true,
		Label: text{"What was verified", "Was geprüft wurde"},
		Tip: text{"Shows what the gateway found: who signed this message, and whether it was encrypted.",
			"Zeigt, was das Gateway gefunden hat: wer diese Nachricht signiert hat und ob sie verschlüsselt war."},
	}
	encryptButton = button{
		ID: "encrypt", Icon: "encrypt", Call: "siegelEncrypt",
		Label: text{"Encrypt", "Verschlüsseln"},
		Tip: text{"The message is encrypted to every recipient outside the company, or is not sent. Press again to take this back.",
			"Die Nachricht wird für jeden Empfänger außerhalb der Firma verschlüsselt oder nicht gesendet. Erneut drücken nimmt das zurück."},
	}
	signButton = button{
		ID: "sign", Icon: "sign", Call: "siegelSign",
		Label: text{"Sign", "Signieren"},
		Tip: text{"The message is signed with your certificate, or is not sent. Press again to take this back.",
			"Die Nachricht wird mit Ihrem Zertifikat signiert oder nicht gesendet. Erneut drücken nimmt das zurück."},
	}
	moreMenu = menu{
		button: button{
			ID: "more", Icon: "more",
			Label: text{"More", "Weiteres"},
			Tip:   text{"Secure transport, De-Mail, and sending without protection.", "Sicherer Transport, De-Mail und Senden ohne Schutz."},
		},
		Items: []button{
			{
				ID: "tls", Icon: "tls", Call: "siegelTls",
				Label: text{"Secure transport", "Sicherer Transport"},
				Tip: text{"The message goes only over encrypted connections to mail servers that prove who they are, or comes back.",
					"Die Nachricht geht nur über verschlüsselte Verbindungen zu Mailservern, die sich ausweisen, oder kommt zurück."},
			},
			{
				ID: "demail", Icon: "demail", Call: "siegelDeMail",
				Label: text{"As De-Mail", "Als De-Mail"},
				Tip: text{"The message leaves as De-Mail. Options and confirmations are in the pane.",
					"Die Nachricht wird als De-Mail gesendet. Optionen und Bestätigungen stehen im Aufgabenbereich."},
			},
			{
				ID: "plain", Icon: "plain", Call: "siegelPlain",
				Label: text{"Without protection", "Ohne Schutz"},
				Tip: text{"The message is neither signed nor encrypted, where your company's rules allow that.",
					"Die Nachricht wird weder signiert noch verschlüsselt, wo die Regeln Ihrer Firma das erlauben."},
			},
		},
	}
	description = text{
		"Signs, encrypts and sends messages as De-Mail with the Siegel gateway, and shows what it verified.",
		"Signiert, verschlüsselt und sendet Nachrichten als De-Mail über das Siegel-Gateway und zeigt, was es geprüft hat.",
	}
	short = text{
		"Protects mail with the Siegel gateway and shows what it verified.",
		"Schützt Mail mit dem Siegel-Gateway und zeigt, was es geprüft hat.",
	}
)

// The icons of the ZIP for Microsoft 365: 192 pixels in colour, and 32 white on nothing.
const (
	colorIcon   = "color.png"
	outlineIcon = "outline.png"
)
