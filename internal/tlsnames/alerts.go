package tlsnames

import "strconv"

// Alert is what one end says before it ends a connection.
type Alert struct {
	Code uint8
	Name string // IANA's
	// Sentence says to an administrator what the end that sent it means.
	Sentence string
}

// alerts in the order of their numbers. https://www.iana.org/assignments/tls-parameters, "TLS Alerts"; RFC 8446, 6 and RFC 5246, 7.2
var alerts = [...]Alert{
	{0, "close_notify", "It ends the connection, as agreed."},
	{10, "unexpected_message", "It got a message out of turn."},
	{20, "bad_record_mac", "It could not read what came: the data were changed on the way, or both ends reckoned different keys."},
	{21, "decryption_failed", "It could not decrypt what came."},
	{22, "record_overflow", "It got a record that is too long."},
	{30, "decompression_failure", "It could not decompress what came."},
	{40, "handshake_failure", "It found nothing that both ends would accept: no common cipher suite, group or signature algorithm, or it misses a client certificate."},
	{41, "no_certificate", "It has no certificate."},
	{42, "bad_certificate", "It takes the certificate for damaged, or its signature for wrong."},
	{43, "unsupported_certificate", "It does not take certificates of this kind."},
	{44, "certificate_revoked", "It knows the certificate as revoked."},
	{45, "certificate_expired", "It takes the certificate for expired, or for not yet valid; see also its clock."},
	{46, "certificate_unknown", "It does not take the certificate, for a reason that it does not tell."},
	{47, "illegal_parameter", "It got a value that contradicts another one or is not allowed."},
	{48, "unknown_ca", "It does not know or not trust the authority that issued the certificate."},
	{49, "access_denied", "It took the certificate for valid and does not let its holder in."},
	{50, "decode_error", "It could not parse a message."},
	{51, "decrypt_error", "A signature or a proof of the handshake is wrong."},
	{52, "too_many_cids_requested", "It was asked for too many connection identifiers."},
	{60, "export_restriction", "The keys are longer than an export rule allowed."},
	{70, "protocol_version", "It speaks none of the TLS versions that were offered."},
	{71, "insufficient_security", "It demands stronger cipher suites or keys than were offered."},
	{80, "internal_error", "It has a fault of its own."},
	{86, "inappropriate_fallback", "It speaks a newer TLS version than the one that was tried as a way out."},
	{90, "user_canceled", "Somebody ended the handshake there."},
	{100, "no_renegotiation", "It does not negotiate again."},
	{109, "missing_extension", "It misses an extension that the version demands."},
	{110, "unsupported_extension", "It got an extension that it had not offered."},
	{111, "certificate_unobtainable", "It could not fetch the certificate."},
	{112, "unrecognized_name", "It serves no host with the name that was asked for (SNI)."},
	{113, "bad_certificate_status_response", "It does not take the stapled OCSP answer."},
	{114, "bad_certificate_hash_value", "The certificate is not the one that was announced."},
	{115, "unknown_psk_identity", "It does not know the shared key."},
	{116, "certificate_required", "It demands a client certificate and got none."},
	{117, "general_error", "It gives no reason."},
	{120, "no_application_protocol", "It speaks none of the application protocols that were offered (ALPN)."},
	{121, "ech_required", "It demands an encrypted hello."},
}

// LookupAlert returns the alert with a number.
func LookupAlert(code uint8) (Alert, bool) {
	for _, a := range alerts {
		if a.Code == code {
			return a, true
		}
	}
	return Alert{}, false
}

// AlertName returns IANA's name of an alert, handshake_failure; of a number that is none, alert_200.
func AlertName(code uint8) string {
	if a, found := LookupAlert(code); found {
		return a.Name
	}
	return "alert_" + strconv.Itoa(int(code))
}

// AlertSentence says to an administrator what the end that sent an alert means.
func AlertSentence(code uint8) string {
	if a, found := LookupAlert(code); found {
		return a.Sentence
	}
	return "It sent an alert that has no meaning in any standard."
}

// Alerts returns all alerts, in the order of their numbers.
func Alerts() []Alert { return append([]Alert(nil), alerts[:]...) }
