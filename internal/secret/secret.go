// Package secret holds strings that must never be printed.
package secret
