package demail

import "strings"

// The header fields of De-Mail (3.4, table 1), as the guideline writes them.
const (
	FieldDispatch         = "X-de-mail-confirmation-of-dispatch"
	FieldReceipt          = "X-de-mail-confirmation-of-receipt"
	FieldRetrieve         = "X-de-mail-confirmation-of-retrieve"
	FieldAuthoritative    = "X-de-mail-authoritative"
	FieldPrivate          = "X-de-mail-private"
	FieldSender           = "X-de-mail-sender"
	FieldChosenRecipient  = "X-de-mail-chosen-recipient"
	FieldSubject          = "Subject"
	FieldPrivateID        = "X-de-mail-private-id"
	FieldReplyTo          = "Reply-To"
	FieldAuthLevel        = "X-de-mail-auth-level"
	FieldAuthMechanism    = "X-de-mail-auth-mechanism"
	FieldDate             = "Date"
	FieldDeMailID         = "X-de-mail-message-id"
	FieldProvider         = "X-de-mail-originator-provider"
	FieldMessageType      = "X-de-mail-message-type"
	FieldIntegrity        = "X-de-mail-integrity"
	FieldCertificate      = "X-de-mail-signature-certificate"
	FieldActualRecipient  = "X-de-mail-actual-recipient"
	FieldResentTo         = "Resent-To"
	FieldResentFrom       = "Resent-From"
	FieldResentDate       = "Resent-Date"
	FieldResentMessageID  = "Resent-Message-ID"
	FieldEnvelopeTo       = "Envelope-to"
	FieldVersion          = "X-de-mail-version"
	FieldAccountHolder    = "X-de-mail-account-holder"
	FieldNotificationType = "X-de-mail-notification-type"
	FieldFrom             = "From"
	FieldMessageID        = "Message-ID"
)

// prefix begins the names of the fields that only De-Mail has.
const prefix = "x-de-mail-"

// IsMetadata reports whether a field name is one that only De-Mail has. A gateway removes such fields from what does not come from a provider.
func IsMetadata(name string) bool { return strings.HasPrefix(lower(name), prefix) }

// MessageType is what a message is (3.4, table 12).
type MessageType string

// The types.
const (
	TypeNormal              MessageType = "normal"
	TypeDispatch            MessageType = "confirmation of dispatch"
	TypeReceipt             MessageType = "confirmation of receipt"
	TypeRetrieve            MessageType = "confirmation of retrieve"
	TypeMalwareAcknowledge  MessageType = "malware-acknowledge"
	TypeMalwareNotification MessageType = "malware-notification"
	TypeNotification        MessageType = "notification"
	TypeIdentification      MessageType = "identification"
)

// Confirmation reports whether it confirms something to a sender.
func (t MessageType) Confirmation() bool {
	return t == TypeDispatch || t == TypeReceipt || t == TypeRetrieve || t == TypeMalwareAcknowledge
}

// Notification reports whether it tells of something.
func (t MessageType) Notification() bool {
	return t == TypeNotification || t == TypeMalwareNotification
}

// column is the column of table 1 for a type.
func (t MessageType) column() (int, bool) {
	switch {
	case t == TypeNormal:
		return 0, true
	case t.Confirmation():
		return 1, true
	case t.Notification():
		return 2, true
	case t == TypeIdentification:
		return 3, true
	}
	return 0, false
}

// Level is how strongly somebody has logged in (3.4, 3.1.9).
type Level string

// The levels.
const (
	LevelNormal Level = "normal" // a password
	LevelHigh   Level = "high"   // two factors, one of which cannot be copied
)

// NotificationType is what a notification is about (3.4, table 22).
type NotificationType string

// What notifications are about.
const (
	NotifyUnknownRecipient NotificationType = "unknown-recipient"
	NotifyClosedAccount    NotificationType = "closed-account"
	NotifyInvalidFormat    NotificationType = "invalid-format"
	NotifyOther            NotificationType = "other"
)

// presence is what table 1 says of a field in one kind of message.
type presence byte

const (
	never presence = iota
	may
	must
)

// row is a line of table 1.
type row struct {
	name  string
	in    [4]presence // normal, confirmation, notification, identification
	since string      // the first version that has it (3.4, table 26); empty: 1.0
}

// table is 3.4, table 1. What a missing option means is said in 3.1.2 to 3.1.6: no.
func table() []row {
	return []row{
		{FieldDispatch, [4]presence{must}, ""},
		{FieldReceipt, [4]presence{must}, ""},
		{FieldRetrieve, [4]presence{must}, ""},
		{FieldAuthoritative, [4]presence{must}, ""},
		{FieldPrivate, [4]presence{must, may, may, must}, ""},
		{FieldSender, [4]presence{must, must, must, must}, ""},
		{FieldChosenRecipient, [4]presence{must, must, must, must}, ""},
		{FieldSubject, [4]presence{must, must, must, must}, ""},
		{FieldPrivateID, [4]presence{may, may, may, never}, ""},
		{FieldReplyTo, [4]presence{may, may, may, may}, ""},
		{FieldAuthLevel, [4]presence{must, may, may, may}, ""},
		{FieldAuthMechanism, [4]presence{must, may, may, may}, ""},
		{FieldDate, [4]presence{must, must, must, must}, ""},
		{FieldDeMailID, [4]presence{must, must, must, must}, ""},
		{FieldProvider, [4]presence{must, must, must, must}, ""},
		{FieldMessageType, [4]presence{must, must, must, must}, ""},
		{FieldIntegrity, [4]presence{must, must, must, must}, ""},
		{FieldCertificate, [4]presence{may, must, may, must}, ""},
		{FieldActualRecipient, [4]presence{must, must, must, must}, ""},
		{FieldResentTo, [4]presence{may, may, may, may}, ""},
		{FieldResentFrom, [4]presence{may, may, may, may}, ""},
		{FieldResentDate, [4]presence{may, may, may, may}, ""},
		{FieldResentMessageID, [4]presence{may, may, may, may}, ""},
		{FieldEnvelopeTo, [4]presence{may, may, may, may}, ""},
		{FieldVersion, [4]presence{must, must, must, must}, ""},
		{FieldAccountHolder, [4]presence{must}, "1.1"},
		{FieldNotificationType, [4]presence{never, never, must, never}, "1.2"},
		{FieldFrom, [4]presence{must, must, must, must}, ""},
		{FieldMessageID, [4]presence{must, must, must, must}, ""},
	}
}

// belongs reports whether a field, by its name in lower case, is one of De-Mail's: in table 1, or with De-Mail's prefix.
func belongs(name string) bool {
	if strings.HasPrefix(name, prefix) {
		return true
	}
	switch name {
	case "subject", "reply-to", "date", "resent-to", "resent-from", "resent-date", "resent-message-id", "envelope-to", "from", "message-id":
		return true
	}
	return false
}
