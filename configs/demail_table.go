package configs

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// maxTableFaults bounds what is told of one table; who has more repairs these first.
const maxTableFaults = 20

// fault is what is wrong with a line of a table.
type fault struct {
	line int
	text string
}

// pairs reads lines of two words that a blank stands between; # begins a comment. For each of them take says what is wrong, or nothing.
func pairs(text []byte, take func(first, second string) string) []fault {
	var faults []fault
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		why := ""
		switch len(words) {
		case 0:
			continue
		case 2:
			why = take(words[0], words[1])
		default:
			why = "there must be two addresses on a line, with a blank between them"
		}
		if why == "" {
			continue
		}
		if faults = append(faults, fault{number, why}); len(faults) == maxTableFaults {
			break
		}
	}
	return faults
}

// senderTable reads lines of a From address and its De-Mail address, of which wrong says why nothing can be sent from it.
func senderTable(text []byte, wrong func(demail.Address) string) (map[string]demail.Address, []fault) {
	all := map[string]demail.Address{}
	faults := pairs(text, func(first, second string) string {
		from, why := ownAddress(first)
		if why != "" {
			return why
		}
		address, why := demailAddress(second)
		if why == "" {
			why = wrong(address)
		}
		if _, twice := all[from.Key()]; why == "" && twice {
			why = shorten(first) + " stands here twice; remove one of the two"
		}
		if why == "" {
			all[from.Key()] = address
		}
		return why
	})
	return all, faults
}

// mailboxTable adds lines of a De-Mail address and the address inside to those that are known.
func mailboxTable(text []byte, known map[demail.Address]mail.Address, belongs func(mail.Address) string) []fault {
	return pairs(text, func(first, second string) string {
		address, why := demailAddress(first)
		if why != "" {
			return why
		}
		to, why := ownAddress(second)
		if why == "" {
			why = belongs(to)
		}
		if _, twice := known[address]; why == "" && twice {
			why = shorten(first) + " was given already; remove one of the two"
		}
		if why == "" {
			known[address] = to
		}
		return why
	})
}

// ownAddress reads an address of the company, or says why it is none.
func ownAddress(s string) (a mail.Address, why string) {
	a, err := mail.ParseAddress(s)
	if err != nil {
		return a, fmt.Sprintf("%s is no address%s", shorten(s), strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
	}
	return a, ""
}

// demailAddress reads a De-Mail address, or says why it is none.
func demailAddress(s string) (a demail.Address, why string) {
	a, err := demail.ParseAddress(s)
	if err != nil {
		return a, "this is no De-Mail address" + strings.TrimPrefix(err.Error(), demail.ErrAddress.Error())
	}
	return a, ""
}
