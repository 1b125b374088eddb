// Package addin serves the add-in for Outlook, its pages and what they ask of the gateway, by HTTPS; it decides nothing about mail.
package addin

// The paths of the add-in, below the URL that users reach it by.
const (
	Root         = "/outlook/"
	SettingsPath = Root + "api/settings" // GET: Settings
	ExplainPath  = Root + "api/explain"  // POST: Question to Answer
)

// The ways in which the API knows its users.
const (
	ByEntra    = "entra"    // an access token of Entra ID, got by nested app authentication, as Authorization: Bearer
	ByExchange = "exchange" // an identity token of Exchange (getUserIdentityTokenAsync), as Authorization: Bearer
	ByNetwork  = "network"  // where the request comes from; no Authorization
	ByNothing  = "none"     // nobody is known, so nothing is explained
)

// Settings are what the pages need to know before anybody is known. They tell nothing of anybody, so everybody may have them.
type Settings struct {
	Language string `json:"language"` // "de" or "en": what the company speaks; Outlook's own language comes first
	Tags     Tags   `json:"tags"`
	DeMail   DeMail `json:"deMail"`
	// Authentication is the way to try first, and Alternatives those to try then, in this order.
	Authentication string   `json:"authentication"`
	Alternatives   []string `json:"alternatives"`
	Entra          *Entra   `json:"entra,omitempty"` // where ByEntra is among the ways
	Limits         Limits   `json:"limits"`
}

// Tags are the words in a subject that ask for protection, the best first. Where internet headers can be set they are not needed.
type Tags struct {
	Sign    []string `json:"sign"`
	Encrypt []string `json:"encrypt"`
	Plain   []string `json:"plain"`
	TLS     []string `json:"tls"`
}

// DeMail is what may be asked for when De-Mail is sent.
type DeMail struct {
	Enabled bool           `json:"enabled"`
	Options []DeMailOption `json:"options"`
}

// DeMailOption is an option of De-Mail.
type DeMailOption struct {
	Name string `json:"name"` // as in Flags.DeMail: "sent", "received", "collected", "confirmed" or "personal"
	Tag  string `json:"tag"`  // what the pages write into the subject, with its brackets
	// Words are all that ask for it in a subject, with their brackets.
	Words []string `json:"words"`
	// May: some sender of the company may ask for it. Whether this one may tells the answer to a question.
	May bool `json:"may"`
}

// Entra is where the pages get their token.
type Entra struct {
	ClientID  string `json:"clientId"`
	Authority string `json:"authority"` // https://login.microsoftonline.com/TENANT
	Scope     string `json:"scope"`     // CLIENT/access_as_user
}

// Limits are what one question may have.
type Limits struct {
	Recipients int `json:"recipients"`
	Bytes      int `json:"bytes"` // of the body of a request
}

// Question is the body of a POST to ExplainPath: a message as far as it is written. Keys that are not known are refused.
type Question struct {
	From    string   `json:"from"`
	To      []string `json:"to"`
	Cc      []string `json:"cc"`
	Bcc     []string `json:"bcc"`
	Subject string   `json:"subject"` // as the user sees it
	Size    int64    `json:"size"`    // in bytes, about; 0: not known
	Flags   Flags    `json:"flags"`   // what the buttons ask for
}

// Flags are what the buttons ask for.
type Flags struct {
	Sign    bool     `json:"sign"`
	Encrypt bool     `json:"encrypt"`
	Plain   bool     `json:"plain"`
	TLS     bool     `json:"tls"`
	DeMail  []string `json:"deMail"` // names of options; "yes" is De-Mail without any
}

// Answer is what would become of the message if it were sent now.
type Answer struct {
	Recipients []Recipient `json:"recipients"` // each address once, in the order of to, cc, bcc
}

// Recipient is what one recipient would get.
type Recipient struct {
	To      string `json:"to"`
	Way     string `json:"way"`     // "internal", "smtp" or "de-mail"; empty where it is refused
	Sign    bool   `json:"sign"`    // the copy is signed
	Encrypt bool   `json:"encrypt"` // the copy is encrypted
	TLS     string `json:"tls"`     // what each connection must give: "", "required" or "verified"
	Asks    bool   `json:"asks"`    // it waits, and the recipient is asked for a certificate
	Holds   bool   `json:"holds"`   // it waits for a key that is away, or for a decision of an administrator
	Refused bool   `json:"refused"` // the message would come back
	Text    Text   `json:"text"`    // what happens, in a sentence or two
	Keys    []Key  `json:"keys"`    // why
}

// Key is a setting with the place that it came from.
type Key struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	By    string `json:"by"` // in words: "rule bank", "company"
}

// Text is a sentence in both languages.
type Text struct {
	De string `json:"de"`
	En string `json:"en"`
}

// Problem is the body of every answer of the API that is not 200.
type Problem struct {
	Error ProblemText `json:"error"`
}

// ProblemText says what is wrong.
type ProblemText struct {
	Code string `json:"code"` // one of the codes below
	De   string `json:"de"`
	En   string `json:"en"`
}

// The codes of problems, and the status they come with.
const (
	CodeBadRequest   = "bad_request"  // 400, 405, 413, 415: a fault of the program that asks
	CodeUnauthorized = "unauthorized" // 401: nobody is known; get a new token and ask once more
	CodeForbidden    = "forbidden"    // 403: known, but not somebody who may ask for this From address
	CodeTooMany      = "too_many"     // 429, with Retry-After
	CodeUnavailable  = "unavailable"  // 503: what is needed to know the user, or to answer, is away
	CodeInternal     = "internal"     // 500
	CodeMisdirected  = "misdirected"  // 421: the name in the URL is not the configured one
	CodeNotFound     = "not_found"    // 404
)
