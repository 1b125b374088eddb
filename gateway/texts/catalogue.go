package texts

// entry is one text in both languages.
type entry struct {
	about   string // when it is said, for administrators
	smtp    Pair   // empty: it is no SMTP text
	subject Pair   // of a message of its own
	notice  Pair   // empty: what smtp says
	outside bool   // it is for whoever sends to the company, who is not told whom its users ask
	either  bool   // it is for both: it names nobody to ask, and is in the language of whoever gets it
	because []ID   // the phrases that {because} may be
	reasons []ID   // the phrases that {reason} may be
	kinds   []ID   // the phrases that {kinds} may be
	detail  string // what {detail} may be, as a sample, where no phrase has it
}

// phrase is a part of texts: what it says, and what follows from it.
type phrase struct{ say, then Pair }

// catalogue holds all texts.
var catalogue = merge(door, admission, alarms, fetches, inbox, requests, protection, deMail, reports, statuses, deMailStatuses, quarantine)

// merge joins the parts of a table.
func merge[T any](parts ...map[ID]T) map[ID]T {
	all := map[ID]T{}
	for _, part := range parts {
		for id, e := range part {
			all[id] = e
		}
	}
	return all
}

// Who demands something. {otherwise} is what its sender can do about that.
const (
	BecauseFlag    ID = "because-flag"    // the sender
	BecauseRule    ID = "because-rule"    // the rule Values.Rule
	BecauseAddress ID = "because-address" // the level of the address Values.Rule
	BecauseDomain  ID = "because-domain"  // of a domain
	BecauseGroup   ID = "because-group"   // of a group
	BecauseDefault ID = "because-default" // the default of the company
	BecauseEarlier ID = "because-earlier" // the policy at the moment when the message was accepted
)

var because = []ID{BecauseFlag, BecauseRule, BecauseAddress, BecauseDomain, BecauseGroup, BecauseDefault, BecauseEarlier}

// What stands against it. {advice} is what helps.
const (
	ReasonNone        ID = "reason-none"         // no certificate of the recipient is known
	ReasonExpired     ID = "reason-expired"      // that of the recipient has expired
	ReasonEarly       ID = "reason-early"        // is not valid yet
	ReasonUntrusted   ID = "reason-untrusted"    // has an issuer that is not trusted
	ReasonPurpose     ID = "reason-purpose"      // is not for encryption
	ReasonWeak        ID = "reason-weak"         // is too weak
	ReasonRevoked     ID = "reason-revoked"      // was revoked
	ReasonUnusable    ID = "reason-unusable"     // cannot be used
	ReasonColleague   ID = "reason-colleague"    // the recipient is of the company, and has none
	ReasonUnfit       ID = "reason-unfit"        // it is weaker than the profile demands: Values.Detail
	ReasonProgram     ID = "reason-program"      // the recipient's program does not read what the profile demands: Values.Detail
	ReasonContrary    ID = "reason-contrary"     // a rule asks for what the profile does not allow: Values.Detail
	ReasonBrainpool   ID = "reason-brainpool"    // the key of whoever it is about is on a Brainpool curve, which is not enabled
	ReasonNoKey       ID = "reason-no-key"       // there is no key of the sender, Values.Detail
	ReasonKeyExpired  ID = "reason-key-expired"  // it has expired
	ReasonKeyRevoked  ID = "reason-key-revoked"  // it was revoked
	ReasonKeyUnusable ID = "reason-key-unusable" // it cannot be used
	ReasonKeyUnfit    ID = "reason-key-unfit"    // it is weaker than the profile demands: Values.Detail
	ReasonFrom        ID = "reason-from"         // there is no single From address
	ReasonNotYours    ID = "reason-not-yours"    // the sending system may not use the From address, Values.Detail
)

// What a message waits for that is protected later. Values.Detail is whose.
const (
	ReasonKeyAway         ID = "reason-key-away"         // the signing key of a sender cannot be reached
	ReasonKeySlow         ID = "reason-key-slow"         // that took too long
	ReasonCertificateAway ID = "reason-certificate-away" // the certificate of a recipient cannot be looked up
	ReasonCertificateSlow ID = "reason-certificate-slow" // that took too long
	ReasonGroupsAway      ID = "reason-groups-away"      // the groups of an address cannot be looked up
	ReasonGroupsSlow      ID = "reason-groups-slow"      // that took too long
	ReasonWorkAway        ID = "reason-work-away"        // what the gateway signs and encrypts with is away
	ReasonWorkSlow        ID = "reason-work-slow"        // that took too long
	ReasonAsked           ID = "reason-asked"            // the certificates of those who were asked for them
)

// Awaited are the reasons for which a message is protected later.
func Awaited() []ID {
	return []ID{ReasonKeyAway, ReasonKeySlow, ReasonCertificateAway, ReasonCertificateSlow, ReasonGroupsAway, ReasonGroupsSlow, ReasonWorkAway, ReasonWorkSlow, ReasonAsked}
}
