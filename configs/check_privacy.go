package configs

import "strings"

// needed are the fields without which a message is no message, or says another thing, to whoever gets it.
func needed() []string {
	return []string{
		"from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references",
		"mime-version", "content-type", "content-transfer-encoding", "content-disposition", "content-id", "received",
		"dkim-signature", "list-unsubscribe", "auto-submitted",
	}
}

func (k *checker) privacy() {
	for i, name := range k.Privacy.Remove {
		prefix, all := strings.CutSuffix(name, "*")
		if prefix == "" || strings.IndexFunc(prefix, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' || r == '*' }) >= 0 {
			k.failMember("privacy.remove", i, "%s is no name of a field; write it as in X-Originating-IP, or with a * at its end", shorten(name))
			continue
		}
		for _, field := range needed() {
			if strings.EqualFold(field, prefix) || all && strings.HasPrefix(field, strings.ToLower(prefix)) {
				k.failMember("privacy.remove", i, "%s takes %s off, which every message needs; name it more closely", shorten(name), field)
				break
			}
		}
	}
}
