// Package outlook asks the running gateway as the add-in for Outlook does. Entra ID and the Exchange server are stand-ins on the loopback address, by TLS; their tokens are
// signed by OpenSSL and by the JavaScript library jose (folder jose).
package outlook
