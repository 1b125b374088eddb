package texts_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/texts"
)

func ExampleTexts_SMTP() {
	t, err := texts.New(texts.Options{Language: texts.German, Contact: texts.Pair{DE: "Helpdesk, Telefon 4711"}})
	if err != nil {
		panic(err)
	}
	v := texts.Values{Recipient: "b@bank.example", Because: texts.BecauseRule, Rule: "bank", Reason: texts.ReasonNone}
	fmt.Println(t.SMTP(texts.EncryptImpossible, v))
	_, en := t.Both(texts.EncryptImpossible, v)
	fmt.Println(en)
	// Output:
	// Die Nachricht an b@bank.example wurde nicht gesendet: Sie muss verschluesselt werden (Regel "bank"), aber es ist kein Zertifikat dieses Empfaengers bekannt. Bitten Sie den Empfaenger um eine signierte Nachricht. Hilfe: Helpdesk, Telefon 4711.
	// The message to b@bank.example was not sent: it must be encrypted (rule "bank"), and no certificate of this recipient is known. Ask the recipient to send you a signed message. Help: Helpdesk, Telefon 4711.
}
