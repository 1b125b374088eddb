// Package mailbox attaches to a De-Mail provider as a mail program does: messages go by SMTP submission, with the options and the private id in
// De-Mail's header fields, and come by IMAP. It does not judge messages, and knows neither cards nor certificates: TLS is brought up by
// functions it is given.
//
// Every answer of a server is bounded in size and time, and a message is fetched in pieces, so that none is ever in memory as a whole. This way to a
// provider has no directory, and no question whether a message was taken; where the provider keeps what was sent in a folder, that folder tells.
package mailbox
