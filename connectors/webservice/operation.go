package webservice

// Operation names what a provider's service does.
type Operation string

// The operations. A profile must have those without which no De-Mail can be sent and fetched: domains, submit, list, fetch, acknowledge.
const (
	OpLogin       Operation = "login"       // begins a session, where the profile has sessions
	OpDomains     Operation = "domains"     // the De-Mail domains of the account
	OpSubmit      Operation = "submit"      // hands over a message
	OpFind        Operation = "find"        // was a message with this key taken already?
	OpList        Operation = "list"        // which messages wait
	OpFetch       Operation = "fetch"       // one of them
	OpAcknowledge Operation = "acknowledge" // it was stored; the provider need not offer it again
	OpLookup      Operation = "lookup"      // what the directory says of an address
)

// definition is what the package knows of an operation, whatever the profile.
type definition struct {
	name      Operation
	must      bool
	variables map[string]kind   // of its request, beside those of all
	fields    map[string]string // of its answer: "must" or "may"
	many      bool              // the answer may hold several, and may come in pages
}

// common are the variables that every request may use.
var common = map[string]kind{
	"account": textKind, "user": textKind, "password": textKind, // as configured
	"session": textKind, // what the login gave
	"request": textKind, // a new UUID for each request, as urn:uuid:...
	"now":     textKind, // RFC 3339, UTC
	"url":     textKind, // where the request goes
}

// pageVariables are those of a request whose answer may come in pages.
var pageVariables = map[string]kind{"page_size": textKind, "page_number": textKind, "page_offset": textKind, "page_cursor": textKind}

const (
	must = "must"
	may  = "may"
)

// definitions lists the operations, in the order of work.
var definitions = []definition{
	{name: OpLogin, fields: map[string]string{"session": may}},
	{name: OpDomains, must: true, fields: map[string]string{"domain": must}, many: true},
	{name: OpSubmit, must: true, variables: map[string]kind{
		"content": contentKind, "size": textKind, "key": textKind, "sender": textKind,
		"to": listKind, "cc": listKind, "bcc": listKind, "recipients": listKind, // the last: all of them
		"dispatch": boolKind, "receipt": boolKind, "retrieve": boolKind, "authoritative": boolKind, "private": boolKind,
	}, fields: map[string]string{"id": must, "time": may}},
	{name: OpFind, variables: map[string]kind{"key": textKind}, fields: map[string]string{"id": must, "key": may, "time": may}, many: true},
	{name: OpList, must: true, fields: map[string]string{"id": must, "size": may, "mailbox": may, "time": may}, many: true},
	{name: OpFetch, must: true, variables: map[string]kind{"id": textKind}, fields: map[string]string{"content": must}},
	{name: OpAcknowledge, must: true, variables: map[string]kind{"id": textKind}},
	{name: OpLookup, variables: map[string]kind{"address": textKind}, fields: map[string]string{"address": must, "level": may, "certificate": may}, many: true},
}

// all are the variables that the request of an operation may use.
func (d definition) all() map[string]kind {
	out := map[string]kind{}
	sets := []map[string]kind{common, d.variables}
	if d.many {
		sets = append(sets, pageVariables)
	}
	for _, set := range sets {
		for name, k := range set {
			out[name] = k
		}
	}
	return out
}

// content is the variable that stands for the message; empty where a request carries none.
func (d definition) content() string {
	for name, k := range d.variables {
		if k == contentKind {
			return name
		}
	}
	return ""
}

// example are the variables of an example of the answer: what stood in the request, but lists and the message, and what the answer says.
func (d definition) example() map[string]kind {
	out := map[string]kind{}
	for name, k := range d.variables {
		if k == textKind || k == boolKind {
			out[name] = k
		}
	}
	if d.many {
		out["answers"], out["more"], out["next"] = recordsKind, boolKind, textKind
		return out
	}
	for name := range d.fields {
		out[name] = textKind
	}
	if _, ok := d.fields["content"]; ok {
		out["content"] = contentKind
	}
	return out
}
