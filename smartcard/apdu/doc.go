// Package apdu is the language of smart cards: commands and answers as octets (ISO 7816-4), what comes in several pieces put
// together, data objects (BER-TLV), and what a status word means to a person. It opens no reader and knows no card's files.
//
// Whatever a card answers is taken as from a stranger: nothing here panics, loops or grows without bound on it, and a command that
// presents a PIN is sent once, whatever the card says.
package apdu
