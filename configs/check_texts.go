package configs

import (
	"strings"

	"github.com/siegel-mail/siegel/gateway/texts"
)

// texts holds that what administrators have written can be said.
func (k *checker) texts() {
	for _, f := range texts.Check(k.Texts.Options()) {
		dotted := "texts." + f.Key
		if f.Override >= 0 {
			dotted = entryKey("texts.override", k.Texts.Override[f.Override].Name, f.Override) + "." + strings.Replace(f.Key, "id", "name", 1)
		}
		k.fail(dotted, "%s", f.Why)
	}
}
