// Package dmdaweb gives a simulated provider (package dmda) the web service of a profile. It proves nothing, and no real provider's service is known to be like it.
package dmdaweb
