package policy

// Vocabulary holds the subject tags that ask for something, as they stand in the subject: "[encrypt]".
// A tag may be any text without a line break; case does not matter. One that begins or ends with a letter
// or digit must stand as a word of its own.
type Vocabulary struct {
	Sign      []string
	Encrypt   []string
	TLS       []string // ask for mail.TLSVerified
	Plain     []string // ask for neither signature nor encryption
	NoSign    []string
	NoEncrypt []string
	Sets      []Set // ready sets, of words and of header fields, besides those above
	// Labels are what a message may be labelled.
	Labels []Label
	// DeMail are the words that ask for options of De-Mail; see [DefaultDeMail]. Nil: subjects ask for none, and none is taken out.
	DeMail []DeMailWord
}

// DefaultVocabulary knows the words of [SetSiegel].
func DefaultVocabulary() Vocabulary {
	return Vocabulary{
		Sign:      []string{"[sign]", "[signieren]"},
		Encrypt:   []string{"[encrypt]", "[verschlüsseln]", "[verschluesseln]"},
		TLS:       []string{"[tls]"},
		Plain:     []string{"[plain]", "[unverschlüsselt]", "[unverschluesselt]"},
		NoSign:    []string{"[nosign]", "[unsigniert]"},
		NoEncrypt: []string{"[noencrypt]"},
	}
}

// Set names a ready set of what users of a gateway write.
type Set string

// The ready sets.
const (
	SetSiegel         Set = "siegel" // what DefaultVocabulary has
	SetSEPPmail       Set = "seppmail"
	SetHornetsecurity Set = "hornetsecurity"
	SetCipherMail     Set = "ciphermail"
)
