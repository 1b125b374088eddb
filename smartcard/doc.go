// Package smartcard makes keys on smart cards usable as crypto.Signer and crypto.Decrypter for years without a human: a card is opened by
// its serial number, its key by the certificate, what is away comes back, and no card is ever blocked by us. It knows neither the readers
// (package pcsc does, behind Transport) nor the files of a card (packages tcos and piv do, behind Family).
//
// A Wallet holds the cards of one program. All of its methods, and those of Card and Key, may be called at once: a card does one thing at
// a time, and callers wait in the order in which they came, no longer than their contexts last. Who decrypts waits in a line of his own, which
// leaves the other every second turn: what strangers send keeps no signature away. Who would come too late is told at once.
//
// # PINs
//
// A card counts the PINs it refuses, and is blocked after three or so. Therefore all commands that carry a PIN are sent in two places: by the
// gateway in pin.go, by a human in act.go. A Channel refuses every other. The gateway keeps these rules: the counter is read first, in the
// same transaction; no PIN is presented while fewer than three tries are left, or where the card does not say how many; before each try it
// is noted in Memory; a PIN that was refused is never presented again, not even after a restart; one that was accepted is presented again
// after a reset, a restart, or where the key asks for it each time.
//
// Where the answer to a PIN is lost, because the card was pulled or the power went, the counter tells later: if it is lower, the PIN was
// refused. If it is the same, and the card has accepted this PIN before, it is presented once more. Else it may have been refused, and a
// human presents it once. A PIN can be refused twice in one case only: a human has changed it, the answer to the old one was lost, and
// another program has presented the new one before we have looked at the counter; two tries are left then.
//
// What a human does (Unlock, ChangePIN, Unblock) is noted in Memory too: the gateway, which shares the file, knows it at its next try.
//
// # Conditions
//
// A Monitor knows how each bound card is: one named Condition at a time, since when, and what to do. Readers and operations tell it what
// changes; a card that works is left alone.
package smartcard
