// Package survey says in words what is in the readers: cards, their certificates and PINs, and of a card that no family knows what support for
// it would begin with. It also tries keys. Looking presents no PIN; trying a key presents one only by the rules of package smartcard.
package survey
