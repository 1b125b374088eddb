// Package cardtest is smart cards in software, simulated in all they say of themselves: a TCOS 3 NetKey and a PIV card, with real keys,
// PIN counters and status words, and with faults on demand. Their keys lie in memory like any other: they are for tests, rehearsals
// and the demo, and keep no secret. A Rack is readers for them in the process; ServeVPCD puts them behind the real PC/SC daemon.
//
// What they know of real cards is public: ISO 7816-4, NIST SP 800-73-4, and what OpenSC, GnuPG and Yubico's tool ask of them. Those
// programs prove the simulation in the tests; where they ask nothing, a real card may do otherwise.
package cardtest
