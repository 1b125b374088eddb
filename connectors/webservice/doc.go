// Package webservice speaks to the web service of a De-Mail provider: SOAP 1.1 or 1.2 over HTTPS, with the message inline or as MTOM/XOP.
// What differs between providers is data, a Profile: paths, request bodies, where in an answer a value stands, which code means what.
// It does not know TR-01201, opens no connection by itself (it is given an *http.Client, whose client certificate may sit on a card), and decides
// nothing about mail.
//
// No request can be broken out of: templates are read as XML when the profile is loaded, and values are only ever written, escaped, into texts and
// attributes. No answer is believed: its size, depth, number of elements, the work of each XPath and the time it takes are bounded; document types,
// entities and processing instructions are refused; references (XOP) lead to parts of the same answer or nowhere.
//
// Every failed call tells, as an Error, of which Class it is, and whether the provider may have acted: a submission whose answer was lost is in doubt,
// one that never left whole is not.
package webservice
