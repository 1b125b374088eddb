package texts

import "strings"

// maxTogether is the longest text for several recipients, in characters, so that all of it fits into an SMTP reply.
const maxTogether = 440

// Together joins what SMTP says for several recipients. Where that is too long it names them, and says the first.
func (t *Texts) Together(recipients, reasons []string) string {
	text := strings.Join(reasons, " ")
	if len(text) <= maxTogether || len(reasons) < 2 {
		return text
	}
	head := Pair{"Not sent to ", "Nicht gesendet an "}.In(t.language())
	var named strings.Builder
	for i, to := range recipients {
		rest := others(t.language(), len(recipients)-i)
		to = cut(asciiOnly(to), maxAddress, true)
		if i > 0 && len(head)+named.Len()+len(", ")+len(to)+len(rest)+len(": ")+len(reasons[0]) > maxTogether {
			named.WriteString(rest)
			break
		}
		if i > 0 {
			named.WriteString(", ")
		}
		named.WriteString(to)
	}
	return cut(head+named.String()+": "+reasons[0], maxTogether, true)
}
