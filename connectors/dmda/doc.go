// Package dmda is a SIMULATED provider of De-Mail, for tests, rehearsals and demonstrations: what it sends is no De-Mail, and what it confirms
// proves nothing. It keeps everything in memory and speaks no protocol.
//
// It obeys the rules of BSI TR-01201 (1.8) as far as a gateway meets them: levels of login, options and who may use them, sizes, messages a
// day, metadata, integrity, confirmations and notifications. Where the guideline leaves something to the provider, it chooses; a real one may
// choose otherwise.
package dmda
