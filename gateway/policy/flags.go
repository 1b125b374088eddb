package policy

// Vocabulary holds the subject tags that ask for a protection, as they stand in the subject: "[encrypt]".
type Vocabulary struct {
	Sign    []string
	Encrypt []string
}

// DefaultVocabulary knows [sign] and [encrypt].
func DefaultVocabulary() Vocabulary {
	return Vocabulary{Sign: []string{"[sign]"}, Encrypt: []string{"[encrypt]"}}
}
