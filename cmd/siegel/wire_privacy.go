package main

import (
	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/privacy"
)

// privacyRules says what of the company the internet does not see.
func privacyRules(c *configs.Config) privacy.Rules {
	inside := c.Privacy.InnerHosts
	if inside == nil {
		inside = c.Domains
	}
	return privacy.Rules{Remove: c.Privacy.Remove, HideReceived: c.Privacy.Received == configs.ReceivedHide, Inside: inside}
}
