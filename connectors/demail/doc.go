// Package demail reads, writes and verifies what BSI TR-01201 puts into De-Mail messages: addresses, header fields, X-de-mail-integrity,
// confirmations and notifications. It talks to no provider, and whom to believe it asks a [Trust].
//
// References are to version 1.8 of the guideline: "3.4, 3.1.13" is section 3.1.13 of its part 3.4.
//
// A message that bears De-Mail fields is not therefore a De-Mail: anybody can write them. What proves one is where it came from, an
// authenticated connection to the provider, and a [Result] that is trusted.
package demail
