// Package connectors is the contract between a gateway and the provider of its De-Mail account. It speaks no protocol: its members do, and
// package connectortest holds each of them to it.
package connectors
