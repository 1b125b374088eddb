package smartcard

// Admits tells whether the card may be in a reader of this name.
func (s Selection) Admits(reader string) bool { return matches(s.Reader, reader) }
