package apdu

import "fmt"

// sentence is what ISO 7816-4, tables 5 and 6, means by the word.
func (s Status) sentence() string {
	if n, ok := s.Tries(); ok {
		return fmt.Sprintf("a counter stands at %d", n)
	}
	for _, w := range words() {
		if w.status == s {
			return w.text
		}
	}
	switch s >> 8 {
	case 0x61:
		return fmt.Sprintf("%d more octets are waiting", expected(int(s&0xFF), MaxShortAnswer))
	case 0x6C:
		return fmt.Sprintf("the length asked for is wrong; %d octets are there", expected(int(s&0xFF), MaxShortAnswer))
	}
	for _, w := range words() {
		if w.status == s&0xFF00 && s>>8 != 0x90 {
			return w.text
		}
	}
	return "a status word that ISO 7816-4 does not know"
}

type word struct {
	status Status
	text   string
}

// words are the status words of ISO 7816-4; one that ends in 00 stands for all that begin with it and are not named.
func words() []word {
	return []word{
		{0x9000, "done"},
		{0x6200, "a warning, nothing on the card was changed"},
		{0x6281, "part of what was read may be damaged"},
		{0x6282, "the end of the file came before all was read"},
		{0x6283, "the file chosen is deactivated"},
		{0x6284, "the card describes the file in a form of its own"},
		{0x6285, "the file chosen has been retired for good"},
		{0x6286, "a sensor of the card gives nothing"},
		{0x6287, "a record is deactivated"},
		{0x6300, "a warning, something on the card was changed"},
		{0x6381, "the file is full"},
		{0x6400, "it could not be carried out; nothing on the card was changed"},
		{0x6401, "the card wants an answer first"},
		{0x6500, "it could not be carried out; something on the card was changed"},
		{0x6581, "the card's memory has failed; the card is worn out or broken"},
		{0x6600, "the card sees its security at risk"},
		{0x6700, "the length of the command is wrong"},
		{0x6800, "the card does not know this kind of command"},
		{0x6881, "the card knows no such logical channel"},
		{0x6882, "the card knows no secure messaging"},
		{0x6883, "the card expected the last part of a command"},
		{0x6884, "the card takes no commands in parts"},
		{0x6900, "not allowed"},
		{0x6981, "the file is not of the kind that this command is for"},
		{0x6982, "not allowed before a PIN has been presented"},
		{0x6983, "the PIN or key is blocked"},
		{0x6984, "the PIN or key cannot be used in its present state"},
		{0x6985, "not allowed in the card's present state"},
		{0x6986, "no file is chosen"},
		{0x6987, "secure messaging lacks something"},
		{0x6988, "secure messaging is wrong"},
		{0x6A00, "the parameters are wrong"},
		{0x6A80, "the data of the command are wrong"},
		{0x6A81, "the card does not do this"},
		{0x6A82, "the file or application is not on the card"},
		{0x6A83, "the record is not in the file"},
		{0x6A84, "the file has no room for it"},
		{0x6A85, "the length does not fit the data objects"},
		{0x6A86, "the parameters P1 and P2 are wrong"},
		{0x6A87, "the length does not fit the parameters P1 and P2"},
		{0x6A88, "the key, PIN or object is not on the card"},
		{0x6A89, "a file of this number is there already"},
		{0x6A8A, "a file of this name is there already"},
		{0x6B00, "the parameters P1 and P2 lie outside the file"},
		{0x6D00, "the card does not know this instruction"},
		{0x6E00, "the card does not know this class of commands"},
		{0x6F00, "the card failed and gives no reason"},
	}
}
